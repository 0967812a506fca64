import type { ClusterStatus, NodeStatus } from "./clusterStatus";
import { columns, printable, short } from "./textTable";

const HEAD = ["node", "host", "role", "timeline", "follows", "lag", "slot", "repmgrd", "state", "last event"];
/** A terminal line; the whole text is in the JSON. */
const WIDEST = 44;

/** Clusters for a terminal; control characters of any value are shown, never sent. */
export function renderStatus(clusters: readonly ClusterStatus[]): string {
  return clusters.map(renderCluster).join("\n\n");
}

function renderCluster({ cluster, at, primary, problems, nodes }: ClusterStatus): string {
  const who = primary === "none" ? "no single primary" : `${primary} is primary`;
  const rows = nodes.map((node) => rowOf(node).map((cell) => short(cell, WIDEST)));
  return [
    printable(`cluster ${cluster}, ${at}: ${who}${problems.length === 0 ? "; healthy" : ""}`),
    ...columns([HEAD, ...rows]).map((line) => `  ${line}`),
    ...problems.map((problem) => `  ! ${printable(problem)}`),
    ...(problems.length === 0 ? [] : ['  Type "pulumi preview" to see what "pulumi up" would do about it.']),
  ].join("\n");
}

function rowOf({
  node,
  host,
  role,
  timeline,
  follows,
  lagBytes,
  slot,
  repmgrd,
  state,
  lastEvent,
}: NodeStatus): string[] {
  const from = role === "standby" ? follows : "";
  const lag = role === "standby" && lagBytes !== null ? bytes(lagBytes) : "";
  return [node, host, role, timeline === 0 ? "" : String(timeline), from, lag, slot, repmgrd, state, lastEvent];
}

/** "0 B", "12.5 MiB" */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const scaled = count / 1024 ** power;
  return `${power === 0 ? scaled : scaled.toFixed(1)} ${units[power] ?? ""}`;
}
