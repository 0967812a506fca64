import { readFileSync } from "node:fs";
import { check, type Secrets } from "./check";
import { checkPromoted } from "./checkPromoted";
import { deriveCluster } from "./deriveCluster";
import { HostDeriver, resolvePath } from "./deriveHosts";
import type { ReadFile } from "./deriveTls";
import { nodeAt } from "./located";
import { sortProblems } from "./problems";
import type { Promotion } from "./promotion";
import { readInventory } from "./readInventory";
import type { Inventory, Problem } from "./types";
import { validate } from "./validate";

export { formatProblems } from "./problems";

/**
 * Reads an inventory with what it extends, checks it and derives what follows from it. Reads files and nothing else.
 * @param path the inventory file; problems name it as it is given here
 * @param secrets which secrets the stack's configuration has; without their values no key is compared with its certificate
 * @param promotion what was promoted to the stack, undefined in it for nothing; left out, 'require: {promoted: true}' is not
 *   asked for: who repairs a cluster does not wait for a promotion
 * @returns the inventory, or every problem found; never both. Does not throw for anything a person wrote.
 */
export function loadInventory(
  path: string,
  secrets: Secrets,
  promotion?: { readonly last: Promotion | undefined },
): { inventory?: Inventory; problems: Problem[] } {
  const { root, problems } = readInventory(path);
  if (!root) return { problems: sortProblems(problems) };
  const validated = validate(
    root,
    problems.map((problem) => problem.path),
  );
  const found = [
    ...problems,
    ...validated.problems,
    ...check(root, validated, secrets),
    ...(promotion === undefined ? [] : checkPromoted(path, root, validated.sound, promotion.last)),
  ];
  if (found.length > 0) return { problems: sortProblems(found) };
  const raw = validated.sound;
  const fileOf = (at: readonly string[]) => nodeAt(root, at)?.file ?? path;
  const hosts = new HostDeriver(raw, fileOf).all((file) => readFileSync(file, "utf8"));
  const clusters = Object.entries(raw.postgresql_clusters).map(([name, own]) => {
    const at = ["postgresql_clusters", name];
    const read: ReadFile = (below, file) => readFileSync(resolvePath(file, fileOf([...at, ...below])), "utf8");
    return deriveCluster(name, own, raw, read);
  });
  return { inventory: { hosts, clusters }, problems: [] };
}
