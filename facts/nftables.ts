import type { Probe } from "./probe";

/**
 * Chains of nftables, as "inet filter input", that drop or refuse what comes in and no rule of theirs let in. firewalld's
 * own and those that an enabled ufw fills are not among them. None where there is no nft.
 */
export const nftablesProbe: Probe<readonly string[]> = {
  key: "nftables",
  script: `command -v nft >/dev/null || exit 0
nft list chains 2>/dev/null |
awk '$1 == "table" { table = $2 " " $3 } /type filter hook input/ { print table }' | sort -u |
while read -r family table; do
  case "$family $table" in
    *" firewalld") continue ;;
    "ip filter" | "ip6 filter") grep -qsi '^ENABLED="*yes' /etc/ufw/ufw.conf && continue ;;
    "ip "* | "ip6 "* | "inet "*) ;;
    *) continue ;;
  esac
  nft -j -t list table "$family" "$table" || exit
done`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    return stdout.split("\n").filter(Boolean).flatMap(closingChains);
  },
};

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

interface Rule {
  readonly chain: string;
  readonly expr: readonly Readonly<Record<string, unknown>>[];
}

interface Listing {
  readonly nftables: readonly { readonly chain?: Chain; readonly rule?: Rule }[];
}

/** Of one table, as nft lists it in JSON (libnftables-json(5)). */
export function closingChains(json: string): string[] {
  const { nftables } = JSON.parse(json) as Listing;
  const rules = nftables.flatMap(({ rule }) => rule ?? []);
  return nftables
    .flatMap(({ chain }) => chain ?? [])
    .filter(({ hook, policy, name }) => hook === "input" && (policy === "drop" || shutsOut(name, rules)))
    .map(({ family, table, name }) => `${family} ${table} ${name}`);
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

function isDrop(statement: object): boolean {
  return "drop" in statement || "reject" in statement;
}

function isDropOrCount(statement: object): boolean {
  return isDrop(statement) || "counter" in statement || "log" in statement;
}

function targetOf(verdict: unknown): string | undefined {
  return (verdict as { target?: string } | undefined)?.target;
}
