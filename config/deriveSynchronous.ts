import type { ClusterSpec, NodeSpec } from "./types";

/** The nodes whose word counts under synchronous replication: who is never promoted saves no row by having it. */
export function synchronousNodes({ nodes }: Pick<ClusterSpec, "nodes">): NodeSpec[] {
  return nodes.filter(({ initialRole, priority }) => initialRole !== "witness" && priority > 0);
}

/**
 * What every data node has as synchronous_standby_names. A primary is no standby of its own, so all nodes can be named on
 * all of them, and who is promoted waits for the others from its first commit on; nothing has to be changed in between.
 */
export function synchronousNames(spec: Pick<ClusterSpec, "nodes" | "synchronous">): string | undefined {
  if (spec.synchronous === undefined) return undefined;
  const { mode, num } = spec.synchronous;
  const byPriority = synchronousNodes(spec).sort((a, b) => b.priority - a.priority || a.id - b.id);
  const named = mode === "first" ? byPriority : synchronousNodes(spec);
  return `${mode.toUpperCase()} ${num} (${named.map(({ name }) => name).join(", ")})`;
}

/**
 * So many standbys, the one to be promoted among them, have to be seen before a promotion: of any so many at least one
 * has each acknowledged row. 0 under asynchronous replication.
 */
export function standbysToPromote(spec: Pick<ClusterSpec, "nodes" | "synchronous">): number {
  return spec.synchronous === undefined ? 0 : synchronousNodes(spec).length - spec.synchronous.num;
}
