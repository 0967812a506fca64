import type { Probe } from "./probe";
import type { Sides, SourceRule } from "./sourceRule";

/** Where it is kept who is let in, past which chains: a line "open 10.0.0.1/32 5432 main" or "chain inet filter input" each. */
export const NFTABLES_RULES = "/etc/repmgr-pulumi/nftables.rules";
/** Puts them into the chains, after every load of nftables.service. */
export const NFTABLES_UNIT = "repmgr-pulumi-nftables.service";
/** The chain of ours in each of the tables, which comes before all rules of theirs. */
export const NFTABLES_CHAIN = "repmgr_pulumi";

/** A chain that drops or refuses what comes in and no rule let in. */
export interface ClosingChain {
  readonly family: "ip" | "ip6" | "inet";
  readonly table: string;
  readonly name: string;
}

export interface NftablesFact extends Sides {
  /** Neither firewalld's own nor those that an enabled ufw fills. None where there is no nft. */
  readonly chains: readonly ClosingChain[];
  /** nftables.service has loaded them, and will again. */
  readonly isServed: boolean;
}

/** Asks the rest only where such chains are: most hosts have none. */
export const nftablesProbe: Probe<NftablesFact> = {
  key: "nftables",
  ofRoot: "the firewall",
  script: `command -v nft >/dev/null || exit 0
nft list chains 2>/dev/null |
awk '$1 == "table" { table = $2 " " $3 } /type filter hook input/ { print table }' | sort -u | {
  found=
  while read -r family table; do
    case "$family $table" in
      *" firewalld") continue ;;
      "ip filter" | "ip6 filter") grep -qsi '^ENABLED="*yes' /etc/ufw/ufw.conf && continue ;;
      "ip "* | "ip6 "* | "inet "*) ;;
      *) continue ;;
    esac
    nft -j -t list table "$family" "$table" || exit
    found=1
  done
  [ -n "$found" ] || exit 0
  echo "service $(systemctl is-active nftables.service)"
  echo "unit $(systemctl is-enabled ${NFTABLES_UNIT} 2>/dev/null)"
  [ ! -e ${NFTABLES_RULES} ] || cat ${NFTABLES_RULES}
}`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    const lines = stdout.split("\n");
    const tables = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Listing);
    const chains = tables.flatMap(closingChains);
    const ours = chains.filter((chain) => !isOfIptables(chain));
    const isKept = lines.includes("unit enabled") && ours.every((chain) => lines.includes(`chain ${spell(chain)}`));
    const permanent = isKept ? lines.flatMap(keptRule) : [];
    const past = ours.map((chain) => ({ chain, rules: tables.flatMap((table) => letPast(chain, table)) }));
    return { chains, isServed: lines.includes("service active"), permanent, runtime: letIn(past, permanent) };
  },
};

/** "inet filter input" */
export function spell({ family, table, name }: ClosingChain): string {
  return `${family} ${table} ${name}`;
}

/** Of the compatibility layer: iptables no longer lists a table in which it finds rules that are not its own. */
export function isOfIptables({ family, table, name }: ClosingChain): boolean {
  return family !== "inet" && table === "filter" && name === "INPUT";
}

interface Chain {
  readonly family: ClosingChain["family"];
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

type Statement = Readonly<Record<string, unknown>>;

interface Rule {
  readonly chain: string;
  readonly expr: readonly Statement[];
}

/** One table, as nft lists it in JSON (libnftables-json(5)). */
export interface Listing {
  readonly nftables: readonly { readonly chain?: Chain; readonly rule?: Rule }[];
}

export function closingChains(listing: Listing): ClosingChain[] {
  const rules = rulesOf(listing);
  return listing.nftables
    .flatMap(({ chain }) => chain ?? [])
    .filter(({ hook, policy, name }) => hook === "input" && (policy === "drop" || shutsOut(name, rules)))
    .map(({ family, table, name }) => ({ family, table, name }));
}

/** A rule that asks for nothing drops whatever gets there, in the chain or in one to which it sends packets on. */
function shutsOut(first: string, rules: readonly Rule[]): boolean {
  const reached = [first];
  for (const name of reached) {
    const own = rules.filter(({ chain }) => chain === name);
    if (own.some(({ expr }) => expr.every(isDropOrCount) && expr.some(isDrop))) return true;
    const next = own.flatMap(({ expr }) => expr.flatMap(({ jump, goto }) => targetOf(jump) ?? targetOf(goto) ?? []));
    reached.push(...next.filter((target) => !reached.includes(target)));
  }
  return false;
}

/** What our chain lets past a chain of theirs, as long as theirs asks ours first. */
function letPast({ family, table, name }: ClosingChain, listing: Listing): SourceRule[] {
  const isThis = ({ chain }: { chain?: Chain }): boolean => chain?.family === family && chain.table === table;
  if (!listing.nftables.some(isThis)) return [];
  const rules = rulesOf(listing);
  const first = rules.find(({ chain }) => chain === name);
  if (targetOf(first?.expr[0]?.jump) !== NFTABLES_CHAIN) return [];
  return rules.filter(({ chain }) => chain === NFTABLES_CHAIN).flatMap(({ expr }) => sourceRule(expr));
}

/** Who gets past all chains that look at his kind of address; where none does, whoever is to be let in. */
function letIn(
  past: readonly { readonly chain: ClosingChain; readonly rules: readonly SourceRule[] }[],
  permanent: readonly SourceRule[],
): SourceRule[] {
  const lookAt = ({ source }: SourceRule): typeof past =>
    past.filter(({ chain }) => chain.family !== (source.includes(":") ? "ip" : "ip6"));
  const everywhere = (rule: SourceRule): boolean =>
    lookAt(rule).every(({ rules }) => rules.some((other) => other.rule === rule.rule));
  const all = new Map(past.flatMap(({ rules }) => rules).map((rule) => [rule.rule, rule]));
  return [...[...all.values()].filter(everywhere), ...permanent.filter((rule) => lookAt(rule).length === 0)];
}

/** One of ours: a source, a port, and accept. */
function sourceRule(expr: readonly Statement[]): SourceRule[] {
  const [saddr, dport] = ["saddr", "dport"].map((name) => expr.map(matchOf).find((match) => match?.field === name));
  const source = networkOf(saddr?.right);
  if (source === undefined || typeof dport?.right !== "number" || !expr.some((one) => "accept" in one)) return [];
  return [{ source, port: dport.right, by: "nft", rule: `${source} ${dport.right}` }];
}

function matchOf({ match }: Statement): { field?: string; right: unknown } | undefined {
  const { op, left, right } = (match ?? {}) as {
    op?: string;
    left?: { payload?: { field?: string } };
    right?: unknown;
  };
  return op === "==" ? { field: left?.payload?.field, right } : undefined;
}

function networkOf(address: unknown): string | undefined {
  if (typeof address === "string") return `${address}/${address.includes(":") ? 128 : 32}`;
  const { prefix } = (address ?? {}) as { prefix?: { addr: string; len: number } };
  return prefix && `${prefix.addr}/${prefix.len}`;
}

function keptRule(line: string): SourceRule[] {
  const [, source, port] = /^open (\S+) (\d+) \S+$/.exec(line) ?? [];
  return source === undefined ? [] : [{ source, port: Number(port), by: "nft", rule: `${source} ${port}` }];
}

function rulesOf({ nftables }: Listing): Rule[] {
  return nftables.flatMap(({ rule }) => rule ?? []);
}

function isDrop(statement: object): boolean {
  return "drop" in statement || "reject" in statement;
}

function isDropOrCount(statement: object): boolean {
  return isDrop(statement) || "counter" in statement || "log" in statement;
}

function targetOf(verdict: unknown): string | undefined {
  return (verdict as { target?: string } | undefined)?.target;
}
