import * as pulumi from "@pulumi/pulumi";
import { Cluster } from "./resources/cluster";
import { refuseStaleBuild } from "./resources/freshness";
import { checkHosts, installPackages } from "./resources/hosts";
import { openInventory } from "./resources/inventory";
import { stayUntil } from "./resources/whole";

// The SDK takes a stack trace for every promise of every resource. Mapped back to the sources they cost a fifth of a
// second of each preview; unmapped they name bin/*.js, which reads the same.
Reflect.deleteProperty(Error, "prepareStackTrace");

refuseStaleBuild(process.cwd());

const inventory = openInventory();
const preflights = new Map(inventory.clusters.map((cluster) => [cluster.name, checkHosts(cluster, inventory)]));
const packages = installPackages(inventory, preflights);

const built = inventory.clusters.map((spec) => {
  const preflight = preflights.get(spec.name);
  if (preflight === undefined) throw new Error(`cluster ${spec.name} was not checked`);
  return { name: spec.name, cluster: new Cluster(spec, inventory, preflight, packages) };
});
stayUntil(pulumi.all(built.map(({ cluster }) => cluster.registered)));

/** Per cluster: primary, timeline, nodes with role and lag, connection strings without passwords. */
export const clusters = Object.fromEntries(built.map(({ name, cluster }) => [name, cluster.outputs]));
