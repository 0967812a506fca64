import { parseConninfo } from "../facts/conninfo";
import type { PrimaryEvent, RunningFacts } from "../facts/running";
import { type ClusterInputs, type ClusterView, isLive, livePrimaries, type Member, type MemberFacts } from "./cluster";
import { waitsItsDelay } from "./nodeState";
import type { PgClusterInputs, PgClusterOutputs } from "./pgCluster";

export interface NodeReport {
  readonly node: string;
  readonly host: string;
  readonly role: "primary" | "standby" | "witness" | "down";
  /** Of a stopped node, the last one it has written or replayed; 0 without data. */
  readonly timeline: number;
  /** The node it streams from, or is going to once its delay is over, an address when that is none of the cluster, or "none". */
  readonly follows: string;
  /** Coarse on purpose: an exact number would differ at every look and hide what matters. */
  readonly lag: string;
}

/** One entry of the history of primaries. */
export interface HistoryEntry extends Omit<PrimaryEvent, "nodeId"> {
  /** Its name, or "node 7" when it has left the cluster. */
  readonly node: string;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** What a person wants to read of a cluster. */
export function describeCluster(inputs: PgClusterInputs, view: ClusterView): PgClusterOutputs {
  const primary = livePrimaries(view)[0];
  return {
    primary: primary?.member.node ?? "none",
    timeline: primary?.facts.running.timeline ?? 0,
    nodes: view.map((m) => describeNode(inputs, view, m)),
    history: historyOf(view),
    connectionStrings: Object.fromEntries(inputs.databases.map((db) => [db.name, connectionString(inputs, db)])),
  };
}

/** One node as it is now; `view` holds those that answered. */
export function describeNode(inputs: ClusterInputs, view: ClusterView, m: MemberFacts): NodeReport {
  const { member, facts } = m;
  return {
    node: member.node,
    host: member.host,
    role: roleOf(m),
    timeline: facts.running?.timeline ?? facts.control?.timeline ?? 0,
    follows: followedBy(inputs, view, m),
    lag: lagOf(m, livePrimaries(view)[0]),
  };
}

function followedBy({ port }: ClusterInputs, view: ClusterView, { member, facts }: MemberFacts): string {
  if (facts.running === undefined) return "none";
  const from = senderOf(member, facts.running);
  if (from === undefined) return "none";
  const known = view.find((m) => m.member.address === from.host && from.port === port);
  return known?.member.node ?? `${bracketed(from.host)}:${from.port ?? "?"}`;
}

/** Whom it streams from, or is going to when it has replayed what it has; undefined: nobody. */
export function senderOf(member: Member, running: RunningFacts): { host: string; port: number | null } | undefined {
  const { walReceiver, settings } = running;
  if (walReceiver?.status === "streaming" && walReceiver.senderHost !== null) {
    return { host: walReceiver.senderHost, port: walReceiver.senderPort };
  }
  if (!waitsItsDelay(member, running)) return undefined;
  const { host, port = "5432" } = parseConninfo(settings.primary_conninfo?.setting ?? "");
  return host === undefined ? undefined : { host, port: Number(port) };
}

/** As the primary tells it; while there is none, as the first node does that answers. A witness keeps events of its own. */
export function historyOf(view: ClusterView): HistoryEntry[] {
  const teller = livePrimaries(view)[0] ?? view.filter(isLive).find(({ member }) => !member.witness);
  const nameOf = (id: number): string => view.find(({ member }) => member.id === id)?.member.node ?? `node ${id}`;
  return (teller?.facts.repmgr?.events ?? []).map(({ nodeId, ...entry }) => ({ ...entry, node: nameOf(nodeId) }));
}

/** The role a node has now; never one that somebody wished for. */
export function roleOf({ member, facts }: MemberFacts): NodeReport["role"] {
  if (facts.running === undefined) return "down";
  if (member.witness) return "witness";
  return facts.running.inRecovery ? "standby" : "primary";
}

function lagOf(m: MemberFacts, primary: MemberFacts | undefined): string {
  if (!isLive(m) || primary?.facts.running === undefined || m.member.witness) return "none";
  if (m.member.delay !== undefined && m.facts.running.inRecovery) return `${m.member.delay} on purpose`;
  const bytes = primary.facts.running.walBytes - m.facts.running.walBytes;
  if (bytes < SEGMENT_BYTES) return "none";
  return `${Math.floor(bytes / SEGMENT_BYTES)} WAL segments`;
}

/** libpq tries the hosts in order and keeps the one that takes writes (PostgreSQL documentation, 34.1.1.3). */
function connectionString(inputs: PgClusterInputs, database: PgClusterInputs["databases"][number]): string {
  const hosts = inputs.members
    .filter(({ witness }) => !witness)
    .map(({ address }) => `${bracketed(address)}:${inputs.port}`);
  const tls =
    inputs.caFile === undefined ? "" : `&sslmode=verify-full&sslrootcert=${encodeURIComponent(inputs.caFile)}`;
  const user = database.owner === undefined ? "" : `${encodeURIComponent(database.owner)}@`;
  return `postgresql://${user}${hosts.join(",")}/${encodeURIComponent(database.name)}?target_session_attrs=read-write${tls}`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
