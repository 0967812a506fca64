import { DEFAULTS } from "./defaults";
import type { RawCluster, RawNode } from "./schema";

/** Site of a node. A witness that does not say its own stands beside the primary, which is what it is for. */
export function locationOf({ nodes }: RawCluster, { role, location }: RawNode): string {
  if (location !== undefined || role !== "witness") return location ?? DEFAULTS.location;
  return Object.values(nodes).find((node) => node.role === "primary")?.location ?? DEFAULTS.location;
}

/** What it counts in an election. One that stays behind on purpose lacks what it has not replayed yet. */
export function priorityOf({ delay, priority }: RawNode): number {
  return delay === undefined ? priority : 0;
}
