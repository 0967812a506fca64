import type { Probe } from "./probe";
import type { Sides, SourceRule } from "./sourceRule";

export interface FirewalldFact extends Sides {
  /** The default zone. */
  readonly zone: string;
}

/**
 * What firewalld's default zone lets in, asked over D-Bus: firewall-cmd takes 0.2 s to start. Undefined where it does
 * not run; never starts it.
 */
export const firewalldProbe: Probe<FirewalldFact | undefined> = {
  key: "firewalld",
  ofRoot: "the firewall",
  script: `active=$(systemctl is-active firewalld.service)
echo "$active"
[ "$active" = active ] || exit 0
f=org.fedoraproject.FirewallD1 p=/org/fedoraproject/FirewallD1
ask() { busctl --system --auto-start=no "$@"; }
zone=$(ask call $f $p $f getDefaultZone) || exit
zone=\${zone#s \\"} zone=\${zone%\\"}
config=$(ask call $f $p/config $f.config getZoneByName s "$zone") || exit
config=\${config#o \\"} config=\${config%\\"}
echo "$zone"
ask --json=short call $f $p $f.zone getZoneSettings2 s "$zone" || exit
ask --json=short call $f "$config" $f.config.zone getSettings2 || exit`,
  parse({ code, stdout, stderr }) {
    const [active, zone, runtime, permanent] = stdout.split("\n");
    if (active === "inactive" || active === "failed" || active === "unknown") return undefined;
    if (active !== "active") throw new Error(`firewalld is neither up nor down: "${active ?? ""}"`);
    if (code !== 0 || !zone || !runtime || !permanent) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    return { zone, runtime: parseZone(runtime), permanent: parseZone(permanent) };
  },
};

/** The service that firewalld's own "postgresql" opens (/usr/lib/firewalld/services/postgresql.xml). */
const POSTGRESQL_SERVICE = 5432;

interface ZoneSettings {
  readonly rules_str?: { readonly data: readonly string[] };
  readonly ports?: { readonly data: readonly (readonly [string, string])[] };
  readonly services?: { readonly data: readonly string[] };
}

/** What one answer of busctl lets in; ranges and rules that say more than a source and a port are nobody's business here. */
export function parseZone(json: string): SourceRule[] {
  const [zone] = (JSON.parse(json) as { data: [ZoneSettings] }).data;
  const ports = (zone.ports?.data ?? []).filter(([port, protocol]) => protocol === "tcp" && /^\d+$/.test(port));
  const isService = zone.services?.data.includes("postgresql") === true;
  return [
    ...parseRichRules(zone.rules_str?.data ?? []),
    ...ports.map(([port]) => ({
      source: `anybody (port ${port}/tcp)`,
      port: Number(port),
      by: "port" as const,
      rule: port,
    })),
    ...(isService
      ? [
          {
            source: "anybody (service postgresql)",
            port: POSTGRESQL_SERVICE,
            by: "service" as const,
            rule: "postgresql",
          },
        ]
      : []),
  ];
}

function parseRichRules(rules: readonly string[]): SourceRule[] {
  return rules.flatMap((rule) => {
    const match = /^rule(?: family="ipv[46]")? source address="([^"]+)" port port="(\d+)" protocol="tcp" accept$/.exec(
      rule,
    );
    const [, source, port] = match ?? [];
    return source === undefined ? [] : [{ source, port: Number(port), by: "rich" as const, rule }];
  });
}

/** The rich rule as firewalld itself spells it. */
export function richRule(source: string, port: number): string {
  const family = source.includes(":") ? "ipv6" : "ipv4";
  return `rule family="${family}" source address="${source}" port port="${port}" protocol="tcp" accept`;
}
