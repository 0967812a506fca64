import type { Checked } from "./check";
import { checkElection } from "./checkElection";
import { isAddress } from "./network";
import { unknownName } from "./nearest";
import { locationOf } from "./nodeDefaults";
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
    checkDelay(checked, here, cluster, node);
    if (node === "control") checked.report(here, "'control' means the machine that runs pulumi; choose another name");
  }
  checkPreferred(checked, at, cluster);
  if (!checked.isWhole([...at, "nodes"])) return;
  checkRoles(checked, at, cluster);
  checkElection(checked, at, cluster);
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

function checkPreferred(checked: Checked, at: string[], { preferred_primary: name, nodes }: RawCluster): void {
  const here = [...at, "preferred_primary"];
  if (name === undefined || !checked.isWhole(here)) return;
  const names = checked.names(...at, "nodes");
  if (!names.includes(name)) {
    checked.report(here, unknownName("node", name, names));
    return;
  }
  const node = nodes[name];
  if (node?.role === "witness") checked.report(here, `'${name}' is a witness, it holds no data`);
  else if (node?.delay !== undefined)
    checked.report(here, `'${name}' stays behind on purpose, so it is never to be primary`);
  else if (node?.priority === 0) checked.report(here, `'${name}' has the priority 0, so it is never to be primary`);
  else if (node?.upstream !== undefined && nodes[node.upstream]?.role !== "primary")
    checked.report(
      here,
      `'${name}' follows '${node.upstream}', and only who follows the primary can take over from it`,
    );
}

function checkDelay(checked: Checked, here: string[], cluster: RawCluster, node: string): void {
  const { delay, role, priority } = cluster.nodes[node] ?? {};
  if (delay === undefined) return;
  const path = [...here, "delay"];
  if (role !== "standby") checked.report(path, "only a standby can stay behind");
  if (cluster.layout !== undefined) {
    checked.report(path, "in a cluster with a layout set recovery_min_apply_delay under 'settings' of the node");
  }
  if (priority === 0 || !checked.names(...here).includes("priority")) return;
  checked.report(
    [...here, "priority"],
    "a standby with a delay is never promoted; leave 'priority' out or set it to 0",
  );
}

function checkRoles(checked: Checked, at: string[], cluster: RawCluster): void {
  const here = [...at, "nodes"];
  const nodes = Object.entries(cluster.nodes);
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
  if (!witness || !primary) return;
  const site = locationOf(cluster, primary[1]);
  if (locationOf(cluster, witness[1]) === site) return;
  checked.report([...here, witness[0], "location"], `a witness stands in the location of the primary, '${site}'`);
}
