import type { Action } from "../actions/action";
import { type HandoverFacts, handoverProbe } from "../facts/handover";
import { type ClusterInputs, type ClusterView, isLive, type LiveMember, thePrimary } from "./cluster";
import { asPostgres } from "./commands";
import { type Handover, handoverOf, LAG_LIMIT_BYTES, planHandover, type TreeInputs } from "./handover";
import { planAfterwards } from "./handoverRest";
import { type Ctx, Refused } from "./kind";
import { hasHandedOver } from "./revive";
import { whilePaused } from "./whilePaused";

const TRANSACTION_LIMIT_SECONDS = 60;
const UNARCHIVED_LIMIT = 10;

/** By node; of the data nodes that run. */
export type HandoverView = Readonly<Record<string, HandoverFacts>>;

/** What else has to be known of a cluster whose primary is to move. */
export async function observeHandover(ctx: Ctx, inputs: ClusterInputs, view: ClusterView): Promise<HandoverView> {
  const probe = handoverProbe(asPostgres(inputs, "psql", "-XAtqw"));
  const data = view.filter(isLive).filter(({ member }) => !member.witness);
  const found = data.map(async ({ member }) => [member.node, await ctx.ask(member.host, probe)] as const);
  return Object.fromEntries(await Promise.all(found));
}

export interface SwitchoverFacts {
  readonly view: ClusterView;
  readonly handover: HandoverView;
}

/**
 * Makes a standby primary, in peace. [] when it is primary already.
 * @param because why it is wanted: "preferred_primary"
 * @throws Refused naming every gate that is shut; nothing has been changed then
 */
export function planSwitchover(inputs: TreeInputs, have: SwitchoverFacts, to: string, because: string): Action[] {
  const primary = thePrimary(inputs, have.view);
  if (primary?.member.node === to) return [];
  const handover = gated(inputs, have, to, primary);
  const why = `switchover to ${to} (because ${because})`;
  return [
    whilePaused(
      inputs,
      have.view,
      { host: handover.from.host, effect: "switchover", why },
      planHandover(inputs, handover),
    ),
  ];
}

/** What is left of a switchover that was cut after the promotion: [] when nobody waits to come back from one. */
export function planFinish(inputs: TreeInputs, view: ClusterView, primary: LiveMember): Action[] {
  const { timeline } = primary.facts.running;
  const left = view.find((m) => hasHandedOver(m) && (m.facts.control?.timeline ?? timeline) < timeline);
  if (left === undefined) return [];
  const [from, to] = [left.member, primary.member];
  const handover = handoverOf(inputs, view, from, to);
  const why = `the switchover from ${from.node} to ${to.node} was cut after the promotion: do the rest`;
  return [whilePaused(inputs, view, { host: to.host, effect: "switchover", why }, planAfterwards(inputs, handover))];
}

/** @throws Refused naming every gate that is shut */
export function gated(
  inputs: TreeInputs,
  { view, handover }: SwitchoverFacts,
  to: string,
  primary: LiveMember | undefined,
): Handover {
  const target = view.filter(isLive).find(({ member }) => member.node === to);
  if (primary === undefined || target === undefined) {
    const who = primary === undefined ? "no node takes writes" : `${to} does not run`;
    throw new Refused(`cluster ${inputs.cluster}: no switchover to ${to}: ${who}`);
  }
  const problems = [
    ...targetProblems(inputs, target, primary),
    ...watchProblems(inputs, view),
    ...workProblems(primary.member.node, handover[primary.member.node]),
    ...slotProblems([primary.member.node, handover[primary.member.node]], [to, handover[to]]),
    ...replayProblems(to, handover[to]),
  ];
  if (problems.length > 0)
    throw new Refused(`cluster ${inputs.cluster}: no switchover to ${to}: ${problems.join("; ")}`);
  const slots = handover[primary.member.node]?.logicalSlots ?? [];
  return { ...handoverOf(inputs, view, primary.member, target.member), ...(slots.length === 0 ? {} : { slots }) };
}

function targetProblems({ port }: ClusterInputs, target: LiveMember, primary: LiveMember): string[] {
  const { member, facts } = target;
  const { walReceiver, walBytes } = facts.running;
  const from = primary.member;
  if (member.witness) return [`${member.node} is a witness and holds no data`];
  if (member.delay !== undefined) return [`${member.node} stays ${member.delay} behind on purpose`];
  const isAttached =
    walReceiver?.status === "streaming" && walReceiver.senderHost === from.address && walReceiver.senderPort === port;
  if (!isAttached) return [`${member.node} does not stream from ${from.node}, which is primary`];
  const lag = primary.facts.running.walBytes - walBytes;
  return lag > LAG_LIMIT_BYTES
    ? [`${member.node} is ${mib(lag)} MiB of WAL behind, ${mib(LAG_LIMIT_BYTES)} at most are allowed`]
    : [];
}

/** A node that is down, or whose repmgrd is, would be left out of what the others do; it is repaired first. */
function watchProblems({ failover }: ClusterInputs, view: ClusterView): string[] {
  return view.flatMap(({ member: { node, host }, facts }) => {
    if (facts.running === undefined) return [`${node} does not run`];
    if (facts.repmgr === undefined) return [`${node} has no repmgr extension`];
    return failover === "automatic" && facts.repmgrd !== "active" ? [`repmgrd of ${node} on ${host} does not run`] : [];
  });
}

function workProblems(primary: string, facts: HandoverFacts | undefined): string[] {
  if (facts === undefined) return [`${primary} was not asked what it is doing`];
  const { oldestTransactionSeconds: age, unarchived, isArchivingBroken, baseBackups } = facts;
  return [
    ...(age > TRANSACTION_LIMIT_SECONDS
      ? [
          `a transaction on ${primary} is ${age} s old, ${TRANSACTION_LIMIT_SECONDS} s at most are allowed: see pg_stat_activity and pg_prepared_xacts`,
        ]
      : []),
    ...(isArchivingBroken
      ? [`archiving fails on ${primary}, and PostgreSQL does not stop before it has archived: see pg_stat_archiver`]
      : []),
    ...(unarchived > UNARCHIVED_LIMIT
      ? [`${unarchived} WAL files wait on ${primary} to be archived, ${UNARCHIVED_LIMIT} at most are allowed`]
      : []),
    ...(baseBackups > 0 ? [`a base backup of ${primary} is under way`] : []),
  ];
}

type Asked = readonly [node: string, facts: HandoverFacts | undefined];

/**
 * A copy that is a little behind gives a reader again what it has already confirmed, and a subscription knows that: nothing is lost.
 */
function slotProblems([primary, from]: Asked, [to, target]: Asked): string[] {
  const copied = target?.copiedSlots ?? [];
  const lacking = (from?.logicalSlots ?? []).filter((slot) => !copied.includes(slot));
  if (lacking.length === 0) return [];
  const which = `the logical replication slots ${lacking.join(", ")} are on ${primary}`;
  const where = copied.length === 0 ? "alone" : `and have no copy on ${to} that could be read from`;
  return [`${which} ${where}, whoever reads from them would lose the place`];
}

function replayProblems(to: string, facts: HandoverFacts | undefined): string[] {
  return [
    ...(facts?.isReplayPaused === true ? [`replay is paused on ${to}: "select pg_wal_replay_resume()"`] : []),
    ...((facts?.applyDelayMs ?? 0) > 0 ? [`${to} replays with a delay (recovery_min_apply_delay)`] : []),
  ];
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 1024 / 1024);
}
