import type { Action } from "../actions/action";
import {
  type ClusterView,
  instanceOf,
  isLeftOut,
  isLive,
  type LiveMember,
  livePrimaries,
  type Member,
  NOT_WAITED_FOR,
  stillPrimary,
} from "./cluster";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { asPostgres, runService, START_DEADLINE_MS } from "./commands";
import { backOf, type Handover, planHandover } from "./handover";
import { waitsItsDelay } from "./nodeState";
import type { PgClusterFacts, PgClusterInputs } from "./pgCluster";
import type { PendingRestart } from "./restartNeeds";
import { isLowered, refuseLate } from "./rollingOrder";
import { gated } from "./switchover";
import { whilePaused } from "./whilePaused";

const ATTACH_DEADLINE_MS = 60_000;
const CHECKSUM_DEADLINE_MS = 24 * 3_600_000;

/**
 * Restarts what waits for it, one node at a time, while repmgrd is paused: the standbys, then the primary, which hands
 * over to one of them first. Where a limit goes down the primary has to be the first, and where nobody can take over
 * it restarts in its place.
 * @throws Refused when a gate of the switchover is shut; nothing has been restarted then
 */
export function planRollingRestart(
  want: PgClusterInputs,
  have: Pick<PgClusterFacts, "view" | "handover">,
  pending: readonly PendingRestart[],
): Action[] {
  const { view } = have;
  const primary = livePrimaries(view)[0];
  if (pending.length === 0 || primary === undefined) return [];
  const needOf = (m: LiveMember): PendingRestart | undefined => pending.find(({ node }) => node === m.member.node);
  const waiting = view.filter(isLive).filter((m) => needOf(m) !== undefined);
  const standbys = waiting.filter(({ member }) => member.node !== primary.member.node);
  const own = needOf(primary);
  const isFirst = isLowered(want, primary, own?.settings ?? []);
  if (isFirst) refuseLate(want, standbys);
  const others = standbys.flatMap((m) => [
    ...restart(want, m, needOf(m), primary),
    ...planAttached(want, view, primary, m),
  ]);
  const inPlace =
    own === undefined ? [] : [...restart(want, primary, own, primary), ...planAttached(want, view, primary)];
  const heir = own === undefined || isFirst ? undefined : heirOf(want, view, primary);
  const last =
    heir === undefined || own === undefined ? inPlace : moved(want, view, gated(want, have, heir, primary), own);
  const hasSlots = (have.handover[primary.member.node]?.logicalSlots.length ?? 0) > 0;
  const words = wordsOf(want, { primary, standbys, own, isFirst, heir, hasSlots });
  return [
    whilePaused(
      want,
      view,
      { host: primary.member.host, effect: "restart", why: `${words} (because ${reasonOf(pending)})` },
      isFirst ? [...inPlace, ...others] : [...others, ...last],
    ),
  ];
}

/** Stopping to hand over is most of a restart: it comes back with what it waited for. */
function moved(want: PgClusterInputs, view: ClusterView, handover: Handover, need: PendingRestart): Action[] {
  const { from, to } = handover;
  const isBack = comesBack(want, from.node) && handover.slots === undefined;
  return [
    ...planHandover(want, handover),
    ...(need.enablesChecksums ? restartAs(want, from, "standby", need, to) : []),
    ...(isBack ? planHandover(want, backOf(want, view, handover)) : []),
  ];
}

/** The standby that is wished for as primary, else the one that repmgr would prefer in an election. */
function heirOf(want: PgClusterInputs, view: ClusterView, { member, facts }: LiveMember): string | undefined {
  const able = view.filter(isLive).flatMap((m) => {
    const row = facts.repmgr?.nodes.find(({ id }) => id === m.member.id);
    const { inRecovery, walReceiver } = m.facts.running;
    const isDirect = inRecovery && !m.member.witness && walReceiver?.senderHost === member.address;
    return isDirect && row?.type === "standby" && row.priority > 0 ? [{ ...m.member, priority: row.priority }] : [];
  });
  const wish = (node: string): number => (node === want.preferredPrimary ? 1 : 0);
  able.sort((a, b) => wish(b.node) - wish(a.node) || b.priority - a.priority || a.id - b.id);
  return able[0]?.node;
}

interface Order {
  readonly primary: LiveMember;
  readonly standbys: readonly LiveMember[];
  readonly own: PendingRestart | undefined;
  readonly isFirst: boolean;
  readonly heir: string | undefined;
  /** Logical ones, of which who was primary has no copies when it comes back. */
  readonly hasSlots: boolean;
}

function comesBack({ switchBack, preferredPrimary }: PgClusterInputs, node: string): boolean {
  return switchBack === true || preferredPrimary === node;
}

function wordsOf(want: PgClusterInputs, { primary, standbys, own, isFirst, heir, hasSlots }: Order): string {
  const { node } = primary.member;
  const names = standbys.map(({ member }) => member.node).join(", ");
  if (own === undefined) return `rolling restart of ${names}`;
  if (names === "" && heir === undefined) return `restart of ${node} in its place`;
  if (isFirst) return `rolling restart of ${node}, which a lower limit has to reach first, then ${names}`;
  if (heir === undefined) return `rolling restart of ${names}, then ${node} in its place`;
  const isBack = comesBack(want, node);
  const steps = [
    `switchover to ${heir}`,
    `${names === "" ? "restart of " : ""}${node}`,
    ...(isBack && !hasSlots ? [`switchover back to ${node}`] : []),
  ];
  const stays = isBack && hasSlots ? `, and not back, as ${node} has no copies of the logical slots then` : "";
  return `${names === "" ? steps.join(", then ") : `rolling restart of ${[names, ...steps].join(", then ")}`}${stays}`;
}

function reasonOf(pending: readonly PendingRestart[]): string {
  const settings = [...new Set(pending.flatMap((need) => need.settings))].sort();
  const upgrades = [...new Set(pending.flatMap(({ upgrade }) => upgrade ?? []))];
  const unchecked = pending.filter(({ enablesChecksums }) => enablesChecksums).map(({ node }) => node);
  return [
    ...(settings.length === 0 ? [] : [`${settings.join(", ")} ${settings.length > 1 ? "need" : "needs"} a restart`]),
    ...upgrades.map((version) => `PostgreSQL ${version} needs a restart`),
    ...(pending.some(({ isOfOldUnit }) => isOfOldUnit) ? ["the new text of the unit needs a restart"] : []),
    ...(unchecked.length === 0 ? [] : [`${unchecked.join(", ")} must be down while its data get checksums`]),
  ].join(" and ");
}

/**
 * Standbys come back to a restarted primary by themselves, after wal_retrieve_retry_interval; before that nobody is safe.
 * Caught up means that they know the primary's new limits: with the old, higher ones they would not start again.
 * @param only the one that was restarted; default: all
 */
function planAttached(want: PgClusterInputs, view: ClusterView, primary: LiveMember, only?: LiveMember): Action[] {
  const probe = instanceOf(want);
  const standbys = view
    .filter(isLive)
    .filter(({ member, facts }) => !member.witness && facts.running.inRecovery)
    .filter(({ member }) => only === undefined || only.member.node === member.node);
  return standbys.map(({ member }) => {
    let target: number | undefined;
    return {
      do: "waitFor",
      host: member.host,
      why: `${member.node} streams again and has caught up with ${primary.member.node}`,
      deadlineMs: ATTACH_DEADLINE_MS,
      look: async (ask) => {
        const [source, { running, refusal }] = await Promise.all([
          ask(primary.member.host, probe),
          ask(member.host, probe),
        ]);
        stillPrimary(primary.member, source);
        target ??= source.running?.walBytes;
        if (running === undefined || target === undefined) return refusal || "not running";
        if (waitsItsDelay(member, running)) return undefined;
        if (running.walReceiver?.status !== "streaming") return "it does not stream yet";
        if (source.running !== undefined && isLeftOut(source.running, member)) return NOT_WAITED_FOR;
        if (member.delay !== undefined) return undefined;
        return running.walBytes >= target
          ? undefined
          : `${target - running.walBytes} bytes of WAL are not replayed yet`;
      },
    };
  });
}

type Restarted = "primary" | "standby" | "witness";

function restart(
  want: PgClusterInputs,
  { member, facts }: LiveMember,
  need: PendingRestart | undefined,
  primary: LiveMember,
): Action[] {
  const role = member.witness ? "witness" : facts.running.inRecovery ? "standby" : "primary";
  return restartAs(want, member, role, need, primary.member);
}

function restartAs(
  want: PgClusterInputs,
  member: Member,
  role: Restarted,
  need: PendingRestart | undefined,
  primary: Member,
): Action[] {
  const { host, node } = member;
  const probe = instanceOf(want);
  const checksums = need?.enablesChecksums === true;
  const upgrade = need?.upgrade === undefined ? [] : [`PostgreSQL ${need.upgrade}`];
  const reasons = [...(need?.settings ?? []), ...upgrade, ...(checksums ? ["data checksums"] : [])].join(", ");
  return [
    {
      do: "run",
      host,
      why: `restart the ${role} ${node}: ${reasons}`,
      script: checksums ? checksumScript(want) : runService(want, "restart"),
      deadlineMs: checksums ? CHECKSUM_DEADLINE_MS : START_DEADLINE_MS,
    },
    {
      do: "waitFor",
      host,
      why: `${node} is a ${role} again`,
      deadlineMs: START_DEADLINE_MS,
      look: async (ask) => {
        const [{ running, refusal }, now] = await Promise.all([ask(host, probe), ask(primary.host, probe)]);
        if (role !== "primary") stillPrimary(primary, now);
        if (running === undefined) return refusal || "not running";
        const isFed = running.walReceiver?.status === "streaming" || waitsItsDelay(member, running);
        if (role === "standby" && !isFed) return "it does not stream yet";
        return running.inRecovery === (role === "standby") ? undefined : "its role changed";
      },
    },
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
