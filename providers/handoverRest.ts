import { type Action, type WaitFor } from "../actions/action";
import { sh, sqlLiteral } from "../ssh/quote";
import { type ClusterInputs, instanceOf, isLeftOut, type Member, NOT_WAITED_FOR, stillPrimary } from "./cluster";
import { senderOf } from "./clusterReport";
import { repmgr, sqlAction } from "./commands";
import { dropLogical, makeSlot, tellToFollow } from "./follow";
import type { Handover } from "./handover";

const FOLLOW_DEADLINE_MS = 60_000;
const REJOIN_DEADLINE_MS = 420_000;
/** A node that has lost its standby notices it when the connection ends. */
const FREE_SECONDS = 10;

/** What is left to do once `to` takes writes: nobody waits for it, and it may be done later. */
export function planAfterwards(inputs: ClusterInputs, handover: Handover): Action[] {
  const { from, to, upstream, siblings, staying, slots = [] } = handover;
  return [
    ...planRegistration(inputs, handover),
    ...siblings.flatMap((sibling) => follow(inputs, sibling, to)),
    rejoin(inputs, from, to),
    ...[...siblings, from].map((member) => streams(inputs, member, to, to)),
    ...(upstream === undefined ? [] : [...follow(inputs, from, upstream), streams(inputs, from, upstream, to)]),
    ...staying.map((member) => streams(inputs, member, from, to)),
    ...(handover.witness === undefined ? [] : [witness(inputs, handover.witness, to)]),
    dropSlots(inputs, from, [to, ...siblings], `drop the slots that ${from.node} had as primary`),
    ...(slots.length === 0 ? [] : [dropOwn(inputs, from, slots)]),
    ...(upstream === undefined
      ? []
      : [dropSlots(inputs, to, [from], `drop the slot of ${from.node}, which follows ${upstream.node}`)]),
  ];
}

/**
 * The event is what "repmgr standby switchover" would have written; the history of primaries is read from there. A standby
 * that is behind on purpose is not entered by "standby follow".
 */
function planRegistration(inputs: ClusterInputs, { from, to, siblings }: Handover): Action[] {
  const on = { host: to.host, database: "repmgr" };
  const details = sqlLiteral(`from ${from.node} (ID ${from.id}) to ${to.node} (ID ${to.id}), planned`);
  const late = siblings.filter(({ delay }) => delay !== undefined);
  return [
    sqlAction(inputs, on, `${to.node} is primary: enter it as such`, [
      "begin;",
      `update repmgr.nodes set active = false, type = 'standby', upstream_node_id = ${to.id} where node_id = ${from.id};`,
      `update repmgr.nodes set active = true, type = 'primary', upstream_node_id = null where node_id = ${to.id};`,
      ...late.map(({ id }) => `update repmgr.nodes set upstream_node_id = ${to.id} where node_id = ${id};`),
      `insert into repmgr.events (node_id, event, successful, details) values (${to.id}, 'standby_switchover', true, ${details});`,
      "commit;",
    ]),
  ];
}

/** "standby follow" would wait, as long as its delay, for a standby that is behind on purpose. */
function follow(inputs: ClusterInputs, member: Member, to: Member): Action[] {
  const { host, node, delay } = member;
  const isLate = delay !== undefined;
  const script = isLate
    ? tellToFollow(inputs, member, to)
    : repmgr(inputs, `standby follow --upstream-node-id=${to.id}`);
  return [
    ...(isLate ? [makeSlot(inputs, member, to, `still to come on ${to.node}`)] : []),
    { do: "run", host, why: `${node} follows ${to.node}`, script, deadlineMs: FOLLOW_DEADLINE_MS },
  ];
}

/** It was stopped cleanly and the new primary has all it wrote, so nothing has to be rewound. */
function rejoin(inputs: ClusterInputs, from: Member, to: Member): Action {
  const conninfo = `host=${to.address} port=${inputs.port} user=repmgr dbname=repmgr connect_timeout=5`;
  return {
    do: "run",
    host: from.host,
    why: `${from.node} comes back as a standby of ${to.node}`,
    script: repmgr(inputs, `node rejoin -d ${sh(conninfo)}`),
    deadlineMs: REJOIN_DEADLINE_MS,
  };
}

function streams(inputs: ClusterInputs, member: Member, from: Member, primary: Member): WaitFor {
  const { host, node } = member;
  const probe = instanceOf(inputs);
  return {
    do: "waitFor",
    host,
    why: `${node} streams from ${from.node}`,
    deadlineMs: FOLLOW_DEADLINE_MS,
    look: async (ask) => {
      const [{ running, refusal }, now] = await Promise.all([ask(host, probe), ask(primary.host, probe)]);
      stillPrimary(primary, now);
      if (running === undefined) return refusal || "not running";
      const sender = senderOf(member, running)?.host;
      if (sender !== from.address) return `it streams from ${sender ?? "nobody"}`;
      return now.running !== undefined && isLeftOut(now.running, member) ? NOT_WAITED_FOR : undefined;
    },
  };
}

function witness(inputs: ClusterInputs, { host, node }: Member, to: Member): Action {
  const script = repmgr(inputs, `witness register -h ${to.address} -p ${inputs.port} -U repmgr -d repmgr --force`);
  return { do: "run", host, why: `${node} witnesses for ${to.node}`, script };
}

function dropOwn(inputs: ClusterInputs, { host, node }: Member, slots: readonly string[]): Action {
  const why = `drop the logical slots that ${node} had as primary, in whose place it copies those of the new one`;
  return sqlAction(inputs, { host, database: "postgres" }, why, [dropLogical(slots)]);
}

/** Nobody reads from them any more, their owners have others through which they stream; left, they would keep WAL for ever. */
function dropSlots(inputs: ClusterInputs, holder: Member, owners: readonly Member[], why: string): Action {
  const names = owners.map(({ id }) => sqlLiteral(`repmgr_slot_${id}`)).join(", ");
  return sqlAction(inputs, { host: holder.host, database: "postgres" }, why, [
    `do $$ begin
  for n in 1 .. ${FREE_SECONDS * 10} loop
    exit when not exists (select from pg_replication_slots where slot_name in (${names}) and active);
    perform pg_sleep(0.1);
  end loop;
end $$;`,
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name in (${names}) and not active \\g /dev/null`,
  ]);
}
