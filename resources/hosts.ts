import type * as pulumi from "@pulumi/pulumi";
import type { ClusterSpec } from "../config/types";
import { familyLayout } from "../families";
import { AS_THE_OTHERS } from "../providers/pgPackages";
import { hostOf, reachOf } from "./inputs";
import type { StackInventory } from "./inventory";
import { PgPackages, Preflight } from "./kinds";

/** Looks at all hosts of a cluster; everything else of it waits for the answer. */
export function checkHosts(cluster: ClusterSpec, inventory: StackInventory): Preflight {
  const hosts = cluster.nodes.map(({ host }) => host);
  return new Preflight(
    cluster.name,
    {
      reach: reachOf(inventory, hosts),
      cluster: cluster.name,
      port: cluster.port,
      version: cluster.version,
      family: cluster.family,
      dataDirectory: cluster.dataDirectory,
      layout: cluster.layout,
      packages: familyLayout(cluster.family).packages(cluster.version),
      failover: cluster.failover,
      protect: cluster.protect,
      nodes: cluster.nodes.map(({ name, id, host, address, initialRole }) => {
        const { repository } = hostOf(inventory, host);
        return { node: name, id, host, address, isWitness: initialRole === "witness", repository };
      }),
    },
    {},
  );
}

/** PostgreSQL is installed once a host and major version, whatever clusters use it. Keys: "host/version". */
export function installPackages(
  inventory: StackInventory,
  preflights: ReadonlyMap<string, pulumi.Resource>,
): ReadonlyMap<string, PgPackages> {
  const users = new Map<string, { host: string; clusters: ClusterSpec[] }>();
  for (const cluster of inventory.clusters) {
    for (const { host } of cluster.nodes) {
      const key = `${host}/${cluster.version}`;
      users.set(key, { host, clusters: [...(users.get(key)?.clusters ?? []), cluster] });
    }
  }
  return new Map(
    [...users].map(([key, { host, clusters }]) => [key, packagesOn(inventory, host, clusters, preflights)]),
  );
}

function packagesOn(
  inventory: StackInventory,
  host: string,
  clusters: readonly ClusterSpec[],
  preflights: ReadonlyMap<string, pulumi.Resource>,
): PgPackages {
  const [first] = clusters as [ClusterSpec];
  const all = clusters.flatMap(({ nodes }) => nodes.map((node) => node.host));
  // On hosts that others have set up an upgrade may restart what runs there (postgresql-common does), so none is made.
  const isOthers = clusters.every(({ layout }) => layout !== undefined);
  const siblings = isOthers ? [] : [...new Set(all)].filter((other) => other !== host).sort();
  return new PgPackages(
    `${host}-postgresql-${first.version}`,
    {
      reach: reachOf(inventory, [host, ...siblings]),
      host,
      siblings,
      versions: AS_THE_OTHERS,
      family: first.family,
      version: first.version,
      repository: hostOf(inventory, host).repository,
      packages: familyLayout(first.family).packages(first.version),
      pinned: clusters.find(({ packageVersion }) => packageVersion !== undefined)?.packageVersion,
      createMainCluster: isOthers,
    },
    { dependsOn: clusters.flatMap(({ name }) => preflights.get(name) ?? []) },
    clusters.map(({ name }) => name),
  );
}
