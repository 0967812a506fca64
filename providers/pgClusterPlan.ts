import { type Action, asRoot } from "../actions/action";
import { ActionFailed } from "../actions/executor";
import { clusterPaths, shortUnit } from "../families";
import { contentRefusals, planContent } from "./clusterContent";
import { livePrimaries, observeCluster, thePrimary } from "./cluster";
import { type Claims, isDirectoryClaimed } from "./claims";
import { sqlAction } from "./commands";
import { Refused } from "./kind";
import { planPause } from "./pause";
import type { PgClusterFacts, PgClusterInputs } from "./pgCluster";
import { type PendingRestart, pendingRestarts } from "./restartNeeds";
import { isWaiting, planSynchronous } from "./synchronous";
import { planRollingRestart } from "./rollingRestart";
import { hasHandedOver, planRevival } from "./revive";
import { planFinish, planSwitchover } from "./switchover";

/** repmgr's default detection takes a minute, an election and a promotion some seconds more. */
const FAILOVER_DEADLINE_MS = 180_000;

/** The plan of what exists once a cluster, carried out on whichever node is primary now. */
export function planCluster(
  want: PgClusterInputs,
  have: PgClusterFacts,
  restarts: readonly PendingRestart[] = pendingRestarts(want, have.view),
): Action[] {
  const primary = thePrimary(want, have.view);
  if (primary === undefined && have.view.some(hasHandedOver)) return planRevival(want, have.view);
  if (primary === undefined) {
    throw new Refused(
      `cluster ${want.cluster}: no node takes writes; see "sudo journalctl -u ${shortUnit(clusterPaths(want).repmgrdUnit)}" on its hosts`,
    );
  }
  const content = planContent(want, have, primary);
  const rest = planFinish(want, have.view, primary);
  // Whether the other node needs a restart shows when it is back; and commits may wait for that very node.
  if (rest.length > 0) return isWaiting(primary) ? rest : [...content, ...rest];
  let others = planPause(want, have.view, "unpause");
  try {
    others = [...planSynchronous(want, have.view, primary), ...content, ...others];
    const isRestarted = restarts.some(
      ({ node, settings }) => node === primary.member.node && settings.includes("wal_level"),
    );
    const never = contentRefusals(want, have, primary, isRestarted);
    if (never.length > 0) throw new Refused(`cluster ${want.cluster}: ${never.join("; ")}`);
    return [...others, ...planMove(want, have, restarts)];
  } catch (error) {
    // A gate that is shut keeps nothing else from being done.
    if (!(error instanceof Refused)) throw error;
    if (others.length === 0) throw error;
    throw new Refused(error.message, others);
  }
}

/**
 * A transaction that failed because its node is not primary any more is done anew on the one that is: it has happened as a
 * whole or not at all. What failed otherwise has failed.
 */
export function waitForAnother(want: PgClusterInputs, have: PgClusterFacts, error: unknown): Action[] {
  const was = thePrimary(want, have.view);
  const isContent =
    error instanceof ActionFailed &&
    was !== undefined &&
    planContent(want, have, was).some(({ why }) => why === error.action.why);
  if (!isContent || want.failover === "manual") return [];
  const why = `${was.member.node} failed while it was changed, and another node is primary`;
  return [
    {
      do: "waitFor",
      host: was.member.host,
      why,
      deadlineMs: FAILOVER_DEADLINE_MS,
      look: async (ask) => {
        const view = await observeCluster({ ask }, want);
        const [now] = livePrimaries(view);
        if (now === undefined) return "no node takes writes";
        if (now.member.node === was.member.node) throw error;
        return undefined;
      },
    },
  ];
}

/** A rolling restart moves the primary anyway, and where it is wished if it can. */
function planMove(want: PgClusterInputs, have: PgClusterFacts, restarts: readonly PendingRestart[]): Action[] {
  const rolling = planRollingRestart(want, have, restarts);
  if (rolling.length > 0 || want.preferredPrimary === undefined) return rolling;
  return planSwitchover(want, have, want.preferredPrimary, "preferred_primary");
}

/** Runs first when a cluster goes: repmgrd stops everywhere, then nobody is registered, so no node's end looks like a failure. */
export function planClusterDelete({ view }: PgClusterFacts, inputs: PgClusterInputs, claims: Claims): Action[] {
  const { cluster, dataDirectory } = inputs;
  if (view.some(({ member: { host, node } }) => isDirectoryClaimed(claims, { host, node, cluster, dataDirectory })))
    return [];
  const unit = clusterPaths(inputs).repmgrdUnit;
  const why = `cluster ${inputs.cluster} is taken down: repmgrd must not fail over meanwhile`;
  const stops = view
    .filter(({ facts }) => facts.repmgrd === "active" || facts.repmgrd === "activating")
    .map(({ member }): Action => ({ do: "run", host: member.host, why, script: `systemctl stop ${unit}` }));
  const primary = thePrimary(inputs, view);
  // Root's, as what follows is: units, sudoers and firewall rules of the nodes.
  if (primary === undefined || (primary.facts.repmgr?.nodes.length ?? 0) === 0) return asRoot(stops);
  const on = { host: primary.member.host, database: "repmgr" };
  return asRoot([
    ...stops,
    sqlAction(inputs, on, `cluster ${inputs.cluster} is taken down: unregister its nodes`, [
      "delete from repmgr.nodes;",
    ]),
  ]);
}
