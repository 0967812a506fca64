import { type Action, waitFor } from "../actions/action";
import { type ClusterView, instanceOf, isLive, type LiveMember, livePrimaries } from "./cluster";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { asPostgres, repmgr, runService } from "./commands";
import { Refused } from "./kind";
import { waitsItsDelay } from "./nodeState";
import type { PgClusterInputs } from "./pgCluster";
import type { PendingRestart } from "./restartNeeds";
import { START_DEADLINE_MS } from "./revive";

/**
 * A standby must never have less of these than its primary (PostgreSQL documentation, 27.4.1 "User's Overview"); with the
 * defaults of PostgreSQL 13 to 17, to which one falls back that is no longer set.
 */
const PRIMARY_BOUND = {
  max_connections: 100,
  max_wal_senders: 10,
  max_worker_processes: 8,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};

const ATTACH_DEADLINE_MS = 60_000;
const CHECKSUM_DEADLINE_MS = 24 * 3_600_000;

/** Restarts what waits for it, one node at a time, while repmgrd is paused: standbys first unless a limit goes down. */
export function planRollingRestart(
  want: PgClusterInputs,
  view: ClusterView,
  pending: readonly PendingRestart[],
): Action[] {
  const primary = livePrimaries(view)[0];
  if (pending.length === 0 || primary === undefined) return [];
  const needOf = (m: LiveMember): PendingRestart | undefined => pending.find(({ node }) => node === m.member.node);
  const waiting = view.filter(isLive).filter((m) => needOf(m) !== undefined);
  const standbys = waiting.filter(({ member }) => member.node !== primary.member.node);
  const rest = waiting.filter(({ member }) => member.node === primary.member.node);
  const lowered = isLowered(want, primary, needOf(primary)?.settings ?? []);
  if (lowered) refuseLate(want, standbys);
  const order = lowered ? [...rest, ...standbys] : [...standbys, ...rest];
  const { host } = primary.member;
  return [
    {
      do: "bracket",
      host,
      effect: "restart",
      why: `rolling restart of ${order.map(({ member }) => member.node).join(", then ")}, because ${reasonOf(pending)}`,
      before: [
        {
          do: "run",
          host,
          why: "a planned restart must not look like a failure: pause repmgrd",
          script: repmgr(want, "service pause"),
        },
      ],
      body: order.flatMap((m, index) => [
        ...restart(want, m, needOf(m)),
        ...(m.member.node === primary.member.node || index === order.length - 1
          ? planAttached(want, view, primary)
          : []),
      ]),
      after: [{ do: "run", host, why: "repmgrd watches again", script: repmgr(want, "service unpause") }],
    },
  ];
}

function reasonOf(pending: readonly PendingRestart[]): string {
  const settings = [...new Set(pending.flatMap((need) => need.settings))].sort();
  const unchecked = pending.filter(({ enablesChecksums }) => enablesChecksums).map(({ node }) => node);
  return [
    ...(settings.length === 0 ? [] : [`${settings.join(", ")} ${settings.length > 1 ? "need" : "needs"} a restart`]),
    ...(unchecked.length === 0 ? [] : [`${unchecked.join(", ")} must be down while its data get checksums`]),
  ].join(" and ");
}

/**
 * Standbys come back to a restarted primary by themselves, after wal_retrieve_retry_interval; before that nobody is safe.
 * Caught up means that they know the primary's new limits: with the old, higher ones they would not start again.
 */
function planAttached(want: PgClusterInputs, view: ClusterView, primary: LiveMember): Action[] {
  const probe = instanceOf(want);
  const standbys = view.filter(isLive).filter(({ member, facts }) => !member.witness && facts.running.inRecovery);
  return standbys.map(({ member }) => {
    let target: number | undefined;
    return {
      do: "waitFor",
      host: member.host,
      why: `${member.node} streams again and has caught up with ${primary.member.node}`,
      deadlineMs: ATTACH_DEADLINE_MS,
      look: async (ask) => {
        target ??= (await ask(primary.member.host, probe)).running?.walBytes;
        const { running, refusal } = await ask(member.host, probe);
        if (running === undefined || target === undefined) return refusal || "not running";
        if (waitsItsDelay(member, running)) return undefined;
        if (running.walReceiver?.status !== "streaming") return "it does not stream yet";
        if (member.delay !== undefined) return undefined;
        return running.walBytes >= target
          ? undefined
          : `${target - running.walBytes} bytes of WAL are not replayed yet`;
      },
    };
  });
}

function restart(want: PgClusterInputs, { member, facts }: LiveMember, need: PendingRestart | undefined): Action[] {
  const role = member.witness ? "witness" : facts.running.inRecovery ? "standby" : "primary";
  const checksums = need?.enablesChecksums === true;
  const reasons = [...(need?.settings ?? []), ...(checksums ? ["data checksums"] : [])].join(", ");
  return [
    {
      do: "run",
      host: member.host,
      why: `restart the ${role} ${member.node}: ${reasons}`,
      script: checksums ? checksumScript(want) : runService(want, "restart"),
      deadlineMs: checksums ? CHECKSUM_DEADLINE_MS : START_DEADLINE_MS,
    },
    waitFor(
      { host: member.host, why: `${member.node} is a ${role} again`, deadlineMs: START_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) => {
        if (running === undefined) return refusal || "not running";
        const isFed = running.walReceiver?.status === "streaming" || waitsItsDelay(member, running);
        if (role === "standby" && !isFed) return "it does not stream yet";
        return running.inRecovery === facts.running.inRecovery ? undefined : "its role changed";
      },
    ),
  ];
}

/**
 * Every page is read and written (PostgreSQL documentation, pg_checksums), so it takes as long as copying the data does.
 * However it ends, the node runs again: pg_checksums marks them as enabled only when all pages have theirs.
 */
function checksumScript(want: PgClusterInputs): string {
  const { postgresqlUnit } = clusterPaths(want);
  return `systemctl stop ${postgresqlUnit}
failed=
${asPostgres(want, "pg_checksums", `--enable -D ${sh(want.dataDirectory)}`)} >&2 || failed=1
${runService(want, "start")}
[ -z "$failed" ]`;
}

/** @throws Refused when one limit goes up and another down: there is no order that is right for both */
function isLowered(want: PgClusterInputs, { facts }: LiveMember, pending: readonly string[]): boolean {
  const steps = Object.entries(PRIMARY_BOUND).flatMap(([name, fallback]) => {
    const live = facts.running.settings[name];
    return live !== undefined && pending.includes(name)
      ? [Math.sign(Number(want.settings[name] ?? fallback) - Number(live.setting))]
      : [];
  });
  if (steps.includes(1) && steps.includes(-1)) {
    throw new Refused(
      `cluster ${want.cluster}: raise and lower ${Object.keys(PRIMARY_BOUND).join(", ")} in two separate runs: standbys must restart first for the one and last for the other`,
    );
  }
  return steps.includes(-1);
}

/** @throws Refused: a standby does not start below limits whose change it has not replayed, and that takes as long as its delay */
function refuseLate(want: PgClusterInputs, standbys: readonly LiveMember[]): void {
  const late = standbys.find(({ member }) => member.delay !== undefined)?.member;
  if (late === undefined) return;
  throw new Refused(
    `cluster ${want.cluster}: ${Object.keys(PRIMARY_BOUND).join(", ")} cannot be lowered while ${late.node} on ${late.host} stays ${late.delay} behind: it ` +
      `would not start before it has replayed the primary's change. Take 'delay' of ${late.node} out of the inventory with 'priority: 0' in its place, ` +
      `run "pulumi up" with the lower limit, then put the delay back.`,
  );
}
