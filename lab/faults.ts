import { type AddressPlan, linkName } from "./addresses";

/** Stands for the control machine where a fault names two ends. */
export const CONTROL = "control";

/** What is broken in a lab's network. Kept in the lab's state: a cut cable stays cut while a host is off. */
export interface Faults {
  /** Hosts cut from everything. */
  readonly cut: readonly string[];
  /** Packets dropped one way; an end is a host or "control". */
  readonly oneWay: readonly Direction[];
}

export interface Direction {
  readonly from: string;
  readonly to: string;
}

export const NO_FAULTS: Faults = { cut: [], oneWay: [] };

const same = (a: Direction, b: Direction): boolean => a.from === b.from && a.to === b.to;

export function withCut(faults: Faults, host: string): Faults {
  return { ...faults, cut: [...new Set([...faults.cut, host])].sort() };
}

export function withoutCut(faults: Faults, host: string): Faults {
  return { ...faults, cut: faults.cut.filter((name) => name !== host) };
}

export function withDirections(faults: Faults, directions: readonly Direction[]): Faults {
  const added = directions.filter((direction) => !faults.oneWay.some((known) => same(known, direction)));
  return { ...faults, oneWay: [...faults.oneWay, ...added] };
}

export function withoutDirections(faults: Faults, directions: readonly Direction[]): Faults {
  return { ...faults, oneWay: faults.oneWay.filter((known) => !directions.some((healed) => same(known, healed))) };
}

/**
 * The nft script that makes the kernel drop exactly what faults names, in one transaction.
 * In the bridge family, so ARP is dropped too and neither end's own firewall is involved.
 */
export function faultRules(plan: AddressPlan, faults: Faults): string {
  const table = `table bridge ${plan.nftTable}`;
  const forget = `${table}\ndelete ${table}\n`;
  const chains = { forward: [] as string[], input: [] as string[], output: [] as string[] };
  const quoted = (host: string): string => `"${linkName(plan, host)}"`;
  for (const host of faults.cut) {
    const from = `iifname ${quoted(host)} drop`;
    const to = `oifname ${quoted(host)} drop`;
    chains.forward.push(from, to);
    chains.input.push(from);
    chains.output.push(to);
  }
  for (const { from, to } of faults.oneWay) {
    if (from === CONTROL) chains.output.push(`oifname ${quoted(to)} drop`);
    else if (to === CONTROL) chains.input.push(`iifname ${quoted(from)} drop`);
    else chains.forward.push(`iifname ${quoted(from)} oifname ${quoted(to)} drop`);
  }
  if (Object.values(chains).every((rules) => rules.length === 0)) return forget;
  const body = Object.entries(chains)
    .filter(([, rules]) => rules.length > 0)
    .map(([hook, rules]) => {
      const lines = [`type filter hook ${hook} priority 0; policy accept;`, ...rules];
      return `  chain ${hook} {\n${lines.map((line) => `    ${line}\n`).join("")}  }\n`;
    });
  return `${forget}${table} {\n${body.join("")}}\n`;
}
