import type { HostConnection } from "../ssh/types";
import { HostDeriver, type RawHosts } from "./deriveHosts";
import { nodeAt, toPlain } from "./located";
import { formatProblems } from "./problems";
import { readInventory } from "./readInventory";

/**
 * How the hosts of an inventory are reached, by name, for processes that look up nothing else. Trusts that
 * loadInventory has checked the file: looks at no cluster, and does not load the schema, which would take longer.
 * @throws Error when the file is not there, is not YAML or has no hosts
 */
export function loadHosts(path: string): ReadonlyMap<string, HostConnection> {
  const { root, problems } = readInventory(path);
  if (!root || nodeAt(root, ["hosts"])?.content.kind !== "map") {
    throw new Error(problems.length > 0 ? formatProblems(problems) : `${path}: there are no 'hosts'`);
  }
  const deriver = new HostDeriver(toPlain(root) as RawHosts, (at) => nodeAt(root, at)?.file ?? path);
  return deriver.connections();
}
