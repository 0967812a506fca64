import { parseConninfo } from "../facts/conninfo";
import { clusterPaths, type ClusterPlace, shortUnit } from "../families";
import {
  type ClusterInputs,
  type ClusterView,
  isLive,
  type LiveMember,
  livePrimaries,
  type MemberFacts,
} from "./cluster";
import { isNamed, parseSynchronous } from "./synchronous";

/** Fewer voters than this elect nobody safely: one alone promotes itself as soon as it loses sight of the primary. */
const LEAST_VOTERS = 2;

type Removal = ClusterPlace & Pick<ClusterInputs, "failover">;

/**
 * Why nodes must not leave a cluster that stays, as it is right now: one is the live primary, synchronous replication
 * waits for it, or the others would be too few to elect a primary safely.
 * @param view all nodes before the removal
 * @param joining voters that are there besides those of the view, or will be before anything is removed
 */
export function removalProblems(of: Removal, view: ClusterView, leaving: readonly string[], joining: number): string[] {
  const gone = view.filter(({ member }) => leaving.includes(member.node));
  if (gone.length === 0) return [];
  const primaries = gone.filter(isLive).filter((m) => livePrimaries(view).includes(m));
  const mute = gone.filter((m) => isMutePrimary(m, view));
  if (primaries.length + mute.length > 0) {
    return [...primaries.map((m) => isPrimary(of, m, view)), ...mute.map((m) => cannotAsk(of, m))];
  }
  const [primary] = livePrimaries(view);
  const lost = gone.filter(({ facts }) => facts.isLost === true);
  if (primary === undefined) return lost.map((m) => lostWithThePrimary(of, m));
  const alive = lost.filter(({ member }) => isConnected(member.node, primary));
  if (alive.length > 0) return alive.map((m) => isNotLost(of, m, primary));
  return [...synchronousProblems(of, primary, leaving), ...quorumProblems(of, primary, { view, leaving, joining })];
}

function isConnected(node: string, { facts }: LiveMember): boolean {
  return facts.running.replicas.some(({ name }) => name === node);
}

function isNotLost({ cluster }: Removal, { member }: MemberFacts, primary: LiveMember): string {
  return (
    `cluster ${cluster}: the inventory says that ${member.host} is lost, and ${member.node} on it is connected to the primary ${primary.member.node} on ` +
    `${primary.member.host}. Take "lost: true" away from ${member.host} and run "pulumi up": then ${member.node} is stopped as well.`
  );
}

/** It may be the one that was primary, and hold rows that nobody else has. */
function lostWithThePrimary(of: Removal, { member }: MemberFacts): string {
  return (
    `cluster ${of.cluster}: ${member.node} on the lost host ${member.host} cannot be removed while no node is primary. Make one primary first: put ${member.node} back in the inventory, ` +
    `look at "sudo -u postgres repmgr -f ${clusterPaths(of).repmgrConf} cluster show" on another host, and promote the most advanced standby with "standby promote".`
  );
}

function isPrimary(of: Removal, { member }: LiveMember, view: ClusterView): string {
  const others = view.filter((m) => m.member.node !== member.node).map((m) => m.member.node);
  return (
    `cluster ${of.cluster}: ${member.node} on ${member.host} is the primary and ${others.join(", ")} depend on it. ` +
    `Make another node primary first: type "sudo systemctl stop ${shortUnit(clusterPaths(of).postgresqlUnit)}" on ${member.host}, ${heir(of)}. Then run "pulumi up" with ` +
    `${member.node} back in the inventory, which brings it back as a standby, and only then remove it.`
  );
}

function heir(of: Removal): string {
  if (of.failover === "automatic") return "and wait until repmgrd has promoted another";
  return `then "sudo -u postgres repmgr -f ${clusterPaths(of).repmgrConf} standby promote" on the host of the most advanced standby`;
}

/** Up, no standby, and answers nobody: it may be the primary of the others. */
function isMutePrimary({ member, facts }: MemberFacts, view: ClusterView): boolean {
  return (
    facts.alive &&
    facts.running === undefined &&
    livePrimaries(view).length === 0 &&
    !facts.isStandby &&
    !member.witness
  );
}

function cannotAsk(of: Removal, { member, facts }: MemberFacts): string {
  return (
    `cluster ${of.cluster}: ${member.node} on ${member.host} is up as a primary and refuses connections (${facts.refusal}), so nobody can see who depends on it. ` +
    `Make it answer, or stop it with "sudo systemctl stop ${shortUnit(clusterPaths(of).postgresqlUnit)}".`
  );
}

/** Commits wait for ever when fewer standbys are left than have to confirm them. */
function synchronousProblems(
  { cluster }: Removal,
  { member, facts }: LiveMember,
  leaving: readonly string[],
): string[] {
  const text = facts.running.settings.synchronous_standby_names?.setting ?? "";
  const wanted = parseSynchronous(text);
  if (wanted === undefined) return [];
  const standbys = facts.running.replicas.filter(({ name, state }) => state === "streaming" && isNamed(wanted, name));
  const left = standbys.filter(({ name }) => !leaving.includes(name));
  const needed = leaving.filter((node) => isNamed(wanted, node));
  if (needed.length === 0 || left.length >= wanted.count) return [];
  return [
    `cluster ${cluster}: ${needed.join(" and ")} cannot be removed: synchronous_standby_names of the primary ${member.node} on ${member.host} is "${text}", and ` +
      `with ${left.map(({ name }) => name).join(", ") || "no standby"} left of the ${wanted.count} it waits for every commit would hang. ` +
      `Let another of its standbys stream first, or ask for less: "alter system set synchronous_standby_names = ...; select pg_reload_conf()" on ${member.host}.`,
  ];
}

interface Voting {
  readonly view: ClusterView;
  readonly leaving: readonly string[];
  readonly joining: number;
}

/** What the inventory says is enough may be down just now: what counts is who can vote at this moment. */
function quorumProblems(
  { cluster, failover }: Removal,
  primary: LiveMember,
  { view, leaving, joining }: Voting,
): string[] {
  if (failover !== "automatic") return [];
  const voters = view.filter((m) => isVoter(m, primary));
  const left = voters.filter(({ member }) => !leaving.includes(member.node));
  if (left.length + joining >= LEAST_VOTERS || left.length === voters.length) return [];
  const needed = voters
    .filter((m) => !left.includes(m))
    .map(({ member }) => `${member.node}${member.witness ? " (the witness)" : ""}`);
  const down = view.filter((m) => m !== primary && !voters.includes(m) && !leaving.includes(m.member.node));
  const names = down.map(({ member }) => `${member.node} on ${member.host}`).join(" and ");
  return [
    `cluster ${cluster}: ${needed.join(" and ")} cannot be removed now: ${left.map(({ member }) => member.node).join(", ") || "nobody"} would be left to elect a primary, ` +
      `and one alone promotes itself beside a living primary when it merely loses sight of it. ` +
      (names === ""
        ? `Add a node first, or set "failover: manual".`
        : `Bring back ${names} first ("pulumi up" with all nodes in the inventory), or set "failover: manual".`),
  ];
}

/** A standby of the primary itself, or the witness; each of them running (repmgr documentation, "Using a witness server"). */
function isVoter(m: MemberFacts, primary: LiveMember): boolean {
  if (!isLive(m) || m === primary) return false;
  const { walReceiver, waitsToApply, settings } = m.facts.running;
  // One that waits its delay after a start votes as well, although it does not stream yet.
  const isWaiting = walReceiver === null && waitsToApply === true;
  const sender = isWaiting ? parseConninfo(settings.primary_conninfo?.setting ?? "").host : walReceiver?.senderHost;
  return m.member.witness || sender === primary.member.address;
}
