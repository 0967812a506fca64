import * as pulumi from "./resources/sdk";
import { Cluster } from "./resources/cluster";
import { refuseStaleBuild } from "./resources/freshness";
import { checkHosts, prepareHosts } from "./resources/hosts";
import { openInventory } from "./resources/inventory";
import { stayUntil } from "./resources/whole";

refuseStaleBuild(process.cwd());

const inventory = openInventory();
const preflights = new Map(inventory.clusters.map((cluster) => [cluster.name, checkHosts(cluster, inventory)]));
const prepared = prepareHosts(inventory, preflights);

const built = inventory.clusters.map((spec) => {
  const preflight = preflights.get(spec.name);
  if (preflight === undefined) throw new Error(`cluster ${spec.name} was not checked`);
  return { name: spec.name, cluster: new Cluster(spec, inventory, preflight, prepared) };
});
stayUntil(pulumi.all(built.map(({ cluster }) => cluster.registered)));

/** Per cluster: primary, timeline, nodes with role and lag, connection strings without passwords, which firewalls. */
export const clusters = Object.fromEntries(built.map(({ name, cluster }) => [name, cluster.outputs]));

/** What `npm run promote` has promoted to this stack; absent where it never did. */
export const promoted = inventory.promoted;
