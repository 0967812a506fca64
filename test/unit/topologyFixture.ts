import type { Action } from "../../actions/action";
import type { InstanceFacts } from "../../facts/instance";
import type { RegisteredNode, Slot } from "../../facts/running";
import { repmgrNodeKind, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

export interface Case {
  readonly self: number;
  readonly nodes: readonly InstanceFacts[];
  readonly upstream?: string;
  readonly witness?: number;
  readonly delayed?: number;
}

function asked({
  self,
  nodes,
  upstream,
  witness,
  delayed,
}: Case): [RepmgrNodeInputs, ReturnType<typeof facts.nodeFacts>] {
  const view = facts.view(nodes, witness, delayed);
  const inputs = facts.nodeInputs(self, { members: view.map(({ member }) => member), upstream });
  return [inputs, facts.nodeFacts(inputs, view)];
}

export const planOf = (c: Case): Action[] => repmgrNodeKind.plan(...asked(c));
export const shellOf = (c: Case): string => facts.shell(planOf(c));
export const seenOf = (c: Case): RepmgrNodeInputs => repmgrNodeKind.project(...asked(c)).inputs;

export const slot = (id: number, active = true): Slot => ({ name: `repmgr_slot_${id}`, active, walStatus: "reserved" });
export const below = (id: number, upstream: number | null, nodes = facts.rows()): RegisteredNode[] =>
  nodes.map((row) => (row.id === id ? { ...row, upstream } : row));
export const primary = (nodes: RegisteredNode[], slots: Slot[] = [slot(2)]): InstanceFacts =>
  facts.primary({ repmgr: { nodes } }, { slots });

/** n3 follows n2. */
export const cascade = (over: Partial<Case> = {}): Case => ({
  self: 3,
  upstream: "n2",
  nodes: [primary(below(3, 2)), facts.standby(2, 1, { slots: [slot(3)] }), facts.standby(3, 2)],
  ...over,
});
