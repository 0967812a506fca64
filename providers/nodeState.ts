import { parseConninfo } from "../facts/conninfo";
import { clusterPaths } from "../families";
import type { RegisteredNode, RunningFacts } from "../facts/running";
import {
  type ClusterView,
  isLive,
  type LiveMember,
  livePrimaries,
  type Member,
  type MemberFacts,
  memberOf,
} from "./cluster";
import type { RepmgrNodeInputs } from "./repmgrNode";

/** "attached", or in a few words what is wrong with the node; shown in the preview and the reason of the plan. */
export function nodeState(want: RepmgrNodeInputs, view: ClusterView): string {
  const self = memberOf(view, want.node);
  const { facts, member } = self;
  const primary = livePrimaries(view).find((m) => m.member.node !== want.node);
  if (facts.data !== "present") return `down: no data (PGDATA is ${facts.data})`;
  if (facts.running === undefined) return downState(self, primary);
  if (member.witness) return "attached";
  if (!facts.running.inRecovery) {
    return primary === undefined
      ? "attached"
      : `diverged: it takes writes on timeline ${facts.running.timeline}, and so does ${primary.member.node}`;
  }
  if (primary === undefined) return "attached";
  return followingProblem(want, view, facts.running) ?? "attached";
}

/** Why a running standby is not attached to the node it shall follow; undefined when it streams from it through its slot. */
export function followingProblem(want: RepmgrNodeInputs, view: ClusterView, running: RunningFacts): string | undefined {
  const upstream = expectedUpstream(want, view);
  if (upstream === undefined) return undefined;
  const { walReceiver } = running;
  const { node, address } = upstream.member;
  if (waitsItsDelay(memberOf(view, want.node).member, running)) return toldProblem(want, upstream.member, running);
  if (walReceiver === null || walReceiver.status !== "streaming") return `detached: it does not stream from ${node}`;
  if (walReceiver.senderHost !== address || walReceiver.senderPort !== want.port) {
    return `detached: it streams from ${walReceiver.senderHost ?? "?"}:${walReceiver.senderPort ?? "?"}, not from ${node}`;
  }
  const slot = slotOf(want);
  if (slot !== undefined && walReceiver.slot !== slot) return `detached: it streams without its slot ${slot}`;
  return checkProblem(want, node, running);
}

/** How a standby that streams differs in whether it checks whom it streams from, and whether it shows a certificate itself. */
export function checkProblem(want: RepmgrNodeInputs, upstream: string, { settings }: RunningFacts): string | undefined {
  const told = parseConninfo(settings.primary_conninfo?.setting ?? "");
  const isChecked = told.sslmode === "verify-full";
  if (want.layout !== undefined) return undefined;
  if (isChecked !== (want.areNodesVerified === true)) {
    return isChecked
      ? `it streams from ${upstream} only as long as its certificate is right`
      : `it streams from ${upstream} without looking at its certificate`;
  }
  if (want.copiedSlots !== undefined && told.dbname === undefined)
    return `it streams from ${upstream} and copies no slots, because its primary_conninfo has no dbname`;
  const shown = want.hasLoginCertificates === true ? clusterPaths(want).loginCertificate : undefined;
  if (told.sslcert === shown && told.sslkey === shown) return undefined;
  return shown === undefined
    ? `it streams from ${upstream} with the certificate ${told.sslcert ?? "(none)"}, which nobody asks for`
    : `it streams from ${upstream} without a certificate of its own`;
}

/**
 * After a start a standby first replays what it has on disk, and streams only when that is done (xlogrecovery.c,
 * WaitForWALToBecomeAvailable). One that stays behind on purpose takes as long as its delay for it.
 */
export function waitsItsDelay({ delay }: Member, { walReceiver, waitsToApply }: RunningFacts): boolean {
  return delay !== undefined && walReceiver === null && waitsToApply === true;
}

function toldProblem(want: RepmgrNodeInputs, { node, address }: Member, running: RunningFacts): string | undefined {
  const { settings } = running;
  const told = parseConninfo(settings.primary_conninfo?.setting ?? "");
  if (told.host !== address || Number(told.port ?? 5432) !== want.port) {
    return `detached: it is going to stream from ${told.host ?? "?"}:${told.port ?? "5432"}, not from ${node}`;
  }
  const slot = slotOf(want);
  if (slot !== undefined && settings.primary_slot_name?.setting !== slot)
    return `detached: it is going to stream without its slot ${slot}`;
  return checkProblem(want, node, running);
}

/** What is wrong with the slot that keeps WAL for a standby on its upstream; undefined when it needs none or it is there. */
export function slotProblem(want: RepmgrNodeInputs, view: ClusterView): string | undefined {
  const { member, facts } = memberOf(view, want.node);
  const upstream = expectedUpstream(want, view);
  if (
    member.witness ||
    facts.running?.inRecovery !== true ||
    upstream === undefined ||
    upstream.member.node === want.node
  )
    return undefined;
  // Whoever follows another node gets its slot when it is told to follow this one.
  if (streamsFromAnother(facts.running, upstream.member.address)) return undefined;
  const name = slotOf(want);
  if (name === undefined) return undefined;
  const slot = upstream.facts.running.slots.find((found) => found.name === name);
  if (slot === undefined) return `missing on ${upstream.member.node}`;
  return slot.walStatus === "lost" ? `without the WAL it was to keep on ${upstream.member.node}` : undefined;
}

/**
 * Why a running standby can never follow its upstream again with the data it has; undefined when it may. One that has an
 * archive to read from may, and of one that replays with a delay it is not known how far it has received.
 */
export function fellBehind(want: RepmgrNodeInputs, view: ClusterView): string | undefined {
  const { member, facts } = memberOf(view, want.node);
  const upstream = expectedUpstream(want, view);
  const { running } = facts;
  if (member.witness || running?.inRecovery !== true || upstream === undefined) return undefined;
  if (followingProblem(want, view, running) === undefined || running.walReceiver?.status === "streaming")
    return undefined;
  const set = (name: string): string => running.settings[name]?.setting ?? "";
  if (set("restore_command") !== "" || !/^0?$/.test(set("recovery_min_apply_delay"))) return undefined;
  const oldest = upstream.facts.running.oldestWalBytes ?? 0;
  if (running.walBytes >= oldest) return undefined;
  const missing = Math.ceil((oldest - running.walBytes) / 1024 ** 2);
  return `${upstream.member.node} no longer has the WAL it needs, ${missing} MiB from ${running.lsn} on`;
}

/**
 * Proof that an instance that hangs was primary before the one that is now: it must not take a write again when it comes
 * to itself. One that says anything at all is somebody's, and a person's to stop.
 */
export function isSuperseded(view: ClusterView, node: string): boolean {
  const { facts } = memberOf(view, node);
  const [primary, another] = livePrimaries(view);
  const { control } = facts;
  if (primary === undefined || another !== undefined || facts.isStandby || control === undefined) return false;
  const isSameDatabase = primary.facts.control?.systemIdentifier === control.systemIdentifier;
  return (
    facts.alive &&
    facts.refusal.includes("timeout expired") &&
    isSameDatabase &&
    primary.facts.running.timeline > control.timeline
  );
}

export function streamsFromAnother({ walReceiver }: RunningFacts, address: string): boolean {
  return walReceiver?.status === "streaming" && walReceiver.senderHost !== address;
}

/** A slot that its owner does not need any more. */
export interface LeftSlot {
  readonly slot: string;
  readonly holder: Member;
  readonly owner: Member;
  /** "streams from n2" or "is the primary". */
  readonly follows: string;
}

/**
 * Slots that this node holds for others, or others for it, and that are proved to be of no use: nobody reads them, and their
 * owner is the primary, or streams through its slot on another node, and is registered below another.
 */
export function leftSlots(want: RepmgrNodeInputs, view: ClusterView): LeftSlot[] {
  const primary = livePrimaries(view)[0];
  if (slotOf(want) === undefined || primary === undefined) return [];
  const pairs = view.filter(isLive).flatMap((holder) => view.filter(isLive).map((owner) => ({ holder, owner })));
  return pairs.flatMap(({ holder, owner }): LeftSlot[] => {
    if (holder === owner || ![holder.member.node, owner.member.node].includes(want.node)) return [];
    const slot = `repmgr_slot_${owner.member.id}`;
    const follows = placeElsewhere(holder, owner, primary, slot);
    const isFree = holder.facts.running.slots.some(({ name, active }) => name === slot && !active);
    return isFree && follows !== undefined ? [{ slot, holder: holder.member, owner: owner.member, follows }] : [];
  });
}

/**
 * Logical slots of a standby that were its own when it was primary, with the names of slots which the primary now has for a
 * failover: proved to be of no use, because nobody reads them.
 */
export function formerSlots(want: RepmgrNodeInputs, view: ClusterView): string[] {
  const { running } = memberOf(view, want.node).facts;
  const primary = livePrimaries(view)[0];
  if (running?.inRecovery !== true || primary === undefined) return [];
  const onPrimary = failoverSlotsOf(primary);
  const left = running.slots.filter(({ copy, active }) => !active && copy?.synced === false && !copy.temporary);
  return left.flatMap(({ name }) => (onPrimary.includes(name) && want.copiedSlots?.includes(name) ? [name] : []));
}

/** Of the slots that are to fail over, those that would be lost if this standby were promoted now. */
export function lackingCopies(want: RepmgrNodeInputs, view: ClusterView): string[] {
  // One that cannot be asked is not in the view of the command "status".
  const running = view.find(({ member }) => member.node === want.node)?.facts.running;
  const primary = livePrimaries(view)[0];
  if (running?.inRecovery !== true || primary === undefined) return [];
  const ready = running.slots.filter(({ copy }) => copy?.synced === true && !copy.temporary && copy.invalid === null);
  return failoverSlotsOf(primary).filter(
    (name) => want.copiedSlots?.includes(name) === true && !ready.some((slot) => slot.name === name),
  );
}

function failoverSlotsOf({ facts }: LiveMember): string[] {
  return facts.running.slots.flatMap(({ name, copy }) => (copy?.failover === true ? [name] : []));
}

function placeElsewhere(holder: LiveMember, owner: LiveMember, primary: LiveMember, slot: string): string | undefined {
  if (owner.member.node === primary.member.node) return "is the primary";
  const { walReceiver: from } = owner.facts.running;
  const row = primary.facts.repmgr?.nodes.find(({ id }) => id === owner.member.id);
  const isElsewhere = streamsFromAnother(owner.facts.running, holder.member.address) && from?.slot === slot;
  if (!isElsewhere || row === undefined || row.upstream === holder.member.id) return undefined;
  return `streams from ${from.senderHost}`;
}

/** The slot the node has at its upstream; others may have built a cluster without slots. */
export function slotOf({ nodeId, repmgrConf, layout }: RepmgrNodeInputs): string | undefined {
  const isKept = layout !== undefined;
  return !isKept || /^(true|on|yes|1)$/i.test(repmgrConf.use_replication_slots ?? "")
    ? `repmgr_slot_${nodeId}`
    : undefined;
}

/** A node with the upstream that the inventory names for it. */
export type Follower = Pick<RepmgrNodeInputs, "node" | "upstream">;

/** The upstream the inventory names while that is alive, else the node that is primary now. */
export function expectedUpstream(want: Follower, view: ClusterView): LiveMember | undefined {
  const named = view.filter(isLive).find(({ member }) => member.node === want.upstream && member.node !== want.node);
  return named ?? livePrimaries(view)[0];
}

/** "registered", or how the row in repmgr.nodes of the primary differs. */
export function registrationState(want: RepmgrNodeInputs, view: ClusterView): string {
  const primary = livePrimaries(view)[0];
  if (primary === undefined) return "registered";
  const row = primary.facts.repmgr?.nodes.find(({ id }) => id === want.nodeId);
  return registrationProblem(want, view, row) ?? "registered";
}

/** @param row the node's row on the primary */
export function registrationProblem(
  want: RepmgrNodeInputs,
  view: ClusterView,
  row: RegisteredNode | undefined,
): string | undefined {
  if (row === undefined) return "not registered";
  const { running } = memberOf(view, want.node).facts;
  // What repmgrd and a failover make of the row of a node that is down or detached is their business, until it is back.
  const isBack = running !== undefined && (!running.inRecovery || followingProblem(want, view, running) === undefined);
  if (!isBack) return undefined;
  const type = registeredType(want, view);
  const expected = { name: want.node, type, conninfo: want.repmgrConf.conninfo, active: true };
  const wrong = Object.entries(expected).filter(([key, value]) => row[key as keyof RegisteredNode] !== value);
  // "repmgr witness register" enters 0, whatever its repmgr.conf says: a witness is never promoted.
  const priority = type === "witness" ? 0 : Number(want.repmgrConf.priority ?? 100);
  if (row.priority !== priority) wrong.push(["priority", want.repmgrConf.priority]);
  if (row.location !== (want.repmgrConf.location ?? "default")) wrong.push(["location", want.repmgrConf.location]);
  // Its siblings are those that are registered below the same node: only they vote with it (repmgrd-physical.c, do_election).
  const upstream = expectedUpstream(want, view)?.member.id ?? null;
  if (type === "standby" && row.upstream !== upstream) wrong.push(["upstream", ""]);
  if (wrong.length === 0) return cannotWatch(memberOf(view, want.node), view);
  return `registered with ${wrong.map(([key]) => `${key} ${JSON.stringify(row[key as keyof RegisteredNode])}`).join(", ")}`;
}

/**
 * repmgrd needs the node's row in its own database: a witness fills that itself, a delayed standby replays it late. From its
 * copy a witness also knows whom to watch. Where the primary is marked as inactive there, since it was away a moment ago,
 * repmgrd never finds it again (repmgrd-physical.c, monitor_streaming_witness).
 */
function cannotWatch(self: MemberFacts, view: ClusterView): string | undefined {
  const { witness, delay } = self.member;
  const isLate = witness || delay !== undefined;
  if (isLate && !knowsItself(self)) return "registered, but not in its own database";
  const [primary, another] = livePrimaries(view);
  if (!witness || primary === undefined || another !== undefined) return undefined;
  const copy = self.facts.repmgr?.nodes.find(({ id }) => id === primary.member.id);
  return copy?.active === false ? `registered, but takes ${primary.member.node}, the primary, for gone` : undefined;
}

export function knowsItself({ member, facts }: MemberFacts): boolean {
  return facts.repmgr?.nodes.some(({ id }) => id === member.id) === true;
}

export function registeredType(want: RepmgrNodeInputs, view: ClusterView): RegisteredNode["type"] {
  const { member, facts } = memberOf(view, want.node);
  if (member.witness) return "witness";
  return facts.running?.inRecovery === false ? "primary" : "standby";
}

function downState({ facts }: MemberFacts, primary: MemberFacts | undefined): string {
  if (facts.alive) return `down: the postmaster runs but refuses connections (${facts.refusal})`;
  const was = facts.isStandby ? "standby" : "primary";
  const fenced = facts.fenced === undefined ? "" : `; its fence stopped it: ${facts.fenced}`;
  const last = `was ${was} on timeline ${facts.control?.timeline ?? "?"}, ${facts.control?.state ?? "no control file"}${fenced}`;
  if (primary?.facts.running === undefined) return `down: ${last}`;
  return `down: ${last}; ${primary.member.node} is primary on timeline ${primary.facts.running.timeline}`;
}
