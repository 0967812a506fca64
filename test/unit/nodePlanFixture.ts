import type { InstanceFacts } from "../../facts/instance";
import type { Slot } from "../../facts/running";
import { repmgrNodeKind, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

export const { plan } = repmgrNodeKind;
export const primary2 = (): InstanceFacts =>
  facts.primary({ repmgr: { nodes: facts.rows(2), paused: false } }, { timeline: 2 });
export const row1 = (over: object): InstanceFacts => {
  const nodes = facts.rows().map((row) => (row.id === 2 ? { ...row, ...over } : row));
  return facts.primary({ repmgr: { nodes } });
};
export const receiver = (over: object): Parameters<typeof facts.standby>[2] => ({
  walReceiver: { status: "streaming", senderHost: "198.18.0.11", senderPort: 5432, slot: "repmgr_slot_2", ...over },
});

export const slot = (id: number): Slot => ({ name: `repmgr_slot_${id}`, active: true, walStatus: "reserved" });

export interface Case {
  readonly self: number;
  readonly nodes: InstanceFacts[];
  readonly witness?: number;
  readonly want?: Partial<RepmgrNodeInputs>;
  /** Ids of the nodes that the inventory no longer has. */
  readonly left?: readonly number[];
}

export function planOf({ self, nodes, witness, want, left = [] }: Case): ReturnType<typeof plan> {
  const view = facts.view(nodes, witness).filter(({ member }) => !left.includes(member.id));
  const inputs = facts.nodeInputs(self, { members: view.map(({ member }) => member), ...want });
  return plan(inputs, facts.nodeFacts(inputs, view));
}

/** A standby whose primary has stopped: nothing is received any more. */
export const orphan = (id: number, timeline: number, over: Partial<InstanceFacts> = {}): InstanceFacts =>
  facts.standby(id, 2, { timeline, walReceiver: null }, { control: facts.control({ timeline }), ...over });
export const LET_IN =
  "pg1: n2, which is the primary now, lets n1 in (its pg_hba.conf and firewall may still be on their way)";
export const REJOIN =
  "pg1: n1 was primary on timeline 1; n2 is primary on timeline 2: rejoin it as a standby, rewound to where they parted";
export const booted = (id: number): InstanceFacts =>
  facts.standby(id, 1, { walReceiver: null }, { repmgr: { nodes: facts.rows(), paused: false, watched: false } });
export const GONE = facts.without("absent");
export const MANUAL = { failover: "manual" } as const;
