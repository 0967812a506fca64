import type { Action } from "../actions/action";
import { isSameNetwork, parseNetwork } from "../config/network";
import { type FirewallFact, observeFirewall } from "../facts/firewall";
import { spell } from "../facts/nftables";
import type { Sides, SourceRule } from "../facts/sourceRule";
import { claimsOfOthers } from "./claims";
import { firewallCommands } from "./firewallCommands";
import { type BaseInputs, type Kind, Refused } from "./kind";

export interface FirewallRuleInputs extends BaseInputs {
  readonly host: string;
  readonly cluster: string;
  readonly node: string;
  /** What the port is for: "postgresql". One rule a port: it owns every source that is let in to it. */
  readonly purpose: string;
  readonly port: number;
  /** CIDRs, sorted; a single host is a /32 or a /128. */
  readonly sources: readonly string[];
  /** Sources let in only until the firewall restarts; the program writes []. */
  readonly runtimeOnly: readonly string[];
  /** Sources let in only after the firewall restarts; the program writes []. */
  readonly permanentOnly: readonly string[];
}

export interface FirewallRuleOutputs {
  /** "none": no firewall runs here whose rules this program manages, so nothing was opened. */
  readonly backend: FirewallFact["backend"];
  readonly zone: string;
  /** Which firewall the host has, and what of it is not managed; for a person. */
  readonly firewall: string;
}

/** A port opened to named sources in the firewall that runs on a host, now and after a restart. */
export const firewallRuleKind: Kind<FirewallRuleInputs, FirewallFact, FirewallRuleOutputs> = {
  name: "FirewallRule",
  managed: ["host", "cluster", "purpose", "port", "sources", "runtimeOnly", "permanentOnly"],
  identity: ["host", "cluster", "purpose"],
  outputs: ["backend", "zone", "firewall"],
  id: ({ host, cluster, purpose }) => `${host}/${cluster}/${purpose}`,

  validate({ host, port, sources }) {
    const problems = sources
      .filter((s) => parseNetwork(s) === undefined)
      .map((s) => `${host}: "${s}" is no network such as 10.0.0.0/8`);
    if (!Number.isInteger(port) || port < 1 || port > 65535) problems.push(`${host}: ${port} is no TCP port`);
    return problems;
  },

  observe: (ctx, { host }) => observeFirewall((probe) => ctx.ask(host, probe)),

  // Without a firewall there is nothing to find, and nothing to miss either.
  isAbsent: () => false,

  plan(want, have) {
    const { host, port, sources, cluster } = want;
    if (have.backend === "none") return [];
    const hurdles = sources.flatMap((source) => firewallCommands(have.backend).hurdle(have, source, port) ?? []);
    const actions = [...open(want, have), ...close(want, have)];
    if (hurdles.length === 0) return actions;
    throw new Refused(`${host}: cluster ${cluster} needs ${port}/tcp open to ${hurdles.join("; to ")}`, actions);
  },

  remarks({ host, port, sources }, { unmanaged }) {
    const open = `${port}/tcp has to be open to ${sources.join(", ")} by rules of your own`;
    return unmanaged.map((what) => `${host} runs ${what}, whose rules this program does not manage: ${open}`);
  },

  project(inputs, have) {
    const outputs = { backend: have.backend, zone: have.zone, firewall: describe(have) };
    if (have.backend === "none") return { inputs, outputs };
    const { port, sources } = inputs;
    const runtime = of(port, have.runtime);
    const permanent = of(port, have.permanent);
    const all = spelled([...runtime, ...permanent], sources);
    const isIn = (side: readonly SourceRule[], source: string): boolean => side.some((rule) => lets(rule, source));
    return {
      inputs: {
        ...inputs,
        sources: all.filter((source) => isIn(runtime, source) && isIn(permanent, source)),
        runtimeOnly: all.filter((source) => !isIn(permanent, source)),
        permanentOnly: all.filter((source) => !isIn(runtime, source)),
      },
      outputs,
    };
  },

  planDelete(have, inputs, claims) {
    const { host, port, cluster } = inputs;
    // A look before may have found that some of them are let in only until, or only after, a restart.
    const sources = [...inputs.sources, ...inputs.runtimeOnly, ...inputs.permanentOnly];
    if (claimsOfOthers(claims, inputs).some((claim) => claim.host === host && claim.port === port)) return [];
    const isAsked = ({ source }: SourceRule): boolean => sources.some((ours) => isSameNetwork(ours, source));
    const permanent = of(port, have.permanent).filter(isAsked);
    const others = permanent.filter(({ isOthers }) => isOthers);
    const isKept = ({ source }: SourceRule): boolean => others.some((rule) => isSameNetwork(rule.source, source));
    return closing(have, host, `the cluster ${cluster} is no longer managed here: close ${port}/tcp to`, {
      permanent: permanent.filter(({ isOthers }) => !isOthers),
      runtime: of(port, have.runtime).filter((rule) => isAsked(rule) && !isKept(rule)),
    });
  },
};

function open({ host, port, sources, cluster }: FirewallRuleInputs, have: FirewallFact): Action[] {
  const commands = firewallCommands(have.backend);
  const able = sources.filter((source) => commands.hurdle(have, source, port) === undefined);
  const missing = (side: readonly SourceRule[]): string[] =>
    able.filter((source) => !of(port, side).some((rule) => lets(rule, source)));
  const [permanent, runtime] = [missing(have.permanent), missing(have.runtime)];
  if (permanent.length + runtime.length === 0) return [];
  const why = `open ${port}/tcp to ${unique([...permanent, ...runtime])}${when(permanent, runtime)}`;
  return [{ do: "run", host, needs: "root", why, script: commands.open(have, { port, cluster, permanent, runtime }) }];
}

function close({ host, port, sources }: FirewallRuleInputs, have: FirewallFact): Action[] {
  const extra = (side: readonly SourceRule[]): SourceRule[] =>
    of(port, side).filter((rule) => !sources.some((source) => lets(rule, source)));
  const what = `close ${port}/tcp, which the inventory opens only to ${sources.join(", ") || "nobody"}, to`;
  return closing(have, host, what, { permanent: extra(have.permanent), runtime: extra(have.runtime) });
}

function closing(have: FirewallFact, host: string, what: string, { permanent, runtime }: Sides): Action[] {
  if (permanent.length + runtime.length === 0) return [];
  const why = `${what} ${unique([...permanent, ...runtime].map(({ source }) => source))}${when(permanent, runtime)}`;
  return [
    { do: "run", host, needs: "root", why, script: firewallCommands(have.backend).close(have, { permanent, runtime }) },
  ];
}

function when(permanent: readonly unknown[], runtime: readonly unknown[]): string {
  if (permanent.length === 0) return " (now; after a restart it is so)";
  return runtime.length === 0 ? " (after a restart; now it is so)" : "";
}

function of(port: number, rules: readonly SourceRule[]): SourceRule[] {
  return rules.filter((rule) => rule.port === port);
}

function lets(rule: SourceRule, source: string): boolean {
  return isSameNetwork(rule.source, source);
}

/** Each source once, sorted: as the inventory spells it, else as the host does. */
function spelled(rules: readonly SourceRule[], sources: readonly string[]): string[] {
  const wanted = sources.filter((source) => rules.some((rule) => lets(rule, source)));
  const extra = rules.map(({ source }) => source).filter((found) => !sources.some((s) => isSameNetwork(found, s)));
  return [...new Set([...wanted, ...extra])].sort();
}

function unique(sources: readonly string[]): string {
  return [...new Set(sources)].sort().join(", ");
}

function describe({ backend, zone, chains, unmanaged }: FirewallFact): string {
  const nftables = `nftables (chain ${chains.map(spell).join(", ")})`;
  const managed = { firewalld: `firewalld, zone ${zone}`, ufw: "ufw", nftables, none: undefined }[backend];
  const others = unmanaged.map((what) => `${what}, not managed`);
  return [...(managed === undefined ? [] : [managed]), ...others].join("; ") || "none runs";
}
