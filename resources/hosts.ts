import type * as pulumi from "./sdk";
import type { ClusterSpec } from "../config/types";
import { familyLayout, packagesOf } from "../families";
import { AS_THE_OTHERS, NONE_HIDES } from "../providers/pgPackages";
import type { PreflightInputs } from "../providers/preflight";
import { hostOf, reachOf } from "./inputs";
import type { StackInventory } from "./inventory";
import { HostKernel, PgPackages, Preflight } from "./kinds";

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
      packages: packagesOf(cluster.family, cluster.version),
      ...spacesOf(cluster),
      failover: cluster.failover,
      protect: cluster.protect,
      monitored: cluster.monitoring === undefined ? undefined : true,
      nodes: cluster.nodes.map(({ name, id, host, address, initialRole }) => {
        const { repository } = hostOf(inventory, host);
        return { node: name, id, host, address, isWitness: initialRole === "witness", repository };
      }),
      ...(cluster.tls === undefined ? {} : { hasTls: true as const }),
      ...(cluster.tls?.areNodesVerified === true ? { trusted: cluster.tls.authorities } : {}),
      ...loginsOf(cluster),
      memory: memoryOn(hosts, inventory.clusters),
      ...kernelsOn(hosts, inventory),
    },
    {},
  );
}

function loginsOf({ tls }: ClusterSpec): Pick<PreflightInputs, "logins"> {
  if (tls?.loginCertificates === undefined) return {};
  return { logins: { authorities: tls.authorities, isRequired: tls.loginCertificates === "required" } };
}

function spacesOf({ tablespaces }: ClusterSpec): Pick<PreflightInputs, "tablespaces"> {
  if (tablespaces.length === 0) return {};
  return { tablespaces: Object.fromEntries(tablespaces.map(({ name, directory }) => [name, { directory }])) };
}

/** What clusters take of the hosts' memory; only of hosts where that is more than one cluster's default. */
function memoryOn(hosts: readonly string[], clusters: readonly ClusterSpec[]): PreflightInputs["memory"] {
  const shares = hosts.map((host) => {
    const here = clusters.filter(({ nodes }) => nodes.some((node) => node.host === host));
    return [
      host,
      here.map(({ name, settings: { shared_buffers: sharedBuffers, huge_pages: hugePages } }) => {
        return { cluster: name, sharedBuffers, hugePages };
      }),
    ] as const;
  });
  const telling = shares.filter(([, here]) => here.length > 1 || here.some((s) => s.sharedBuffers ?? s.hugePages));
  return telling.length === 0 ? undefined : Object.fromEntries(telling);
}

function kernelsOn(hosts: readonly string[], inventory: StackInventory): Pick<PreflightInputs, "kernels"> {
  const named = hosts.flatMap((host) => {
    const { kernel } = hostOf(inventory, host);
    return kernel === undefined ? [] : [[host, kernel] as const];
  });
  return named.length === 0 ? {} : { kernels: Object.fromEntries(named) };
}

/**
 * What a host needs before a cluster can be made there: settings of its kernel, where the inventory names some, and
 * packages. Keys: "host/version".
 */
export function prepareHosts(
  inventory: StackInventory,
  preflights: ReadonlyMap<string, pulumi.Resource>,
): ReadonlyMap<string, readonly pulumi.Resource[]> {
  const kernels = setKernels(inventory, preflights);
  return new Map(
    [...installPackages(inventory, preflights)].map(([key, { at, resource }]) => {
      const kernel: pulumi.Resource | undefined = kernels.get(at);
      return [key, [...(kernel === undefined ? [] : [kernel]), resource]];
    }),
  );
}

/** Once a host, whatever clusters are there. */
function setKernels(
  inventory: StackInventory,
  preflights: ReadonlyMap<string, pulumi.Resource>,
): ReadonlyMap<string, HostKernel> {
  const hosts = new Set(inventory.clusters.flatMap(({ nodes }) => nodes.map(({ host }) => host)));
  return new Map(
    [...hosts].flatMap((host) => {
      const { kernel } = hostOf(inventory, host);
      if (kernel === undefined) return [];
      const here = inventory.clusters.filter(({ nodes }) => nodes.some((node) => node.host === host));
      const { sysctl, transparentHugePages, tunedProfile } = kernel;
      const pages = transparentHugePages && { transparentHugePages, transparentHugePagesAtBoot: transparentHugePages };
      const profile = tunedProfile && { tunedProfile };
      const inputs = { reach: reachOf(inventory, [host]), host, sysctl, sysctlAtBoot: sysctl, ...pages, ...profile };
      const names = here.map(({ name }) => name);
      const after = { dependsOn: names.flatMap((name) => preflights.get(name) ?? []) };
      return [[host, new HostKernel(`${host}-kernel`, inputs, after, names)] as const];
    }),
  );
}

/** PostgreSQL is installed once a host and major version, whatever clusters use it. Keys: "host/version". */
function installPackages(
  inventory: StackInventory,
  preflights: ReadonlyMap<string, pulumi.Resource>,
): ReadonlyMap<string, { readonly at: string; readonly resource: PgPackages }> {
  const users = new Map<string, { host: string; clusters: ClusterSpec[] }>();
  for (const cluster of inventory.clusters) {
    for (const { host } of cluster.nodes) {
      const key = `${host}/${cluster.version}`;
      users.set(key, { host, clusters: [...(users.get(key)?.clusters ?? []), cluster] });
    }
  }
  return new Map(
    [...users].map(([key, { host, clusters }]) => {
      return [key, { at: host, resource: packagesOn(inventory, host, clusters, preflights) }];
    }),
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
      packages: packagesOf(first.family, first.version),
      pinned: clusters.find(({ packageVersion }) => packageVersion !== undefined)?.packageVersion,
      createMainCluster: isOthers,
      ...(familyLayout(first.family).packageManager === "dnf" && !isOthers ? { module: NONE_HIDES } : {}),
    },
    { dependsOn: clusters.flatMap(({ name }) => preflights.get(name) ?? []) },
    clusters.map(({ name }) => name),
  );
}
