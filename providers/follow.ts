import { type Action, waitFor } from "../actions/action";
import { sh, sqlLiteral } from "../ssh/quote";
import { asPostgres, repmgr, sqlAction } from "./commands";
import {
  type ClusterInputs,
  type ClusterView,
  instanceOf,
  type LiveMember,
  type Member,
  type MemberFacts,
  memberOf,
} from "./cluster";
import {
  checkProblem,
  expectedUpstream,
  followingProblem,
  formerSlots,
  leftSlots,
  slotOf,
  slotProblem,
  streamsFromAnother,
  waitsItsDelay,
} from "./nodeState";
import { isRegistered } from "./rejoin";
import type { RepmgrNodeFacts, RepmgrNodeInputs } from "./repmgrNode";

/** A standby that was just started or told whom to follow needs a moment until it streams. */
const ATTACH_DEADLINE_MS = 60_000;

/** Before the standby is told to follow: with its slot back it may stream by itself. */
export function planSlot(want: RepmgrNodeInputs, { view }: RepmgrNodeFacts): Action[] {
  const problem = slotProblem(want, view);
  const upstream = expectedUpstream(want, view);
  return problem === undefined || upstream === undefined
    ? []
    : [makeSlot(want, memberOf(view, want.node).member, upstream.member, problem)];
}

export function makeSlot(inputs: ClusterInputs, { node, id }: Member, { host }: Member, problem: string): Action {
  const slot = sqlLiteral(`repmgr_slot_${id}`);
  const why = `the slot of ${node}, which keeps the WAL it still needs, is ${problem}: make it`;
  return sqlAction(inputs, { host, database: "postgres" }, why, [
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = ${slot} and wal_status = 'lost';`,
    `select pg_create_physical_replication_slot(${slot}, true) where not exists (select from pg_replication_slots where slot_name = ${slot});`,
  ]);
}

/**
 * repmgr drops a standby's slot on the node it leaves only when it is free at once and that node is up, so some are left
 * behind and keep WAL for nobody.
 */
export function planLeftSlots(want: RepmgrNodeInputs, view: ClusterView): Action[] {
  return leftSlots(want, view).map(({ holder, owner, follows, slot }) =>
    sqlAction(
      want,
      { host: holder.host, database: "postgres" },
      `${slot} on ${holder.node} keeps WAL for nobody, ${owner.node} ${follows}: drop it`,
      [
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = ${sqlLiteral(slot)} and not active;`,
      ],
    ),
  );
}

/** SQL: of these logical slots, drops on a standby those that are no copies and that nobody reads; a copy goes with its original. */
export function dropLogical(names: readonly string[]): string {
  const list = names.map(sqlLiteral).join(", ");
  return `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name in (${list}) and slot_type = 'logical' and not synced and not active and pg_is_in_recovery() \\g /dev/null`;
}

/**
 * A former primary still has the slots that it was read from, and each keeps the copy of the new primary's slot of that name
 * from being made.
 */
export function planFormerSlots(want: RepmgrNodeInputs, view: ClusterView): Action[] {
  const former = formerSlots(want, view);
  if (former.length === 0) return [];
  const why = `${want.node} has the logical slots ${former.join(", ")} from its time as primary, in the place of copies: drop them`;
  return [sqlAction(want, { host: want.host, database: "postgres" }, why, [dropLogical(former)])];
}

export function planFollow(
  want: RepmgrNodeInputs,
  { view }: RepmgrNodeFacts,
  self: LiveMember,
  primary: LiveMember,
): Action[] {
  const problem = followingProblem(want, view, self.facts.running);
  const upstream = expectedUpstream(want, view);
  if (problem === undefined || upstream === undefined) return [];
  const { node, address } = upstream.member;
  const isWaiting = waitsItsDelay(self.member, self.facts.running);
  // "standby follow" takes what the primary's row says, which may still be on its way; the slot is as it was.
  const isOnlyCheck = problem === checkProblem(want, node, self.facts.running);
  const isElsewhere = isWaiting || streamsFromAnother(self.facts.running, address);
  // It would wait, in vain, until the standby streams.
  const isKnown = !isWaiting && isRegistered(want, primary) && knows(self, want, upstream);
  return [
    ...(isElsewhere && !isKnown ? [makeSlot(want, self.member, upstream.member, `still to come on ${node}`)] : []),
    {
      do: "run",
      host: want.host,
      effect: "follow",
      why: `${problem}: follow ${node}`,
      script: isOnlyCheck
        ? tellToFollow(want, self.member, upstream.member)
        : `${isElsewhere ? "" : `${waitBriefly(want, upstream)} || `}${isKnown ? repmgr(want, `standby follow --upstream-node-id=${upstream.member.id}`) : tellToFollow(want, self.member, upstream.member)}`,
      deadlineMs: ATTACH_DEADLINE_MS,
    },
    waitFor(
      { host: want.host, why: `${want.node} streams from ${node}`, deadlineMs: ATTACH_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) => (running === undefined ? refusal : followingProblem(want, view, running)),
    ),
  ];
}

/** "standby follow" looks for both rows in the standby's own database, to which a new one comes late where it stays behind on purpose. */
function knows({ facts }: LiveMember, { nodeId }: RepmgrNodeInputs, { member }: MemberFacts): boolean {
  return [nodeId, member.id].every((id) => facts.repmgr?.nodes.some((row) => row.id === id) === true);
}

/**
 * Shell: tells a standby whom to follow where "standby follow" cannot: one that was removed from the cluster and is added
 * again, or one that is behind on purpose and for which it would wait.
 */
export function tellToFollow(inputs: ClusterInputs, { node, id }: Member, upstream: Member): string {
  const conninfo = sqlLiteral(`${upstream.conninfo} application_name=${node}`);
  const statements = [
    `alter system set primary_conninfo = ${conninfo}`,
    `alter system set primary_slot_name = 'repmgr_slot_${id}'`,
    "select pg_reload_conf()",
  ];
  const options = statements.map((statement) => `-c ${sh(statement)}`).join(" ");
  return asPostgres(inputs, "psql", `-Xq -v ON_ERROR_STOP=1 -d postgres ${options} >/dev/null`);
}

/** Shell: succeeds when the standby begins to stream from its upstream by itself within five seconds, as after a start. */
function waitBriefly(want: RepmgrNodeInputs, { member }: MemberFacts): string {
  const slot = slotOf(want);
  const through = slot === undefined ? "" : ` and slot_name = '${slot}'`;
  const streams = `select count(*) from pg_stat_wal_receiver where status = 'streaming' and sender_host = '${member.address}'${through}`;
  return `(n=0; until [ "$(${asPostgres(want, "psql", `-XAtqc "${streams}" -d postgres`)})" = 1 ]; do
  n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.1; done)`;
}
