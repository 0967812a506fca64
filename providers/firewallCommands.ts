import type { FirewallFact } from "../facts/firewall";
import type { Sides } from "../facts/sourceRule";
import { firewalldCommands } from "./firewalldCommands";
import { nftablesCommands } from "./nftablesCommands";
import { ufwCommands } from "./ufwCommands";

/** What is to be let in, each side with those that it lacks. */
export interface Opening {
  readonly port: number;
  readonly cluster: string;
  readonly permanent: readonly string[];
  readonly runtime: readonly string[];
}

/** What changes the rules of one firewall. All of it is shell that may be done twice. */
export interface FirewallCommands {
  open(have: FirewallFact, opening: Opening): string;
  close(have: FirewallFact, closing: Sides): string;
  /** Why a source cannot be let in by a rule of ours, and what to type; undefined when it can. */
  hurdle(have: FirewallFact, source: string, port: number): string | undefined;
}

/** Nothing is looked at there, so nothing is planned. */
const none: FirewallCommands = { open: () => "", close: () => "", hurdle: () => undefined };

const COMMANDS: Readonly<Record<FirewallFact["backend"], FirewallCommands>> = {
  firewalld: firewalldCommands,
  ufw: ufwCommands,
  nftables: nftablesCommands,
  none,
};

export function firewallCommands(backend: FirewallFact["backend"]): FirewallCommands {
  return COMMANDS[backend];
}
