import { firewalldProbe, type FirewalldFact } from "./firewalld";
import { type ClosingChain, isOfIptables, type NftablesFact, nftablesProbe, spell } from "./nftables";
import type { Probe } from "./probe";
import type { Sides } from "./sourceRule";
import { type UfwDenial, type UfwFact, ufwProbe } from "./ufw";

/** What decides on a host who reaches a port. */
export interface FirewallFact extends Sides {
  /** Whose rules are looked at and made. "none": of none of them, so nothing is. */
  readonly backend: "firewalld" | "ufw" | "nftables" | "none";
  /** firewalld's default zone; "" elsewhere. */
  readonly zone: string;
  /** Rules of others that shut somebody out, where such rules may come before ours. */
  readonly denials: readonly UfwDenial[];
  /** Of nftables: those that our rules have to get past. */
  readonly chains: readonly ClosingChain[];
  /** It lets in IPv6 addresses at all. */
  readonly hasIpv6: boolean;
  /** What else closes ports there, in words; its rules are neither read nor made. */
  readonly unmanaged: readonly string[];
}

const NOTHING = { zone: "", runtime: [], permanent: [], denials: [], hasIpv6: true, chains: [] };

/** Asks a host all there is to ask, in one go. Never starts, stops or installs anything. */
export async function observeFirewall(ask: <T>(probe: Probe<T>) => Promise<T>): Promise<FirewallFact> {
  return firewallOf(...(await Promise.all([ask(firewalldProbe), ask(ufwProbe), ask(nftablesProbe)])));
}

export function firewallOf(
  firewalld: FirewalldFact | undefined,
  ufw: UfwFact,
  { chains, isServed, runtime, permanent }: NftablesFact,
): FirewallFact {
  const nftables = (which: readonly ClosingChain[]): string[] =>
    which.map((chain) => `nftables (chain ${spell(chain)})`);
  const halfUp =
    ufw.state === "enabled" ? ['ufw (enabled, but not loaded: "sudo ufw reload" or "sudo ufw disable")'] : [];
  if (firewalld !== undefined) {
    const besides = ufw.state === "active" ? ["ufw (beside firewalld, and each closes what the other opens)"] : halfUp;
    return { ...NOTHING, ...firewalld, backend: "firewalld", unmanaged: [...besides, ...nftables(chains)] };
  }
  if (ufw.state === "active") {
    const { runtime: chain, permanent: file, denials, hasIpv6 } = ufw;
    const sides = { runtime: chain, permanent: file, denials, hasIpv6 };
    return { ...NOTHING, ...sides, backend: "ufw", unmanaged: nftables(chains) };
  }
  // What loads the others is not known, so nothing would bring a rule back that we add.
  const ours = isServed ? chains.filter((chain) => !isOfIptables(chain)) : [];
  const unmanaged = [...halfUp, ...nftables(chains.filter((chain) => !ours.includes(chain)))];
  if (ours.length === 0) return { ...NOTHING, backend: "none", unmanaged };
  return { ...NOTHING, backend: "nftables", chains: ours, runtime, permanent, unmanaged };
}
