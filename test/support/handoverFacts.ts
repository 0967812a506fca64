import type { HandoverFacts } from "../../facts/handover";
import type { ClusterView } from "../../providers/cluster";

export function atRest(over: Partial<HandoverFacts> = {}): HandoverFacts {
  return {
    oldestTransactionSeconds: 0,
    unarchived: 0,
    isArchivingBroken: false,
    baseBackups: 0,
    logicalSlots: [],
    isReplayPaused: false,
    applyDelayMs: 0,
    ...over,
  };
}

/** Every running node at rest. */
export function calm(seen: ClusterView): Record<string, HandoverFacts> {
  return Object.fromEntries(seen.map(({ member }) => [member.node, atRest()]));
}
