import type { Action } from "../actions/action";
import { type ClusterInputs, type ClusterView, isLive } from "./cluster";
import { sqlAction } from "./commands";

/**
 * Tells the repmgrd of every node that answers whether it may act. What "repmgr service pause" does, too, but past the
 * network between the nodes, and with a node down (repmgr.c, repmgrd_pause: kept in shared memory and, over restarts, in a file).
 */
export function planPause(inputs: ClusterInputs, view: ClusterView, shall: "pause" | "unpause"): Action[] {
  const paused = shall === "pause";
  return view
    .filter(isLive)
    .filter(({ facts }) => facts.repmgr !== undefined && (facts.repmgr.paused === true) !== paused)
    .map(({ member: { host, node } }) => {
      const why = paused
        ? `pause repmgrd of ${node}: it watches, and promotes and follows nobody until it is unpaused`
        : `unpause repmgrd of ${node}: it acts on a failure again`;
      return sqlAction(inputs, { host, database: "repmgr" }, why, [
        `select repmgr.repmgrd_pause(${paused}) \\g /dev/null`,
      ]);
    });
}
