import type { Checked } from "./check";
import { isAddress } from "./network";
import { unknownName } from "./nearest";
import type { RawCluster, RawNode } from "./schema";

export function checkNodes(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  const nodes = Object.entries(cluster.nodes);
  checkIds(checked, at, nodes);
  for (const [node, { host, address, upstream }] of nodes) {
    const here = [...at, "nodes", node];
    const hosts = checked.names("hosts");
    if (!hosts.includes(host) && checked.isWhole([...here, "host"]))
      checked.report([...here, "host"], unknownName("host", host, hosts));
    if (checked.raw.hosts[host]?.lost === true)
      checked.report([...here, "host"], `'${host}' is marked as lost: take the node out, or the mark`);
    if (address !== undefined && !isAddress(address)) {
      checked.report(
        [...here, "address"],
        `neither an IP address nor a name that could resolve: ${JSON.stringify(address)}`,
      );
    }
    if (upstream !== undefined) checkUpstream(checked, at, cluster, node);
    if (node === "control") checked.report(here, "'control' means the machine that runs pulumi; choose another name");
  }
  if (!checked.isWhole([...at, "nodes"])) return;
  checkRoles(checked, at, nodes);
  checkQuorum(checked, at, cluster);
}

function checkIds(checked: Checked, at: string[], nodes: [string, RawNode][]): void {
  const byId = new Map<number, string>();
  for (const [node, { id }] of nodes) {
    if (!checked.isWhole([...at, "nodes", node, "id"])) continue;
    const other = byId.get(id);
    if (other === undefined) byId.set(id, node);
    else checked.report([...at, "nodes", node, "id"], `id ${id} already belongs to the node '${other}'`);
  }
}

function checkUpstream(checked: Checked, at: string[], cluster: RawCluster, node: string): void {
  const here = [...at, "nodes", node, "upstream"];
  const upstream = cluster.nodes[node]?.upstream ?? "";
  const names = checked.names(...at, "nodes");
  if (!names.includes(upstream)) checked.report(here, unknownName("node", upstream, names));
  if (cluster.nodes[node]?.role !== "standby") checked.report(here, "only a standby follows an upstream");
  if (cluster.nodes[upstream]?.role === "witness") checked.report(here, `'${upstream}' is a witness, it holds no data`);
  const way = [node];
  for (let next: string | undefined = upstream; next !== undefined; next = cluster.nodes[next]?.upstream) {
    if (next === node) {
      checked.report(here, `the upstreams go in a circle: ${[...way, next].join(" -> ")}`);
      return;
    }
    if (way.includes(next)) return;
    way.push(next);
  }
}

function checkRoles(checked: Checked, at: string[], nodes: [string, RawNode][]): void {
  const here = [...at, "nodes"];
  const primaries = nodes.filter(([, node]) => node.role === "primary");
  if (primaries.length === 0) {
    checked.report(here, "no node has 'role: primary'; one must, it starts the cluster's life");
  }
  for (const [name] of primaries.slice(1)) {
    const message = `'${primaries[0]?.[0]}' is the initial primary already; exactly one node has 'role: primary'`;
    checked.report([...here, name, "role"], message);
  }
  const witnesses = nodes.filter(([, node]) => node.role === "witness");
  for (const [name] of witnesses.slice(1)) {
    checked.report([...here, name, "role"], `'${witnesses[0]?.[0]}' is the witness already; a cluster has one at most`);
  }
  const [witness] = witnesses;
  const [primary] = primaries;
  if (witness && primary && witness[1].location !== primary[1].location) {
    const message = `a witness stands in the location of the primary, '${primary[1].location}'`;
    checked.report([...here, witness[0], "location"], message);
  }
}

/**
 * repmgr lets the standbys that shared the lost upstream vote. One alone is its own majority, so a cut cable is enough
 * for it to promote itself beside the living primary.
 */
function checkQuorum(checked: Checked, at: string[], cluster: RawCluster): void {
  if (cluster.failover !== "automatic" || !checked.isWhole([...at, "failover"])) return;
  const nodes = Object.entries(cluster.nodes);
  if (nodes.some(([, node]) => node.role === "witness")) return;
  const voters = nodes.filter(([, { role, upstream }]) => {
    return role === "standby" && (upstream === undefined || cluster.nodes[upstream]?.role === "primary");
  });
  if (voters.length !== 1) return;
  checked.report(
    [...at, "failover"],
    `automatic failover would split the brain: '${voters[0]?.[0]}' is the only standby that follows the primary ` +
      "directly and there is no witness, so when it merely loses sight of the primary it wins the election alone and " +
      "two nodes take writes. Three ways out: add a node with 'role: witness' on another host, add a third data node " +
      "that follows the primary, or set 'failover: manual'",
  );
}
