import { type Action, waitFor } from "../actions/action";
import { rejoinMark } from "../facts/rewind";
import { clusterPaths, shortUnit } from "../families";
import { runService, START_DEADLINE_MS } from "./commands";
import { sh } from "../ssh/quote";
import type { ClusterInputs, ClusterView, LiveMember, MemberFacts } from "./cluster";
import { instanceOf, livePrimaries } from "./cluster";
import { Refused } from "./kind";
import { whilePaused } from "./whilePaused";
import { electors, refuseStrangers } from "./stranger";

/** Failure detection (default 6 x 10 s) plus the election and the promotion. */
const FAILOVER_DEADLINE_MS = 120_000;

/**
 * What makes a cluster without a live primary have one again, without ever choosing against the data: a running
 * standby is left to repmgrd's election; with everything stopped, the node that was primary last is started.
 * @throws Refused when only a person can decide
 */
export function planRevival(inputs: ClusterInputs, view: ClusterView): Action[] {
  if (livePrimaries(view).length > 0) return [];
  refuseStrangers(inputs, view);
  const data = view.filter(({ member, facts }) => !member.witness && facts.data === "present");
  const crashed = data.filter((m) => !m.facts.isStandby || hasHandedOver(m));
  const cut = crashed.find(hasHandedOver);
  if (cut !== undefined && lastPrimary(inputs, crashed) === cut) return planTakeBack(inputs, cut, view);
  const deciding = electors(inputs, view);
  if (deciding.length > 0) return [waitForElection(inputs, deciding)];
  const last = lastPrimary(inputs, crashed);
  if (last === undefined) {
    const seen = data.map((m) => `${m.member.node}: ${m.facts.control?.state ?? "unknown"}`).join(", ");
    throw new Refused(
      `cluster ${inputs.cluster}: no node was primary last (${seen}). Promote the most advanced standby by hand: ` +
        `"sudo -u postgres repmgr -f ${clusterPaths(inputs).repmgrConf} standby promote", then run "pulumi up".`,
    );
  }
  refuseOlder(inputs, last, data);
  return planStart(
    inputs,
    last,
    `it was the last primary (timeline ${last.facts.control?.timeline}) and no node takes writes`,
  );
}

/**
 * A primary that was stopped cleanly to hand over and waits for the next one (handoverScript.ts): a standby would have
 * been "shut down in recovery".
 */
export function hasHandedOver({ facts }: MemberFacts): boolean {
  return facts.isStandby && !facts.alive && facts.control?.state === "shut down";
}

/**
 * A switchover was cut between the stop of the one and the promotion of the other: all were asked, none was promoted, so
 * the one that stopped has everything. Its start guard asks them once more, and repmgrd elects nobody meanwhile.
 */
function planTakeBack(inputs: ClusterInputs, last: MemberFacts, view: ClusterView): Action[] {
  refuseOlder(
    inputs,
    last,
    view.filter(({ member }) => !member.witness),
  );
  const { host, node } = last.member;
  const why = `a switchover from ${node} was cut before another node was promoted: ${node} is primary again`;
  const start: Action = {
    do: "run",
    host,
    effect: "start",
    why,
    script: `rm -f ${sh(`${inputs.dataDirectory}/standby.signal`)}\n${runService(inputs, "start")}`,
    deadlineMs: START_DEADLINE_MS,
  };
  const body = [start, planAnswer(inputs, host, `${node} answers SQL`)];
  return [whilePaused(inputs, view, { host, effect: "start", why }, body)];
}

/** Starts an instance through its unit, so that systemd and repmgr see the same one, and waits until SQL answers. */
export function planStart(inputs: ClusterInputs, self: MemberFacts, because: string): Action[] {
  const { member, facts } = self;
  const { node, host } = member;
  if (facts.alive) {
    return [
      planAnswer(inputs, host, `${node} is up and refuses connections (${facts.refusal}): wait until it answers SQL`),
    ];
  }
  const { postgresqlUnit: unit, startAnyway } = clusterPaths(inputs);
  // All peers were just asked over SSH, which the start guard cannot do; so it need not ask again, this once.
  const pass =
    facts.isStandby || inputs.layout !== undefined
      ? ""
      : `trap ${sh(`rm -f ${sh(startAnyway)}`)} EXIT\ninstall -D -o postgres -g postgres -m 0600 /dev/null ${sh(startAnyway)}\n`;
  return [
    {
      do: "run",
      host: member.host,
      effect: "start",
      why: `start PostgreSQL of ${member.node}: ${because}`,
      script: `${refuseHalfRewound(inputs)}${pass}systemctl reset-failed ${unit} 2>/dev/null || true
${runService(inputs, "start")}`,
      deadlineMs: START_DEADLINE_MS,
    },
    planAnswer(inputs, host, `${node} answers SQL`),
  ];
}

/** Shell: a rejoin that did not come to its end leaves files that nobody may start. */
function refuseHalfRewound({ dataDirectory }: ClusterInputs): string {
  return `if grep -qs '^begun\\|^failed' ${sh(rejoinMark(dataDirectory))}; then
  echo "the last rejoin failed half way, so its files must not be started; it comes back with \"pulumi up\" once another node is primary" >&2
  exit 1
fi
`;
}

function planAnswer(inputs: ClusterInputs, host: string, why: string): Action {
  return waitFor(
    { host, why, deadlineMs: START_DEADLINE_MS },
    instanceOf(inputs),
    ({ running, refusal, data, alive }) =>
      running === undefined ? refusal || `PGDATA ${data}, postmaster ${alive ? "alive" : "not running"}` : undefined,
  );
}

/** @throws Refused when a standby is on a later timeline: the primary it followed is gone, and took writes after this one */
function refuseOlder(inputs: ClusterInputs, last: MemberFacts, data: readonly MemberFacts[]): void {
  const newer = data.find((m) => timelineOf(m) > timelineOf(last));
  if (newer === undefined) return;
  throw new Refused(
    `cluster ${inputs.cluster}: ${last.member.node} was primary on timeline ${timelineOf(last)}, but ${newer.member.node} is on timeline ` +
      `${timelineOf(newer)}: it followed a later primary that is gone, and holds rows that ${last.member.node} lacks. Promote it by hand: ` +
      `"sudo -u postgres repmgr -f ${clusterPaths(inputs).repmgrConf} standby promote" on ${newer.member.host}, then run "pulumi up".`,
  );
}

function timelineOf({ facts }: MemberFacts): number {
  return Math.max(facts.control?.timeline ?? 0, facts.running?.timeline ?? 0);
}

/** @throws Refused when two stopped nodes were primaries on the same timeline: one of them may hold rows the other lacks */
function lastPrimary(inputs: ClusterInputs, crashed: readonly MemberFacts[]): MemberFacts | undefined {
  const byTimeline = [...crashed].sort((a, b) => (b.facts.control?.timeline ?? 0) - (a.facts.control?.timeline ?? 0));
  const [first, second] = byTimeline;
  if (first !== undefined && first.facts.control?.timeline === second?.facts.control?.timeline) {
    throw new Refused(
      `cluster ${inputs.cluster}: ${first.member.node} and ${second?.member.node} were both stopped as primaries on timeline ` +
        `${first.facts.control?.timeline}. Start the right one by hand with "sudo systemctl start ${shortUnit(clusterPaths(inputs).postgresqlUnit)}", then run "pulumi up".`,
    );
  }
  return first;
}

function waitForElection(inputs: ClusterInputs, electors: readonly LiveMember[]): Action {
  const names = electors.map(({ member }) => member.node).join(" and ");
  const [first] = electors as [LiveMember];
  return {
    do: "waitFor",
    host: first.member.host,
    why: `no node takes writes and repmgrd runs beside ${names}: the promotion is repmgrd's to decide, so wait for it`,
    look: async (ask) => {
      const probe = instanceOf(inputs);
      const seen = await Promise.all(electors.map(({ member }) => ask(member.host, probe)));
      if (seen.some(({ running }) => running !== undefined && !running.inRecovery)) return undefined;
      return `${names} still no primary; look at "journalctl -u ${shortUnit(clusterPaths(inputs).repmgrdUnit)}" on ${first.member.host}`;
    },
    deadlineMs: FAILOVER_DEADLINE_MS,
  };
}
