import { type ClusterView, isLive, livePrimaries, type MemberFacts } from "./cluster";
import type { PgClusterInputs, PgClusterOutputs } from "./pgCluster";

export interface NodeReport {
  readonly node: string;
  readonly host: string;
  readonly role: "primary" | "standby" | "witness" | "down";
  /** Coarse on purpose: an exact number would differ at every look and hide what matters. */
  readonly lag: string;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** What a person wants to read of a cluster. */
export function describeCluster(inputs: PgClusterInputs, view: ClusterView): PgClusterOutputs {
  const primary = livePrimaries(view)[0];
  return {
    primary: primary?.member.node ?? "none",
    timeline: primary?.facts.running.timeline ?? 0,
    nodes: view.map((m) => ({ node: m.member.node, host: m.member.host, role: roleOf(m), lag: lagOf(m, primary) })),
    connectionStrings: Object.fromEntries(inputs.databases.map((db) => [db.name, connectionString(inputs, db)])),
  };
}

/** The role a node has now; never one that somebody wished for. */
export function roleOf({ member, facts }: MemberFacts): NodeReport["role"] {
  if (facts.running === undefined) return "down";
  if (member.witness) return "witness";
  return facts.running.inRecovery ? "standby" : "primary";
}

function lagOf(m: MemberFacts, primary: MemberFacts | undefined): string {
  if (!isLive(m) || primary?.facts.running === undefined || m.member.witness) return "none";
  const bytes = primary.facts.running.walBytes - m.facts.running.walBytes;
  if (bytes < SEGMENT_BYTES) return "none";
  return `${Math.floor(bytes / SEGMENT_BYTES)} WAL segments`;
}

/** libpq tries the hosts in order and keeps the one that takes writes (PostgreSQL documentation, 34.1.1.3). */
function connectionString(inputs: PgClusterInputs, database: PgClusterInputs["databases"][number]): string {
  const hosts = inputs.members
    .filter(({ witness }) => !witness)
    .map(({ address }) => `${bracketed(address)}:${inputs.port}`);
  const user = database.owner === undefined ? "" : `${encodeURIComponent(database.owner)}@`;
  return `postgresql://${user}${hosts.join(",")}/${encodeURIComponent(database.name)}?target_session_attrs=read-write`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
