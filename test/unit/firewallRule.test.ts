import { firewallProbe, type FirewallFact, parseRichRules, richRule } from "../../facts/firewall";
import { firewallRuleKind, type FirewallRuleInputs } from "../../providers/firewallRule";
import { parsed, recorded, scripts } from "./kindFixture";

const want: FirewallRuleInputs = {
  kind: "FirewallRule",
  pending: [],
  reach: {},
  host: "pg3",
  cluster: "main",
  purpose: "postgresql",
  port: 5432,
  sources: ["198.18.0.0/24", "198.18.0.11/32", "198.18.0.12/32", "198.18.0.13/32"],
  runtimeOnly: [],
  permanentOnly: [],
};

const rule = (source: string, port = 5432) => ({ source, port, rule: richRule(source, port) });
const have = (runtime: string[], permanent = runtime): FirewallFact => ({
  backend: "firewalld",
  zone: "public",
  runtime: [...runtime.map((s) => rule(s)), rule("10.9.9.9/32", 9999)],
  permanent: [...permanent.map((s) => rule(s)), rule("10.9.9.9/32", 9999)],
});

/** Does to the facts what the planned calls would do to the host. */
function carriedOut(before: FirewallFact, text: string): FirewallFact {
  const after = { ...before, runtime: [...before.runtime], permanent: [...before.permanent] };
  const isAdd = text.includes("addRichRule");
  for (const [, scope, spelled] of text.matchAll(/^(permanent|now) '([^']+)'/gm)) {
    const key = scope === "now" ? "runtime" : "permanent";
    const [touched] = parseRichRules(JSON.stringify({ data: [[spelled]] }));
    if (touched === undefined) throw new Error(`not a source rule: ${spelled}`);
    const others = after[key].filter((r) => r.rule !== spelled);
    after[key] = isAdd ? [...others, touched] : others;
  }
  return after;
}

test("a real host's rules are what was asked for", () => {
  const facts = parsed(firewallProbe, recorded("firewall"));
  expect(facts.zone).toBe("public");
  expect(firewallRuleKind.plan(want, facts)).toEqual([]);
  const { inputs, outputs } = firewallRuleKind.project({ ...want, sources: [] }, facts);
  expect(inputs.sources).toEqual(want.sources);
  expect(outputs).toEqual({ backend: "firewalld", zone: "public" });
});

test.each([
  ["nothing is open", have([])],
  ["one source is missing", have(want.sources.slice(1))],
  ["a source was added by hand", have([...want.sources, "10.0.0.0/8"])],
  ["a source without a mask was added by hand", have([...want.sources, "10.1.2.3"])],
  ["a rule does not outlive a restart", have([...want.sources], want.sources.slice(2))],
  ["a rule waits for a restart", have(want.sources.slice(2), [...want.sources])],
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
  expect(parseRichRules(JSON.stringify({ data: [[more]] }))).toEqual([]);
});

test("delete closes exactly what the inventory opened", () => {
  const before = have([...want.sources, "10.0.0.0/8"]);
  const after = carriedOut(before, scripts(firewallRuleKind.planDelete(before, want)));
  expect(after.runtime.map(({ source }) => source)).toEqual(["10.0.0.0/8", "10.9.9.9/32"]);
  expect(after.permanent).toEqual(after.runtime);
  expect(firewallRuleKind.planDelete(after, want)).toEqual([]);
});

test.each(["inactive\n", "failed\n", "unknown\n"])(
  "firewalld is %s: nothing to open, and the outputs say so",
  (said) => {
    const facts = parsed(firewallProbe, said);
    expect(firewallRuleKind.plan(want, facts)).toEqual([]);
    expect(firewallRuleKind.project(want, facts)).toEqual({ inputs: want, outputs: { backend: "none", zone: "" } });
    expect(firewallRuleKind.planDelete(facts, want)).toEqual([]);
  },
);

test.each([
  ["activating\n", 0],
  ["active\n", 1],
  ["active\npublic\n", 1],
  ["", 0],
])("an answer that does not tell is no answer: %j", (said, code) => {
  expect(() => parsed(firewallProbe, said, code)).toThrow();
});

test("every source that is no network is named", () => {
  const sources = ["10.0.0.0/8", "10.0.0.1", "fd00::/8", "10.0.0.0/33", "db1", "::1/129"];
  const problems = firewallRuleKind.validate({ ...want, sources, port: 0 });
  expect(problems.map((p) => /"(.*?)"/.exec(p)?.[1])).toEqual(["10.0.0.1", "10.0.0.0/33", "db1", "::1/129", undefined]);
});
