import type { InstanceFacts } from "../../facts/instance";
import { pgInstanceKind, type PgInstanceFacts, type PgInstanceInputs } from "../../providers/pgInstance";
import * as facts from "../support/facts";

export const { plan } = pgInstanceKind;
export const NOTHING = { postgresConf: undefined, hbaConf: undefined, passFile: undefined };
export const DATA = "/var/lib/postgresql/17/main";

export interface Case {
  readonly self?: number;
  readonly nodes: InstanceFacts[];
  readonly witness?: number;
  readonly want?: Partial<PgInstanceInputs>;
  readonly have?: Partial<PgInstanceFacts>;
}

export function planOf({ self = 1, nodes, witness, want, have }: Case): ReturnType<typeof plan> {
  const inputs = facts.instanceInputs(self, want);
  return plan(inputs, facts.instanceFacts(inputs, facts.view(nodes, witness), have));
}

export const bare = (self: number, nodes: InstanceFacts[], over: Partial<Case> = {}): Case => ({
  self,
  nodes,
  have: NOTHING,
  ...over,
});
export const absent = facts.without("absent");
export const PASS = "the nodes log in to each other with the password kept in /etc/repmgr/main/pgpass";
export const letIn = (primary: string, node: string): string =>
  `${primary}, which is the primary now, lets ${node} in (its pg_hba.conf and firewall may still be on their way)`;
export const NEW_FILES = [
  "a person's own settings have a place of their own",
  "settings: 3 managed settings",
  "who may connect: 2 rules from the topology and the inventory",
];
