import { type Action, type WaitFor } from "../actions/action";
import { sh, sqlLiteral } from "../ssh/quote";
import { type ClusterInputs, instanceOf, type Member } from "./cluster";
import { asPostgres, repmgr, sqlAction } from "./commands";
import { handOverScript } from "./handoverScript";

const FOLLOW_DEADLINE_MS = 60_000;
/** A clean stop waits for the checkpoint, for the archiver, and for standbys to have everything. */
const HAND_OVER_DEADLINE_MS = 420_000;
const CHECKPOINT_DEADLINE_MS = 3_600_000;
/** So much may still be missing on the next primary when the old one begins to stop: a moment's work. */
export const LAG_LIMIT_BYTES = 16 * 1024 * 1024;

/** Who hands over to whom, and who has followed the one and shall follow the other. */
export interface Handover {
  readonly from: Member;
  readonly to: Member;
  /** Standbys that stream from `from`, without `to`. */
  readonly siblings: readonly Member[];
  readonly witness?: Member;
}

/**
 * The steps of a planned switchover; repmgrd is to be paused before. No host logs in to another with SSH, as "repmgr
 * standby switchover" would: from and to talk as databases do, with the role and the password they replicate with.
 */
export function planHandover(inputs: ClusterInputs, handover: Handover): Action[] {
  const { from, to } = handover;
  return [
    ...[from, to].map((member) => checkpoint(inputs, member)),
    caughtUp(inputs, from, to),
    {
      do: "run",
      host: from.host,
      why: `hand over from ${from.node} to ${to.node}: let transactions end, stop ${from.node} cleanly, promote ${to.node} once it has received everything`,
      script: handOverScript(inputs, from, to),
      deadlineMs: HAND_OVER_DEADLINE_MS,
    },
    ...planAfterwards(inputs, handover),
  ];
}

/** What is left to do once `to` takes writes: nobody waits for it, and it may be done later. */
export function planAfterwards(inputs: ClusterInputs, handover: Handover): Action[] {
  const { from, to } = handover;
  return [
    ...planRegistration(inputs, handover),
    ...handover.siblings.map((sibling) => follow(inputs, sibling, to)),
    rejoin(inputs, from, to),
    ...[...handover.siblings, from].map((member) => streams(inputs, member, to)),
    ...(handover.witness === undefined ? [] : [witness(inputs, handover.witness, to)]),
    ...dropSlots(inputs, handover),
  ];
}

/** Otherwise the checkpoint of the stop would write all that is dirty while nobody can write. */
function checkpoint(inputs: ClusterInputs, { host, node }: Member): Action {
  const script = asPostgres(inputs, "psql", "-Xq -v ON_ERROR_STOP=1 -d postgres -c checkpoint");
  return {
    do: "run",
    host,
    why: `checkpoint on ${node}, so that the switch is short`,
    script,
    deadlineMs: CHECKPOINT_DEADLINE_MS,
  };
}

function caughtUp(inputs: ClusterInputs, from: Member, to: Member): WaitFor {
  const probe = instanceOf(inputs);
  return {
    do: "waitFor",
    host: to.host,
    why: `${to.node} streams from ${from.node} and has replayed nearly everything`,
    deadlineMs: FOLLOW_DEADLINE_MS,
    look: async (ask) => {
      const [source, target] = await Promise.all([ask(from.host, probe), ask(to.host, probe)]);
      if (source.running === undefined || source.running.inRecovery) return `${from.node} takes no writes`;
      const receiver = target.running?.walReceiver;
      if (target.running === undefined) return target.refusal || "not running";
      if (receiver?.status !== "streaming" || receiver.senderHost !== from.address) return "it does not stream from it";
      const lag = source.running.walBytes - target.running.walBytes;
      return lag <= LAG_LIMIT_BYTES ? undefined : `${lag} bytes of WAL are not replayed yet`;
    },
  };
}

/** The event is what "repmgr standby switchover" would have written; the history of primaries is read from there. */
function planRegistration(inputs: ClusterInputs, { from, to }: Handover): Action[] {
  const on = { host: to.host, database: "repmgr" };
  const details = sqlLiteral(`from ${from.node} (ID ${from.id}) to ${to.node} (ID ${to.id}), planned`);
  return [
    sqlAction(inputs, on, `${to.node} is primary: enter it as such`, [
      "begin;",
      `update repmgr.nodes set active = false, type = 'standby', upstream_node_id = ${to.id} where node_id = ${from.id};`,
      `update repmgr.nodes set active = true, type = 'primary', upstream_node_id = null where node_id = ${to.id};`,
      `insert into repmgr.events (node_id, event, successful, details) values (${to.id}, 'standby_switchover', true, ${details});`,
      "commit;",
    ]),
  ];
}

function follow(inputs: ClusterInputs, { host, node }: Member, to: Member): Action {
  const script = repmgr(inputs, `standby follow --upstream-node-id=${to.id}`);
  return { do: "run", host, why: `${node} follows ${to.node}`, script, deadlineMs: FOLLOW_DEADLINE_MS };
}

/** It was stopped cleanly and the new primary has all it wrote, so nothing has to be rewound. */
function rejoin(inputs: ClusterInputs, from: Member, to: Member): Action {
  const conninfo = `host=${to.address} port=${inputs.port} user=repmgr dbname=repmgr connect_timeout=5`;
  return {
    do: "run",
    host: from.host,
    why: `${from.node} comes back as a standby of ${to.node}`,
    script: repmgr(inputs, `node rejoin -d ${sh(conninfo)}`),
    deadlineMs: HAND_OVER_DEADLINE_MS,
  };
}

function streams(inputs: ClusterInputs, { host, node }: Member, to: Member): WaitFor {
  const probe = instanceOf(inputs);
  return {
    do: "waitFor",
    host,
    why: `${node} streams from ${to.node}`,
    deadlineMs: FOLLOW_DEADLINE_MS,
    look: async (ask) => {
      const { running, refusal } = await ask(host, probe);
      if (running === undefined) return refusal || "not running";
      const { status, senderHost } = running.walReceiver ?? {};
      return status === "streaming" && senderHost === to.address
        ? undefined
        : `it streams from ${senderHost ?? "nobody"}`;
    },
  };
}

function witness(inputs: ClusterInputs, { host, node }: Member, to: Member): Action {
  const script = repmgr(inputs, `witness register -h ${to.address} -p ${inputs.port} -U repmgr -d repmgr --force`);
  return { do: "run", host, why: `${node} witnesses for ${to.node}`, script };
}

/** Nobody reads from them any more, each has its slot on the new primary and streams through that; left, they would keep WAL for ever. */
function dropSlots(inputs: ClusterInputs, { from, to, siblings }: Handover): Action[] {
  const names = [to, ...siblings].map(({ id }) => sqlLiteral(`repmgr_slot_${id}`)).join(", ");
  return [
    sqlAction(inputs, { host: from.host, database: "postgres" }, `drop the slots that ${from.node} had as primary`, [
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name in (${names}) and not active \\g /dev/null`,
    ]),
  ];
}
