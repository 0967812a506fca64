import type { Checked } from "./check";
import { locationOf, priorityOf } from "./nodeDefaults";
import type { RawCluster, RawNode } from "./schema";

type Named = readonly [name: string, node: RawNode];

/** Who is heard when the primary is lost. */
interface Voters {
  /** Those that follow the primary itself. */
  readonly standbys: readonly Named[];
  readonly witness: Named | undefined;
}

/** Whether an automatic failover would be a safe one, and whether it would ever happen. */
export function checkElection(checked: Checked, at: string[], cluster: RawCluster): void {
  if (cluster.failover !== "automatic" || !checked.isWhole([...at, "failover"])) return;
  const nodes = Object.entries(cluster.nodes);
  const standbys = nodes.filter(([, { role, upstream }]) => {
    return role === "standby" && (upstream === undefined || cluster.nodes[upstream]?.role === "primary");
  });
  const voters = { standbys, witness: nodes.find(([, { role }]) => role === "witness") };
  checkQuorum(checked, at, voters);
  checkCandidates(checked, at, cluster, voters);
}

/**
 * repmgr lets the standbys that shared the lost upstream vote. One alone is its own majority, so a cut cable is enough
 * for it to promote itself beside the living primary.
 */
function checkQuorum(checked: Checked, at: string[], { standbys, witness }: Voters): void {
  if (witness !== undefined || standbys.length !== 1) return;
  checked.report(
    [...at, "failover"],
    `automatic failover would split the brain: '${standbys[0]?.[0]}' is the only standby that follows the primary ` +
      "directly and there is no witness, so when it merely loses sight of the primary it wins the election alone and " +
      "two nodes take writes. Three ways out: add a node with 'role: witness' on another host, add a third data node " +
      "that follows the primary, or set 'failover: manual'",
  );
}

/**
 * One that may be promoted has to follow the primary itself, and repmgr promotes nobody while no other node of the lost
 * primary's location is seen: it takes that for a cut between the sites (repmgrd-physical.c, do_election).
 */
function checkCandidates(checked: Checked, at: string[], cluster: RawCluster, { standbys, witness }: Voters): void {
  const [primary] = Object.values(cluster.nodes).filter(({ role }) => role === "primary");
  const isAlone = Object.values(cluster.nodes).every(({ role }) => role !== "standby");
  if (primary === undefined || isAlone) return;
  const here = [...at, "failover"];
  const ways = "or set 'failover: manual'";
  if (!standbys.some(([, node]) => priorityOf(node) > 0)) {
    checked.report(
      here,
      "automatic failover would never happen: no standby follows the primary directly with a priority above 0. " +
        `Give one a priority and no delay and no upstream, ${ways}`,
    );
    return;
  }
  const site = locationOf(cluster, primary);
  const seen = [...standbys, ...(witness ? [witness] : [])];
  if (seen.some(([, node]) => locationOf(cluster, node) === site)) return;
  checked.report(
    here,
    `automatic failover would never happen: besides the primary no node that votes is in its location '${site}', and a site ` +
      `that sees nobody there takes it for cut off. Add a standby or a witness in '${site}', leave the locations out, ${ways}`,
  );
}
