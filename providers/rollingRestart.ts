import { type Action, waitFor } from "../actions/action";
import { type ClusterView, instanceOf, isLive, type LiveMember, livePrimaries } from "./cluster";
import { repmgr, runService } from "./commands";
import { Refused } from "./kind";
import type { PgClusterInputs } from "./pgCluster";
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

export interface PendingRestart {
  readonly node: string;
  readonly settings: readonly string[];
}

/** The settings that wait for a restart, per running node. */
export function pendingRestarts(view: ClusterView): PendingRestart[] {
  return view.filter(isLive).flatMap(({ member, facts }) => {
    const settings = Object.keys(facts.running.settings).filter(
      (name) => facts.running.settings[name]?.pendingRestart === true,
    );
    return settings.length === 0 ? [] : [{ node: member.node, settings: settings.sort() }];
  });
}

/** Restarts what waits for it, one node at a time, while repmgrd is paused: standbys first unless a limit goes down. */
export function planRollingRestart(want: PgClusterInputs, view: ClusterView): Action[] {
  const pending = pendingRestarts(view);
  const primary = livePrimaries(view)[0];
  if (pending.length === 0 || primary === undefined) return [];
  const waiting = view.filter(isLive).filter(({ member }) => pending.some(({ node }) => node === member.node));
  const standbys = waiting.filter(({ member }) => member.node !== primary.member.node);
  const rest = waiting.filter(({ member }) => member.node === primary.member.node);
  const lowered = isLowered(want, primary);
  const order = lowered ? [...rest, ...standbys] : [...standbys, ...rest];
  const names = [...new Set(pending.flatMap(({ settings }) => settings))].join(", ");
  const { host } = primary.member;
  return [
    {
      do: "bracket",
      host,
      why: `${names} wait for a restart of ${order.map(({ member }) => member.node).join(", then ")}`,
      before: [
        {
          do: "run",
          host,
          why: "a planned restart must not look like a failure: pause repmgrd",
          script: repmgr(want, "service pause"),
        },
      ],
      body: order.flatMap((m, index) => [
        ...restart(want, m, names),
        ...(m === primary || index === order.length - 1 ? planAttached(want, view, primary) : []),
      ]),
      after: [{ do: "run", host, why: "repmgrd watches again", script: repmgr(want, "service unpause") }],
    },
  ];
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
        if (running.walReceiver?.status !== "streaming") return "it does not stream yet";
        return running.walBytes >= target
          ? undefined
          : `${target - running.walBytes} bytes of WAL are not replayed yet`;
      },
    };
  });
}

function restart(want: PgClusterInputs, { member, facts }: LiveMember, names: string): Action[] {
  const role = member.witness ? "witness" : facts.running.inRecovery ? "standby" : "primary";
  return [
    {
      do: "run",
      host: member.host,
      why: `restart the ${role} ${member.node}: ${names}`,
      script: runService(want, "restart"),
      deadlineMs: START_DEADLINE_MS,
    },
    waitFor(
      { host: member.host, why: `${member.node} is a ${role} again`, deadlineMs: START_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) => {
        if (running === undefined) return refusal || "not running";
        if (role === "standby" && running.walReceiver?.status !== "streaming") return "it does not stream yet";
        return running.inRecovery === facts.running.inRecovery ? undefined : "its role changed";
      },
    ),
  ];
}

/** @throws Refused when one limit goes up and another down: there is no order that is right for both */
function isLowered(want: PgClusterInputs, { facts }: LiveMember): boolean {
  const steps = Object.entries(PRIMARY_BOUND).flatMap(([name, fallback]) => {
    const live = facts.running.settings[name];
    return live?.pendingRestart === true
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
