import type { Action, Bracket, Effect } from "../actions/action";
import { rejoinMark } from "../facts/rewind";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { type ClusterInputs, type ClusterView, livePrimaries, type Member } from "./cluster";
import { asPostgres, runService, START_DEADLINE_MS } from "./commands";
import { planPause } from "./pause";

/** What is done while repmgrd of all nodes looks on, so that a planned stop does not look like a failure. */
export function whilePaused(
  inputs: ClusterInputs,
  view: ClusterView,
  { host, why, effect }: { readonly host: string; readonly why: string; readonly effect: Effect },
  body: readonly Action[],
): Bracket {
  const before = planPause(inputs, view, "pause");
  const first = livePrimaries(view).map(({ member }) => member.node);
  const members = [...inputs.members].sort((a, b) => Number(first.includes(b.node)) - Number(first.includes(a.node)));
  return { do: "bracket", host, effect, why, before, body, after: watchAgain(inputs, members) };
}

/**
 * Each node on its own, past the network between the nodes ("repmgr service unpause" needs all of them), and whatever
 * becomes of the others. A node that is down keeps its pause in a file; the next up finds and lifts it.
 */
function watchAgain(inputs: ClusterInputs, members: readonly Member[]): Action[] {
  const [first, ...others] = members;
  if (first === undefined) return [];
  const { host, node } = first;
  const sql = (database: string, query: string): string =>
    asPostgres(inputs, "psql", `-XAtqw -v ON_ERROR_STOP=1 -d ${database} -c "${query}"`);
  const unpause: Action = {
    do: "run",
    host,
    why: `repmgrd of ${node} watches again`,
    deadlineMs: START_DEADLINE_MS,
    script: `${first.witness || inputs.layout !== undefined ? "" : startAgain(inputs)}if ! ${sql("postgres", "select 1")} >/dev/null 2>&1; then exit 0; fi
${sql("repmgr", "select repmgr.repmgrd_pause(false)")} >/dev/null`,
  };
  if (others.length === 0) return [unpause];
  return [{ do: "bracket", host, why: unpause.why, before: [], body: [unpause], after: watchAgain(inputs, others) }];
}

/**
 * Shell: a primary that died meanwhile runs again before anybody watches, if its start guard lets it. repmgrd does not make up
 * for a failover that it has missed while it was paused (repmgrd-physical.c, monitor_streaming_standby).
 */
function startAgain(inputs: ClusterInputs): string {
  const { dataDirectory: data } = inputs;
  const { postgresqlUnit: unit } = clusterPaths(inputs);
  return `if [ -f ${sh(`${data}/PG_VERSION`)} ] && [ ! -e ${sh(`${data}/standby.signal`)} ] &&
  ! grep -qs '^begun\\|^failed' ${sh(rejoinMark(data))} && ! systemctl is-active --quiet ${unit}; then
systemctl reset-failed ${unit} 2>/dev/null || true
${runService(inputs, "start")}
fi
`;
}
