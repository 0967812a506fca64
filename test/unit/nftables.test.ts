import { type FirewallFact, firewallOf } from "../../facts/firewall";
import { closingChains, NFTABLES_UNIT, nftablesProbe, type NftablesFact, spell } from "../../facts/nftables";
import { ufwProbe } from "../../facts/ufw";
import { firewallRuleKind, type FirewallRuleInputs } from "../../providers/firewallRule";
import { parsed, recorded, scripts } from "./kindFixture";

test("of a real host's tables only the chains are named that drop what nobody let in", () => {
  const { chains, ...rest } = parsed(nftablesProbe, recorded("nftables"));
  expect(chains.map(spell)).toEqual(["inet filter input", "ip guard first"]);
  expect(rest).toEqual({ isServed: false, runtime: [], permanent: [] });
});

test("a host without nft, or without tables of its own, has none", () => {
  expect(parsed(nftablesProbe, "")).toEqual({ chains: [], isServed: false, runtime: [], permanent: [] });
});

test("a listing that failed is no answer", () => {
  expect(() => parsed(nftablesProbe, "", 1)).toThrow("exit status 1");
});

const accept = { accept: null };
const drop = { drop: null };
const match = { match: { left: "tcp dport", right: 23 } };
const to = (target: string): object => ({ jump: { target } });

test.each<[string, string, string, object[][], Record<string, object[][]>, boolean]>([
  ["the policy drops", "input", "drop", [[match, accept]], {}, true],
  ["nothing drops", "input", "accept", [[match, accept]], {}, false],
  ["one port is dropped", "input", "accept", [[match, drop]], {}, false],
  [
    "the last rule drops",
    "input",
    "accept",
    [
      [match, accept],
      [{ counter: null }, drop],
    ],
    {},
    true,
  ],
  ["a rule of iptables, which is not understood, drops", "input", "accept", [[{ xt: null }, drop]], {}, false],
  ["a chain of chains drops", "input", "accept", [[match, to("a")]], { a: [[to("b")]], b: [[{ reject: {} }]] }, true],
  ["chains that send packets in a circle", "input", "accept", [[to("a")]], { a: [[to("first")]] }, false],
  ["what goes through is dropped", "forward", "drop", [[drop]], {}, false],
])("%s", (_, hook, policy, rules, others, isClosing) => {
  const chain = { family: "inet", table: "t", name: "first", hook, policy };
  const all = Object.entries({ first: rules, ...others });
  const listed = all.flatMap(([name, its]) => its.map((expr) => ({ rule: { chain: name, expr } })));
  expect(closingChains({ nftables: [{ chain }, ...listed] } as never).map(spell)).toEqual(
    isClosing ? ["inet t first"] : [],
  );
});

describe("who is let in by rules of ours", () => {
  const TABLES = recorded("nftables-open");
  const JUMP =
    /\{"rule": \{"family": "inet", "table": "filter", "chain": "input"[^\n]*?\}\}\]\}\}/.exec(TABLES)?.[0] ?? "";
  const ACCEPT = JUMP.replace('"jump": {"target": "repmgr_pulumi"}', '"accept": null');
  const KEPT = `service active
unit enabled
# Written by repmgr-pulumi.
chain inet filter input
chain ip guard first
open 198.18.6.11/32 5432 main
open 10.0.0.0/8 5432 main
open fd00::a/128 5433 other
`;
  const ALL = ["198.18.6.11/32 5432", "10.0.0.0/8 5432", "fd00::a/128 5433"];
  const sides = (text: string): [runtime: string[], permanent: string[]] => {
    const { runtime, permanent }: NftablesFact = parsed(nftablesProbe, text);
    return [runtime, permanent].map((side) => side.map(({ source, port }) => `${source} ${port}`)) as [
      string[],
      string[],
    ];
  };
  const guardOnly = TABLES.split("\n")
    .filter((line) => line.includes('"guard"'))
    .join("\n");

  test("now and after the next load", () => {
    expect(parsed(nftablesProbe, TABLES + KEPT).isServed).toBe(true);
    expect(sides(TABLES + KEPT)).toEqual([ALL, ALL]);
  });

  test.each<[string, string, string, string[], string[]]>([
    ["the unit would not bring them back", TABLES, KEPT.replace("unit enabled", "unit disabled"), ALL, []],
    ["a chain is new", TABLES, KEPT.replace("chain ip guard first\n", ""), ALL, []],
    ["a line of the file is gone", TABLES, KEPT.replace(/open 10.*\n/, ""), ALL, [ALL[0], ALL[2]] as string[]],
    ["their chain no longer asks ours", TABLES.replace('"jump"', '"goto"'), KEPT, [], ALL],
    ["their chain asks ours behind a rule of its own", TABLES.replace(JUMP, `${ACCEPT}, ${JUMP}`), KEPT, [], ALL],
    [
      "a rule of ours is gone from one of two chains",
      TABLES.replace(/"10\.0\.0\.0"/, '"11.0.0.0"'),
      KEPT,
      [ALL[0], ALL[2]] as string[],
      ALL,
    ],
    [
      "somebody added one",
      TABLES.replaceAll('"198.18.6.11"', '"203.0.113.7"'),
      KEPT,
      ["203.0.113.7/32 5432", ...ALL.slice(1)],
      ALL,
    ],
    ["no chain looks at IPv6", guardOnly, KEPT, ALL, ALL],
  ])("%s", (_, tables, kept, runtime, permanent) => {
    expect(tables + kept).not.toBe(TABLES + KEPT);
    expect(sides(`${tables}\n${kept}`)).toEqual([runtime, permanent]);
  });

  describe("as a FirewallRule", () => {
    const want: FirewallRuleInputs = {
      ...{ kind: "FirewallRule", pending: [], reach: {}, host: "pg3", cluster: "main", node: "n3" },
      ...{ purpose: "postgresql", port: 5432, sources: ["10.0.0.0/8", "198.18.6.11/32"] },
      ...{ runtimeOnly: [], permanentOnly: [] },
    };
    const NO_UFW = parsed(ufwProbe, "");
    const have = (text: string): FirewallFact => firewallOf(undefined, NO_UFW, parsed(nftablesProbe, text));
    const healthy = have(TABLES + KEPT);

    test("is as wanted", () => {
      expect(firewallRuleKind.plan(want, healthy)).toEqual([]);
      expect(firewallRuleKind.project(want, healthy).inputs).toEqual(want);
      expect(firewallRuleKind.project(want, healthy).outputs).toEqual({
        backend: "nftables",
        zone: "",
        firewall: "nftables (chain inet filter input, ip guard first)",
      });
      expect(firewallRuleKind.remarks?.(want, healthy)).toEqual([]);
    });

    test("one source is added, past the chains of now, and the unit loads it", () => {
      const more = { ...want, sources: ["10.0.0.0/8", "192.0.2.0/24", "198.18.6.11/32"] };
      const actions = firewallRuleKind.plan(more, healthy);
      expect(actions.map(({ why }) => why)).toEqual(["open 5432/tcp to 192.0.2.0/24"]);
      const script = scripts(actions);
      expect(script).toContain("'chain inet filter input' 'chain ip guard first'");
      expect(script).toContain("'open 192.0.2.0/24 5432 main'");
      expect(script.match(/'open /g)).toHaveLength(1);
      expect(script.split("\n").slice(-2)).toEqual([
        `systemctl enable -q ${NFTABLES_UNIT}`,
        `systemctl restart ${NFTABLES_UNIT}`,
      ]);
    });

    test("all is written again where a chain is new, nothing but a load where somebody loaded other tables", () => {
      const forgotten = firewallRuleKind.plan(want, have(TABLES + KEPT.replace("chain ip guard first\n", "")));
      expect(forgotten.map(({ why }) => why)).toEqual([
        "open 5432/tcp to 10.0.0.0/8, 198.18.6.11/32 (after a restart; now it is so)",
      ]);
      const loaded = firewallRuleKind.plan(want, have(TABLES.replaceAll('"jump"', '"goto"') + KEPT));
      expect(loaded.map(({ why }) => why)).toEqual([
        "open 5432/tcp to 10.0.0.0/8, 198.18.6.11/32 (now; after a restart it is so)",
      ]);
    });

    test("the cluster's own lines go with it, and no other's", () => {
      const script = scripts(firewallRuleKind.planDelete(healthy, want, []));
      expect(script).toContain("sed '/^open 198.18.6.11\\/32 5432 /d;/^open 10.0.0.0\\/8 5432 /d'");
      expect(script).not.toContain("5433");
    });

    test("of a removal that was cut the chain is left, and is taken out", () => {
      const cut = KEPT.replace("unit enabled", "unit not-found").replace(/^(chain|open) .*\n/gm, "");
      expect(cut).not.toBe(KEPT);
      const found = firewallRuleKind.project(want, have(TABLES + cut)).inputs;
      expect(found).toMatchObject({ sources: [], runtimeOnly: want.sources });
      const script = scripts(firewallRuleKind.planDelete(have(TABLES + cut), found, []));
      expect(script).toContain("'chain inet filter input' 'chain ip guard first'");
      expect(script.indexOf("nft -f -\n' nftables-open close")).toBeGreaterThan(
        script.indexOf("systemctl daemon-reload"),
      );
    });
  });
});
