import { type Action, waitFor } from "../actions/action";
import { clusterPaths } from "../families";
import { type ClusterView, instanceOf, isLive, type LiveMember, livePrimaries } from "./cluster";
import { repmgr } from "./commands";
import { Refused } from "./kind";
import type { PgClusterInputs } from "./pgCluster";
import { START_DEADLINE_MS } from "./revive";

/** A standby must never have less of these than its primary (PostgreSQL documentation, 27.4.1 "User's Overview"). */
const PRIMARY_BOUND = [
  "max_connections",
  "max_wal_senders",
  "max_worker_processes",
  "max_prepared_transactions",
  "max_locks_per_transaction",
];

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
  const order = isLowered(want, primary) ? [...rest, ...standbys] : [...standbys, ...rest];
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
      body: [...order.flatMap((m) => restart(want, m, names)), ...planAttached(want, view)],
      after: [{ do: "run", host, why: "repmgrd watches again", script: repmgr(want, "service unpause") }],
    },
  ];
}

/** Standbys come back to a restarted primary by themselves, after wal_retrieve_retry_interval; before that nobody is safe. */
function planAttached(want: PgClusterInputs, view: ClusterView): Action[] {
  const standbys = view.filter(isLive).filter(({ member, facts }) => !member.witness && facts.running.inRecovery);
  return standbys.map(({ member }) =>
    waitFor(
      { host: member.host, why: `${member.node} streams again`, deadlineMs: ATTACH_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) =>
        running === undefined
          ? refusal || "not running"
          : running.walReceiver?.status === "streaming"
            ? undefined
            : "it does not stream yet",
    ),
  );
}

function restart(want: PgClusterInputs, { member, facts }: LiveMember, names: string): Action[] {
  const unit = clusterPaths(want.family, want.cluster).postgresqlUnit;
  const role = member.witness ? "witness" : facts.running.inRecovery ? "standby" : "primary";
  return [
    {
      do: "run",
      host: member.host,
      why: `restart the ${role} ${member.node}: ${names}`,
      script: `systemctl restart ${unit} || { journalctl -u ${unit} -n 15 --no-pager -o cat >&2; exit 1; }`,
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
  const steps = PRIMARY_BOUND.filter((name) => facts.running.settings[name]?.pendingRestart === true).map((name) => {
    return Math.sign(Number(want.settings[name]) - Number(facts.running.settings[name]?.setting));
  });
  if (steps.includes(1) && steps.includes(-1)) {
    throw new Refused(
      `cluster ${want.cluster}: raise and lower ${PRIMARY_BOUND.join(", ")} in two separate runs: standbys must restart first for the one and last for the other`,
    );
  }
  return steps.includes(-1);
}
