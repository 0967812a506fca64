import type { Checked } from "./check";
import { clusterFamily, dataDirectory, hostFamily } from "./deriveCluster";
import { DIRECTORY_RULE, isGoodDirectory, isNested } from "./directory";
import { checkTablespacePlacement } from "./checkTablespaces";
import type { Path } from "./located";
import type { RawCluster } from "./schema";
import type { Family } from "./types";

interface Claim {
  readonly cluster: string;
  readonly value: string;
  readonly path: Path;
}

/** Two clusters may share a host, but neither a port nor a directory on it; a cluster has one node a host. */
export function checkPlacement(checked: Checked): void {
  const ports = new Map<string, Claim[]>();
  const directories = new Map<string, Claim[]>();
  for (const [name, cluster] of checked.clusters()) {
    const at = ["postgresql_clusters", name];
    const isDirectorySound = checkDirectory(checked, at, cluster);
    const family = clusterFamily(cluster, checked.raw);
    checkFamily(checked, at, cluster, family);
    for (const host of checkHosts(checked, at, cluster)) {
      if (checked.isWhole([...at, "port"])) {
        claim(ports, host, { cluster: name, value: String(cluster.port), path: [...at, "port"] });
      }
      if (isDirectorySound) {
        const path = [...at, "data_directory"];
        claim(directories, host, { cluster: name, value: dataDirectory(name, cluster, family), path });
      }
    }
  }
  checkPinned(checked);
  checkTablespacePlacement(checked);
  reportClashes(checked, ports, "port", (a, b) => a === b);
  reportClashes(checked, directories, "directory", isNested);
}

/** Paths are one for all nodes of a cluster, and each family has its own. */
function checkFamily(checked: Checked, at: string[], { nodes }: RawCluster, family: Family): void {
  const [first] = Object.values(nodes);
  for (const [node, { host }] of Object.entries(nodes)) {
    const path = [...at, "nodes", node, "host"];
    const own = hostFamily(host, checked.raw);
    if (own === family || !checked.isWhole(path) || !checked.isWhole(["hosts", host])) continue;
    checked.report(
      path,
      `'${host}' is of the family ${own}, '${first?.host}' of ${family}; a cluster has hosts of one family`,
    );
  }
}

/** A host has one version of a package. */
function checkPinned(checked: Checked): void {
  const pins = new Map<string, { cluster: string; pin: string }>();
  for (const [name, { version, package_version: pin, nodes, layout }] of checked.clusters()) {
    const path = ["postgresql_clusters", name, "package_version"];
    if (pin === undefined || !checked.isWhole(path)) continue;
    if (layout !== undefined) checked.report(path, "the packages of a cluster with a layout are left alone");
    if (!pin.replace(/^\d+:/, "").startsWith(`${version}.`))
      checked.report(path, `${pin} is no version of PostgreSQL ${version}`);
    for (const { host } of Object.values(nodes)) {
      const other = pins.get(`${host}/${version}`);
      if (other !== undefined && other.pin !== pin && other.cluster !== name) {
        checked.report(path, `the cluster '${other.cluster}' has ${other.pin} on the same host '${host}'`);
        break;
      }
      pins.set(`${host}/${version}`, { cluster: name, pin });
    }
  }
}

function claim(claims: Map<string, Claim[]>, host: string, own: Claim): void {
  claims.set(host, [...(claims.get(host) ?? []), own]);
}

/** @returns the hosts that the cluster's nodes are on, each once */
function checkHosts(checked: Checked, at: string[], cluster: RawCluster): string[] {
  const byHost = new Map<string, string>();
  for (const [node, { host }] of Object.entries(cluster.nodes)) {
    if (!checked.isWhole([...at, "nodes", node, "host"])) continue;
    const other = byHost.get(host);
    if (other === undefined) byHost.set(host, node);
    else {
      const message = `host '${host}' already holds the node '${other}' of this cluster; one host, one node`;
      checked.report([...at, "nodes", node, "host"], message);
    }
  }
  return [...byHost.keys()];
}

function checkDirectory(checked: Checked, at: string[], cluster: RawCluster): boolean {
  const path = cluster.data_directory;
  if (!checked.isWhole([...at, "data_directory"]) || !checked.isWhole([...at, "version"])) return false;
  if (path === undefined || isGoodDirectory(path)) return true;
  checked.report([...at, "data_directory"], `no good directory: ${DIRECTORY_RULE}; found ${JSON.stringify(path)}`);
  return false;
}

function reportClashes(
  checked: Checked,
  claims: Map<string, Claim[]>,
  what: string,
  clashes: (a: string, b: string) => boolean,
): void {
  for (const [host, own] of claims) {
    own.forEach((later, index) => {
      const earlier = own.slice(0, index).find(({ value }) => clashes(value, later.value));
      if (!earlier) return;
      const held = earlier.value === later.value ? what : `${what} ${earlier.value}`;
      const clash = `clashes with the ${held} of the cluster '${earlier.cluster}'`;
      checked.report(later.path, `${what} ${later.value} on host '${host}' ${clash}`);
    });
  }
}
