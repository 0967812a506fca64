import type { Probe } from "./probe";
import type { Sides, SourceRule } from "./sourceRule";

/** A rule of ufw's that refuses, or only lets in so many; the first that fits a packet counts. */
export interface UfwDenial {
  readonly at: number;
  /** A network, 0.0.0.0/0 for everybody. */
  readonly source: string;
  /** "5432", "any", "5430:5440", "80,443" */
  readonly ports: string;
  readonly isLimit: boolean;
  /** As ufw spells it: "deny from 10.0.0.0/8 to any port 5432 proto tcp". */
  readonly rule: string;
}

export interface UfwFact extends Sides {
  /** "enabled": it comes with the next boot, and is not loaded now. */
  readonly state: "active" | "enabled" | "off";
  readonly hasIpv6: boolean;
  readonly denials: readonly UfwDenial[];
}

/** What stands in the comment of rules that this program made, before the cluster's name. */
export const UFW_COMMENT = "repmgr-pulumi";

/**
 * ufw's two sides: its files, and the chains that it has filled from them. It runs where its chain is there, by which
 * `ufw status` judges, too (ufw/backend_iptables.py); that command takes 0.06 s to start.
 */
export const ufwProbe: Probe<UfwFact> = {
  key: "ufw",
  ofRoot: "the firewall",
  script: `[ -e /etc/ufw/ufw.conf ] || exit 0
value() { sed -n "s/^$1=\\"\\{0,1\\}\\([A-Za-z]*\\).*/\\1/p" "$2" | tail -n 1 | tr A-Z a-z; }
[ "$(value ENABLED /etc/ufw/ufw.conf)" = yes ] || exit 0
iptables -w -S ufw-user-input 2>/dev/null
case $? in 0) echo active ;; 1) echo enabled; exit 0 ;; *) exit 1 ;; esac
set -- /etc/ufw/user.rules
if [ "$(value IPV6 /etc/default/ufw)" = yes ] && [ -d /proc/sys/net/ipv6 ]; then
  echo ipv6
  ip6tables -w -S ufw6-user-input 2>/dev/null
  set -- "$@" /etc/ufw/user6.rules
fi
sed -n 's/^### tuple ### /rule /p' "$@"`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    const lines = stdout.split("\n");
    const state = lines.includes("active") ? "active" : lines.includes("enabled") ? "enabled" : "off";
    return {
      state,
      hasIpv6: lines.includes("ipv6"),
      runtime: lines.flatMap(chainRule),
      permanent: lines.flatMap(fileRule),
      denials: lines.flatMap(denial),
    };
  },
};

/** A line of iptables -S; what asks for more than a source and a port is nobody's business here. */
function chainRule(line: string): SourceRule[] {
  const match = /^-A (ufw6?-user-input(?: -s (\S+))? -p tcp -m tcp --dport (\d+) -j ACCEPT)$/.exec(line);
  const [, rule, source, port] = match ?? [];
  if (rule === undefined) return [];
  const everybody = rule.startsWith("ufw6") ? "::/0" : "0.0.0.0/0";
  return [{ source: source ?? everybody, port: Number(port), by: "chain", rule }];
}

/** Action, protocol, ports, destination, ports of the source, source, direction, comment (ufw/backend_iptables.py, _write_rules). */
const TUPLE =
  /^rule (allow|deny|reject|limit)(?:_(log|log-all))? (tcp|any) (\S+) (?:0\.0\.0\.0\/0|::\/0) any (\S+) in(?: comment=([0-9a-f]+))?$/;

interface Tuple {
  readonly action: string;
  readonly ports: string;
  readonly source: string;
  readonly comment: string;
  readonly rule: string;
}

function tupleOf(line: string): Tuple | undefined {
  const [, action, log, protocol, ports = "", address = "", hex = ""] = TUPLE.exec(line) ?? [];
  if (action === undefined) return undefined;
  const source = address.includes("/") ? address : `${address}/${address.includes(":") ? 128 : 32}`;
  const words = [action, ...(log === undefined ? [] : [log]), "from", source, "to", "any"];
  if (ports !== "any") words.push("port", ports);
  if (protocol === "tcp") words.push("proto", "tcp");
  return { action, ports, source, comment: Buffer.from(hex, "hex").toString(), rule: words.join(" ") };
}

function fileRule(line: string, at: number): SourceRule[] {
  const tuple = tupleOf(line);
  if (tuple?.action !== "allow" || !/^\d+$/.test(tuple.ports)) return [];
  const { source, ports, rule, comment } = tuple;
  const isOurs = comment.split(" ")[0] === UFW_COMMENT;
  return [{ source, port: Number(ports), by: "ufw", rule, at, ...(isOurs ? {} : { isOthers: true }) }];
}

function denial(line: string, at: number): UfwDenial[] {
  const tuple = tupleOf(line);
  if (tuple === undefined || tuple.action === "allow") return [];
  const { source, ports, rule, action } = tuple;
  return [{ at, source, ports, rule, isLimit: action === "limit" }];
}
