import { firewalldProbe, type FirewalldFact } from "./firewalld";
import { nftablesProbe } from "./nftables";
import type { Probe } from "./probe";
import type { Sides } from "./sourceRule";
import { type UfwDenial, type UfwFact, ufwProbe } from "./ufw";

/** What decides on a host who reaches a port. */
export interface FirewallFact extends Sides {
  /** Whose rules are looked at and made. "none": of neither, so nothing is. */
  readonly backend: "firewalld" | "ufw" | "none";
  /** firewalld's default zone; "" elsewhere. */
  readonly zone: string;
  /** Rules of others that shut somebody out, where such rules may come before ours. */
  readonly denials: readonly UfwDenial[];
  /** It lets in IPv6 addresses at all. */
  readonly hasIpv6: boolean;
  /** What else closes ports there, in words; its rules are neither read nor made. */
  readonly unmanaged: readonly string[];
}

const NOTHING = { zone: "", runtime: [], permanent: [], denials: [], hasIpv6: true };

/** Asks a host all there is to ask, in one go. Never starts, stops or installs anything. */
export async function observeFirewall(ask: <T>(probe: Probe<T>) => Promise<T>): Promise<FirewallFact> {
  return firewallOf(...(await Promise.all([ask(firewalldProbe), ask(ufwProbe), ask(nftablesProbe)])));
}

/** @param chains of nftables that drop what nobody let in, made neither by firewalld nor by ufw */
export function firewallOf(
  firewalld: FirewalldFact | undefined,
  ufw: UfwFact,
  chains: readonly string[],
): FirewallFact {
  const nftables = chains.map((chain) => `nftables (chain ${chain})`);
  const halfUp =
    ufw.state === "enabled" ? ['ufw (enabled, but not loaded: "sudo ufw reload" or "sudo ufw disable")'] : [];
  if (firewalld !== undefined) {
    const besides = ufw.state === "active" ? ["ufw (beside firewalld, and each closes what the other opens)"] : halfUp;
    return { ...NOTHING, ...firewalld, backend: "firewalld", unmanaged: [...besides, ...nftables] };
  }
  if (ufw.state !== "active") return { ...NOTHING, backend: "none", unmanaged: [...halfUp, ...nftables] };
  const { runtime, permanent, denials, hasIpv6 } = ufw;
  return { backend: "ufw", zone: "", runtime, permanent, denials, hasIpv6, unmanaged: nftables };
}
