import { priorityOf } from "./nodeDefaults";
import type { RawCluster, RawNode } from "./schema";

type Slots = Pick<RawCluster, "databases" | "nodes" | "layout">;

/** The slots that fail over, those that are to go among them: without these settings their copies would stay for ever. */
export function failoverSlots({ databases }: Pick<RawCluster, "databases">): string[] {
  return Object.values(databases).flatMap(({ slots = {} }) =>
    Object.entries(slots).flatMap(([name, { failover }]) => (failover ? [name] : [])),
  );
}

export function hasFailoverSlots(raw: Pick<RawCluster, "databases">): boolean {
  return failoverSlots(raw).length > 0;
}

/** A standby copies slots from the primary only, and one that stays behind on purpose never has what they need. */
export function copiesSlots({ role, upstream, delay }: RawNode): boolean {
  return role !== "witness" && upstream === undefined && delay === undefined;
}

/** Who may be promoted and has copies then. */
export function slotHeirs({ nodes }: Pick<RawCluster, "nodes">): [string, RawNode][] {
  return Object.entries(nodes).filter(([, node]) => copiesSlots(node) && priorityOf(node) > 0);
}

/**
 * What a data node has so that slots fail over. No reader gets ahead of a standby that may be promoted, or it would miss
 * rows that are written after the promotion in the place of those it has already read. A node has no slot of its own, and
 * a name without a slot makes every reader wait: so the list differs from node to node, and counts where the primary is.
 * PostgreSQL documentation, 47.2.3 "Replication Slot Synchronization", and synchronized_standby_slots.
 */
export function slotSettings(raw: Slots, [name, node]: [string, RawNode]): Record<string, string> {
  if (!hasFailoverSlots(raw) || raw.layout !== undefined || node.role === "witness") return {};
  const heirs = slotHeirs(raw).filter(([heir]) => heir !== name);
  const ids = heirs.map(([, { id }]) => id).sort((a, b) => a - b);
  return {
    ...(copiesSlots(node) ? { sync_replication_slots: "on", hot_standby_feedback: "on" } : {}),
    synchronized_standby_slots: ids.map((id) => `repmgr_slot_${id}`).join(","),
  };
}
