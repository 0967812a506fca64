import { type FirewallFact, firewallOf } from "../../facts/firewall";
import { type FirewalldFact, firewalldProbe, parseZone, richRule } from "../../facts/firewalld";
import { type NftablesFact, nftablesProbe } from "../../facts/nftables";
import type { SourceRule } from "../../facts/sourceRule";
import { type UfwFact, ufwProbe } from "../../facts/ufw";
import { firewallRuleKind, type FirewallRuleInputs } from "../../providers/firewallRule";
import { parsed, recorded, scripts } from "./kindFixture";

const NO_UFW = parsed(ufwProbe, "");
const NO_NFTABLES = parsed(nftablesProbe, "");
const withFirewalld = (firewalld: FirewalldFact | undefined): FirewallFact =>
  firewallOf(firewalld, NO_UFW, NO_NFTABLES);

const want: FirewallRuleInputs = {
  kind: "FirewallRule",
  pending: [],
  reach: {},
  host: "pg3",
  cluster: "main",
  node: "n1",
  purpose: "postgresql",
  port: 5432,
  sources: ["198.18.0.0/24", "198.18.0.11/32", "198.18.0.12/32", "198.18.0.13/32"],
  runtimeOnly: [],
  permanentOnly: [],
};

const rule = (source: string, port = 5432): SourceRule => ({ source, port, by: "rich", rule: richRule(source, port) });
const zone = (settings: Record<string, unknown>): SourceRule[] => parseZone(JSON.stringify({ data: [settings] }));
const PORT: SourceRule = { source: "anybody (port 5432/tcp)", port: 5432, by: "port", rule: "5432" };
const SERVICE: SourceRule = { source: "anybody (service postgresql)", port: 5432, by: "service", rule: "postgresql" };
const have = (runtime: string[], permanent = runtime): FirewallFact =>
  withFirewalld({
    zone: "public",
    runtime: [...runtime.map((s) => rule(s)), rule("10.9.9.9/32", 9999)],
    permanent: [...permanent.map((s) => rule(s)), rule("10.9.9.9/32", 9999)],
  });

function opened(now: SourceRule, permanent: SourceRule[]): FirewallFact {
  const closed = have([...want.sources]);
  return { ...closed, runtime: [...closed.runtime, now], permanent: [...closed.permanent, ...permanent] };
}

/** Does to the facts what the planned calls would do to the host. */
function carriedOut(before: FirewallFact, text: string): FirewallFact {
  const after = { ...before, runtime: [...before.runtime], permanent: [...before.permanent] };
  for (const [, scope, verb, method, words = ""] of text.matchAll(/^(permanent|now) (add|remove)(\w+) s+i? (.+)$/gm)) {
    const key = scope === "now" ? "runtime" : "permanent";
    const [spelled = ""] = [...words.replace('"$zone" ', "").matchAll(/'([^']+)'/g)].map(([, word]) => word ?? "");
    const [touched] =
      method === "RichRule"
        ? zone({ rules_str: { data: [spelled] } })
        : method === "Port"
          ? zone({ ports: { data: [[spelled, "tcp"]] } })
          : zone({ services: { data: [spelled] } });
    if (touched === undefined) throw new Error(`not a source rule: ${spelled}`);
    const others = after[key].filter((r) => r.rule !== spelled);
    after[key] = verb === "add" ? [...others, touched] : others;
  }
  return after;
}

test("a real host's rules are what was asked for", () => {
  const facts = withFirewalld(parsed(firewalldProbe, recorded("firewall")));
  expect(facts.zone).toBe("public");
  expect(firewallRuleKind.plan(want, facts)).toEqual([]);
  const { inputs, outputs } = firewallRuleKind.project({ ...want, sources: [] }, facts);
  expect(inputs.sources).toEqual(want.sources);
  expect(outputs).toEqual({ backend: "firewalld", zone: "public", firewall: "firewalld, zone public" });
});

test.each([
  ["nothing is open", have([])],
  ["one source is missing", have(want.sources.slice(1))],
  ["a source was added by hand", have([...want.sources, "10.0.0.0/8"])],
  ["a source without a mask was added by hand", have([...want.sources, "10.1.2.3"])],
  ["a rule does not outlive a restart", have([...want.sources], want.sources.slice(2))],
  ["a rule waits for a restart", have(want.sources.slice(2), [...want.sources])],
  ["the port was opened to anybody", opened(PORT, [PORT])],
  ["the service was opened to anybody until a restart", opened(SERVICE, [])],
])("%s: the drift shows, the plan repairs it, other ports are left alone", (_, before) => {
  const drift = firewallRuleKind.project(want, before).inputs;
  expect([drift.sources, drift.runtimeOnly, drift.permanentOnly]).not.toEqual([want.sources, [], []]);
  const actions = firewallRuleKind.plan(want, before);
  const after = actions.reduce((facts, action) => carriedOut(facts, scripts([action])), before);
  expect(firewallRuleKind.plan(want, after)).toEqual([]);
  expect(firewallRuleKind.project(want, after).inputs).toEqual(want);
  expect(after.runtime.filter((r) => r.port === 9999)).toHaveLength(1);
  expect(scripts(actions)).not.toContain("reload");
});

test("a rule that says more than a source and a port is nobody's to remove", () => {
  const more = 'rule family="ipv4" source address="10.0.0.0/8" port port="5432" protocol="tcp" log prefix="x" accept';
  expect(zone({ rules_str: { data: [more] } })).toEqual([]);
});

test("other services, port ranges and other protocols are nobody's to remove", () => {
  expect(
    zone({
      services: { data: ["ssh"] },
      ports: {
        data: [
          ["5430-5440", "tcp"],
          ["5432", "udp"],
        ],
      },
    }),
  ).toEqual([]);
});

test("delete closes exactly what the inventory opened", () => {
  const before = have([...want.sources, "10.0.0.0/8"]);
  const after = carriedOut(before, scripts(firewallRuleKind.planDelete(before, want, [])));
  expect(after.runtime.map(({ source }) => source)).toEqual(["10.0.0.0/8", "10.9.9.9/32"]);
  expect(after.permanent).toEqual(after.runtime);
  expect(firewallRuleKind.planDelete(after, want, [])).toEqual([]);
});

test.each(["inactive\n", "failed\n", "unknown\n"])(
  "firewalld is %s: nothing to open, and the outputs say so",
  (said) => {
    const facts = withFirewalld(parsed(firewalldProbe, said));
    expect(firewallRuleKind.plan(want, facts)).toEqual([]);
    const outputs = { backend: "none", zone: "", firewall: "none runs" };
    expect(firewallRuleKind.project(want, facts)).toEqual({ inputs: want, outputs });
    expect(firewallRuleKind.remarks?.(want, facts)).toEqual([]);
    expect(firewallRuleKind.planDelete(facts, want, [])).toEqual([]);
  },
);

test.each([
  ["activating\n", 0],
  ["active\n", 1],
  ["active\npublic\n", 1],
  ["", 0],
])("an answer that does not tell is no answer: %j", (said, code) => {
  expect(() => parsed(firewalldProbe, said, code)).toThrow();
});

test("every source that is no network is named", () => {
  const sources = ["10.0.0.0/8", "10.0.0.1", "fd00::/8", "10.0.0.0/33", "db1", "::1/129"];
  const problems = firewallRuleKind.validate({ ...want, sources, port: 0 });
  expect(problems.map((p) => /"(.*?)"/.exec(p)?.[1])).toEqual(["10.0.0.1", "10.0.0.0/33", "db1", "::1/129", undefined]);
});

test("a network counts however it is spelled, and is shown as the inventory spells it", () => {
  const spelled = { ...want, sources: ["10.1.2.3/8", "FD00:0:0::/8"] };
  const there = have(["10.0.0.0/8", "fd00::/8"]);
  expect(firewallRuleKind.plan(spelled, there)).toEqual([]);
  expect(firewallRuleKind.project(spelled, there).inputs).toEqual(spelled);
});

describe("firewalls whose rules are not managed are named, in the preview and in the outputs", () => {
  const firewalld = {
    zone: "public",
    runtime: want.sources.map((s) => rule(s)),
    permanent: want.sources.map((s) => rule(s)),
  };
  const ufw = (state: UfwFact["state"]): UfwFact => ({ ...NO_UFW, state });
  const LOADED = 'ufw (enabled, but not loaded: "sudo ufw reload" or "sudo ufw disable")';
  const CHAIN = "nftables (chain inet filter input)";
  const INPUT = { family: "inet", table: "filter", name: "input" } as const;
  const loadedByOthers: NftablesFact = { ...NO_NFTABLES, chains: [INPUT] };
  const ofIptables: NftablesFact = {
    ...NO_NFTABLES,
    chains: [{ family: "ip", table: "filter", name: "INPUT" }],
    isServed: true,
  };
  const OF_IPTABLES = "nftables (chain ip filter INPUT)";
  const BESIDE = "ufw (beside firewalld, and each closes what the other opens)";
  test.each<[string, FirewallFact, string, string[]]>([
    ["nftables alone", firewallOf(undefined, NO_UFW, loadedByOthers), `${CHAIN}, not managed`, [CHAIN]],
    ["iptables alone", firewallOf(undefined, NO_UFW, ofIptables), `${OF_IPTABLES}, not managed`, [OF_IPTABLES]],
    [
      "nftables beside firewalld",
      firewallOf(firewalld, NO_UFW, { ...loadedByOthers, isServed: true }),
      `firewalld, zone public; ${CHAIN}, not managed`,
      [CHAIN],
    ],
    [
      "ufw beside firewalld",
      firewallOf(firewalld, ufw("active"), NO_NFTABLES),
      `firewalld, zone public; ${BESIDE}, not managed`,
      [BESIDE],
    ],
    [
      "ufw that comes with the next boot",
      firewallOf(undefined, ufw("enabled"), NO_NFTABLES),
      `${LOADED}, not managed`,
      [LOADED],
    ],
  ])("%s", (_, facts, firewall, unmanaged) => {
    expect(firewallRuleKind.plan(want, facts)).toEqual([]);
    const { inputs, outputs } = firewallRuleKind.project(want, facts);
    expect(inputs).toEqual(want);
    expect(outputs.firewall).toBe(firewall);
    expect(firewallRuleKind.remarks?.(want, facts)).toEqual(
      unmanaged.map(
        (what) =>
          `pg3 runs ${what}, whose rules this program does not manage: 5432/tcp has to be open to ${want.sources.join(", ")} by rules of your own`,
      ),
    );
  });
});
