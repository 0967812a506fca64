import { isIP } from "node:net";
import type { Action } from "../actions/action";
import { firewallProbe, type FirewallFact, richRule, type SourceRule } from "../facts/firewall";
import { sh, shJoin } from "../ssh/quote";
import { claimsOfOthers } from "./claims";
import type { BaseInputs, Kind } from "./kind";

export interface FirewallRuleInputs extends BaseInputs {
  readonly host: string;
  readonly cluster: string;
  readonly node: string;
  /** What the port is for: "postgresql". One rule a port: it owns every source that is let in to it. */
  readonly purpose: string;
  readonly port: number;
  /** CIDRs, sorted; a single host is a /32 or a /128. */
  readonly sources: readonly string[];
  /** Sources let in only until firewalld restarts; the program writes []. */
  readonly runtimeOnly: readonly string[];
  /** Sources let in only after firewalld restarts; the program writes []. */
  readonly permanentOnly: readonly string[];
}

export interface FirewallRuleOutputs {
  /** "none": no firewalld runs here, so nothing had to be opened and nothing was. */
  readonly backend: FirewallFact["backend"];
  readonly zone: string;
}

const NAME = "org.fedoraproject.FirewallD1";
const OBJECT = "/org/fedoraproject/FirewallD1";

/** A port opened to named sources in firewalld's default zone, now and after a restart. */
export const firewallRuleKind: Kind<FirewallRuleInputs, FirewallFact, FirewallRuleOutputs> = {
  name: "FirewallRule",
  managed: ["host", "cluster", "purpose", "port", "sources", "runtimeOnly", "permanentOnly"],
  identity: ["host", "cluster", "purpose"],
  id: ({ host, cluster, purpose }) => `${host}/${cluster}/${purpose}`,

  validate({ host, port, sources }) {
    const problems = sources.filter((s) => !isCidr(s)).map((s) => `${host}: "${s}" is no network such as 10.0.0.0/8`);
    if (!Number.isInteger(port) || port < 1 || port > 65535) problems.push(`${host}: ${port} is no TCP port`);
    return problems;
  },

  observe: (ctx, { host }) => ctx.ask(host, firewallProbe),

  // Without firewalld there is nothing to find, and nothing to miss either.
  isAbsent: () => false,

  plan(want, have) {
    if (have.backend === "none") return [];
    const { host, port, sources } = want;
    const wanted = new Set(sources);
    return [
      ...change(have, host, {
        what: `open ${port}/tcp to`,
        verb: "add",
        permanent: missing(sources, port, have.permanent),
        runtime: missing(sources, port, have.runtime),
      }),
      ...change(have, host, {
        what: `close ${port}/tcp, which the inventory opens only to ${sources.join(", ") || "nobody"}, to`,
        verb: "remove",
        permanent: of(port, have.permanent).filter(({ source }) => !wanted.has(source)),
        runtime: of(port, have.runtime).filter(({ source }) => !wanted.has(source)),
      }),
    ];
  },

  project(inputs, have) {
    const outputs = { backend: have.backend, zone: have.zone };
    if (have.backend === "none") return { inputs, outputs };
    const runtime = names(of(inputs.port, have.runtime));
    const permanent = names(of(inputs.port, have.permanent));
    return {
      inputs: {
        ...inputs,
        sources: runtime.filter((source) => permanent.includes(source)),
        runtimeOnly: runtime.filter((source) => !permanent.includes(source)),
        permanentOnly: permanent.filter((source) => !runtime.includes(source)),
      },
      outputs,
    };
  },

  planDelete(have, inputs, claims) {
    const { host, port, sources, cluster } = inputs;
    if (claimsOfOthers(claims, inputs).some((claim) => claim.host === host && claim.port === port)) return [];
    const ours = new Set(sources);
    return change(have, host, {
      what: `the cluster ${cluster} is no longer managed here: close ${port}/tcp to`,
      verb: "remove",
      permanent: of(port, have.permanent).filter(({ source }) => ours.has(source)),
      runtime: of(port, have.runtime).filter(({ source }) => ours.has(source)),
    });
  },
};

interface Change {
  readonly what: string;
  readonly verb: "add" | "remove";
  readonly permanent: readonly SourceRule[];
  readonly runtime: readonly SourceRule[];
}

/**
 * Straight to firewalld over D-Bus (firewalld.dbus(5)), as firewall-cmd does after 0.2 s of starting up. Never a reload:
 * it would drop what others opened until the next restart.
 */
function change(have: FirewallFact, host: string, { what, verb, permanent, runtime }: Change): Action[] {
  if (permanent.length + runtime.length === 0) return [];
  const call = (scope: "permanent" | "now") => (r: SourceRule) => callOf(scope, verb, r);
  const script = `call() { busctl --system call ${NAME} "$@"; }
zone=${sh(have.zone)}
config=$(call ${OBJECT}/config ${NAME}.config getZoneByName s "$zone")
config=\${config#o \\"} config=\${config%\\"}
permanent() { call "$config" ${NAME}.config.zone "$@"; }
now() { call ${OBJECT} ${NAME}.zone "$@" >/dev/null; }
${[...permanent.map(call("permanent")), ...runtime.map(call("now"))].join("\n")}`;
  const when =
    permanent.length === 0
      ? " (now; after a restart it is so)"
      : runtime.length === 0
        ? " (after a restart; now it is so)"
        : "";
  return [{ do: "run", host, why: `${what} ${names([...permanent, ...runtime]).join(", ")}${when}`, script }];
}

/** Shell: what takes or adds one rule; firewalld has a method of its own for each kind (firewalld.dbus(5)). */
function callOf(scope: "permanent" | "now", verb: Change["verb"], { by, rule }: SourceRule): string {
  const method = { rich: "RichRule", port: "Port", service: "Service" }[by];
  const words = by === "port" ? [rule, "tcp"] : [rule];
  const strings = "s".repeat(words.length);
  if (scope === "permanent") return `permanent ${verb}${method} ${strings} ${shJoin(words)}`;
  const [signature, noTimeout] = verb === "add" ? [`s${strings}i`, " 0"] : [`s${strings}`, ""];
  return `now ${verb}${method} ${signature} "$zone" ${shJoin(words)}${noTimeout}`;
}

function of(port: number, rules: readonly SourceRule[]): SourceRule[] {
  return rules.filter((rule) => rule.port === port);
}

function missing(sources: readonly string[], port: number, rules: readonly SourceRule[]): SourceRule[] {
  const there = names(of(port, rules));
  return sources
    .filter((source) => !there.includes(source))
    .map((source) => ({ source, port, by: "rich", rule: richRule(source, port) }));
}

function names(rules: readonly SourceRule[]): string[] {
  return [...new Set(rules.map(({ source }) => source))].sort();
}

function isCidr(text: string): boolean {
  const [address = "", length = ""] = text.split("/");
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : 0;
  return bits > 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}
