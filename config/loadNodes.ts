import { DEFAULTS } from "./defaults";
import { clusterFamily, dataDirectory } from "./deriveCluster";
import { toPlain } from "./located";
import { formatProblems } from "./problems";
import { readInventory } from "./readInventory";
import type { RawInventory } from "./schema";

/** A node as today's inventory has it, with what it claims on its host. */
export interface InventoryNode {
  readonly cluster: string;
  readonly node: string;
  readonly id: number;
  readonly host: string;
  readonly version: number;
  readonly port: number;
  readonly dataDirectory: string;
}

/**
 * Every node of an inventory. Trusts that loadInventory has checked the file, as loadHosts does.
 * @throws Error when the file is not there or is not YAML
 */
export function loadNodes(path: string): readonly InventoryNode[] {
  const { root, problems } = readInventory(path);
  if (!root) throw new Error(formatProblems(problems));
  const inventory = toPlain(root) as Partial<RawInventory>;
  const clusters = inventory.postgresql_clusters ?? {};
  return Object.entries(clusters).flatMap(([cluster, raw]) =>
    Object.entries(raw.nodes).map(([node, { id, host }]) => ({
      cluster,
      node,
      id,
      host,
      version: raw.version,
      // The schema, which has not been read here, knows the default.
      port: (raw.port as number | undefined) ?? DEFAULTS.postgresPort,
      dataDirectory: dataDirectory(cluster, raw, clusterFamily(raw, inventory)),
    })),
  );
}
