import { type FirewallFact, firewallOf } from "../../facts/firewall";
import { nftablesProbe } from "../../facts/nftables";
import { ufwProbe } from "../../facts/ufw";
import { firewallRuleKind, type FirewallRuleInputs } from "../../providers/firewallRule";
import { Refused } from "../../providers/kind";
import { parsed, recorded, scripts } from "./kindFixture";
import { UfwHost } from "./ufwHost";

const want: FirewallRuleInputs = {
  kind: "FirewallRule",
  pending: [],
  reach: {},
  host: "pg3",
  cluster: "main",
  node: "n3",
  purpose: "postgresql",
  port: 5432,
  sources: ["198.18.0.0/24", "198.18.0.11/32", "198.18.0.12/32", "2001:db8::/48"],
  runtimeOnly: [],
  permanentOnly: [],
};
const NO_NFTABLES = parsed(nftablesProbe, "");
const of = (answer: string): FirewallFact => firewallOf(undefined, parsed(ufwProbe, answer), NO_NFTABLES);
const healthy = (): UfwHost => {
  const host = new UfwHost();
  host.ufw("allow from 0.0.0.0/0 to any port 22 proto tcp");
  want.sources.forEach((source) => host.ufw(`allow from ${source} to any port 5432 proto tcp`, "repmgr-pulumi main"));
  return host;
};
const plan = (host: UfwHost, wanted = want): string => scripts(firewallRuleKind.plan(wanted, of(host.answer())));

describe("a real host's rules", () => {
  const facts = of(recorded("ufw"));
  const { inputs, outputs } = firewallRuleKind.project(want, facts);

  test("are shown where they let a source in to the port, and where they say no more than that", () => {
    expect(inputs.sources).toEqual([
      "0.0.0.0/0",
      "10.4.4.4/32",
      "198.18.0.0/24",
      "198.18.0.11/32",
      "198.18.0.12/32",
      "198.18.0.13/32",
      "2001:db8::/48",
      "::/0",
    ]);
    expect([inputs.runtimeOnly, inputs.permanentOnly]).toEqual([[], []]);
    expect(outputs).toEqual({ backend: "ufw", zone: "", firewall: "ufw" });
  });

  test("that let in somebody else are taken back by what they say, never by number", () => {
    const actions = firewallRuleKind.plan({ ...want, sources: [...want.sources, "198.18.0.13/32"] }, facts);
    expect(actions.map(({ why }) => why)).toEqual([
      expect.stringMatching(/^close 5432\/tcp, which the inventory .* to 0\.0\.0\.0\/0, 10\.4\.4\.4\/32, ::\/0$/),
    ]);
    expect(scripts(actions).split("\n")).toEqual([
      "'ufw' 'delete' 'allow' 'from' '0.0.0.0/0' 'to' 'any' 'port' '5432' >/dev/null",
      "'ufw' 'delete' 'allow' 'log' 'from' '10.4.4.4/32' 'to' 'any' 'port' '5432' 'proto' 'tcp' >/dev/null",
      "'ufw' 'delete' 'allow' 'from' '::/0' 'to' 'any' 'port' '5432' >/dev/null",
    ]);
  });
});

const ANYBODY = "allow from 0.0.0.0/0 to any port 5432";
const CHAIN11 = "ufw-user-input -s 198.18.0.11/32 -p tcp -m tcp --dport 5432 -j ACCEPT";
const CHAIN6 = "ufw6-user-input -s 2001:db8::/48 -p tcp -m tcp --dport 5432 -j ACCEPT";
const STRANGE = "ufw-user-input -s 203.0.113.0/24 -p tcp -m tcp --dport 5432 -j ACCEPT";

const TABLE: [what: string, how: (host: UfwHost) => void, shows: Partial<FirewallRuleInputs>][] = [
  [
    "nothing is open",
    (host) => want.sources.forEach((source) => host.ufw(`delete allow from ${source} to any port 5432 proto tcp`)),
    { sources: [] },
  ],
  [
    "a rule was deleted",
    (host) => host.ufw("delete allow from 198.18.0.11/32 to any port 5432 proto tcp"),
    { sources: want.sources.filter((source) => source !== "198.18.0.11/32") },
  ],
  [
    "a rule of the chain was deleted",
    (host) => host.iptables("-D", CHAIN11),
    { sources: want.sources.filter((source) => source !== "198.18.0.11/32"), permanentOnly: ["198.18.0.11/32"] },
  ],
  [
    "a rule for IPv6 was deleted from its chain",
    (host) => host.iptables("-D", CHAIN6),
    { sources: want.sources.slice(0, -1), permanentOnly: ["2001:db8::/48"] },
  ],
  [
    "a rule was deleted from the file",
    (host) => host.editFile((line) => !line.includes("198.18.0.11")),
    { sources: want.sources.filter((source) => source !== "198.18.0.11/32"), runtimeOnly: ["198.18.0.11/32"] },
  ],
  ["a source was put into the chain", (host) => host.iptables("-A", STRANGE), { runtimeOnly: ["203.0.113.0/24"] }],
  ["the port was opened to anybody", (host) => host.ufw(ANYBODY), { sources: ["0.0.0.0/0", ...want.sources] }],
  [
    "the port was opened to anybody, and after that a rule deleted from the file and one from the chain",
    (host) => {
      host.ufw(ANYBODY);
      host.editFile((line) => !line.includes("2001:db8"));
      host.iptables("-D", CHAIN11);
    },
    {
      sources: ["0.0.0.0/0", ...want.sources.filter((s) => s !== "198.18.0.11/32" && s !== "2001:db8::/48")],
      permanentOnly: ["198.18.0.11/32"],
      runtimeOnly: ["2001:db8::/48"],
    },
  ],
];

test.each(TABLE)("%s: the drift shows, the plan repairs it once and for all", (_, how, shows) => {
  const host = healthy();
  const others = "allow from 10.6.0.0/16 to any port 5433 proto tcp";
  host.ufw(others, "of a user");
  how(host);
  expect(firewallRuleKind.project(want, of(host.answer())).inputs).toEqual({ ...want, ...shows });
  host.run(plan(host));
  expect(firewallRuleKind.project(want, of(host.answer())).inputs).toEqual(want);
  expect(plan(host)).toBe("");
  expect(host.chain.filter((rule) => rule.includes("5432"))).toHaveLength(want.sources.length);
  expect(host.file).toContainEqual([others, "of a user"]);
});

describe("delete", () => {
  test("takes back what is ours, and leaves what a user opened to the same source", () => {
    const host = healthy();
    host.editFile((line) => !line.includes("198.18.0.11"));
    host.ufw("allow from 198.18.0.11/32 to any port 5432 proto tcp");
    host.iptables("-D", CHAIN6);
    host.ufw("allow from 10.0.0.0/8 to any port 5432 proto tcp");
    host.run(scripts(firewallRuleKind.planDelete(of(host.answer()), want, [])));
    expect(host.file.map(([rule]) => rule)).toEqual([
      "allow from 0.0.0.0/0 to any port 22 proto tcp",
      "allow from 198.18.0.11/32 to any port 5432 proto tcp",
      "allow from 10.0.0.0/8 to any port 5432 proto tcp",
    ]);
    expect(host.chain).toHaveLength(3);
    expect(firewallRuleKind.planDelete(of(host.answer()), want, [])).toEqual([]);
  });

  test("takes back what is only in the chain", () => {
    const host = healthy();
    host.editFile((line) => !line.includes("198.18.0.11"));
    host.run(scripts(firewallRuleKind.planDelete(of(host.answer()), want, [])));
    expect(host.chain).toHaveLength(1);
  });
});

describe("what a rule of ours could not open is refused, and the rest is done before", () => {
  const refusal = (host: UfwHost, wanted = want): Refused => {
    try {
      plan(host, wanted);
    } catch (error) {
      if (error instanceof Refused) return error;
      throw error;
    }
    throw new Error("not refused");
  };

  test.each([
    ["the port is denied to all before", "deny from 0.0.0.0/0 to any port 5432", "198.18.0.0/24"],
    ["a range is refused before", "reject from 198.18.0.0/16 to any port 5000:6000 proto tcp", "198.18.0.0/24"],
    ["a list of ports is", "deny from 0.0.0.0/0 to any port 80,5432 proto tcp", "198.18.0.0/24"],
    ["a whole host is", "deny from 198.18.0.11/32 to any", "198.18.0.11/32"],
    [
      "a user limits the same source, which ufw would replace",
      "limit from 198.18.0.12/32 to any port 5432 proto tcp",
      "198.18.0.12/32",
    ],
  ])("%s", (_, rule, source) => {
    const host = new UfwHost();
    host.ufw(rule);
    const { message, besides } = refusal(host);
    expect(message).toContain(
      `pg3: cluster main needs 5432/tcp open to ${source}: ufw's rule "${rule}" comes first; "sudo ufw delete ${rule}"`,
    );
    host.run(scripts(besides));
    expect(host.file.map(([text]) => text)).toContain("allow from 2001:db8::/48 to any port 5432 proto tcp");
    expect(host.file.map(([text]) => text)).toContain(rule);
    expect(refusal(host).besides).toEqual([]);
  });

  test.each([
    ["is about a part of a network", "deny from 198.18.0.99/32 to any port 5432 proto tcp"],
    ["is about another port", "deny from 198.18.0.0/24 to any port 5433 proto tcp"],
    ["is about other ports", "deny from 198.18.0.0/24 to any port 80,5433:6000 proto tcp"],
    ["limits everybody", "limit from 0.0.0.0/0 to any port 5432 proto tcp"],
    ["limits the same source on another port", "limit from 198.18.0.12/32 to any port 5433 proto tcp"],
  ])("a rule that %s is the user's business", (_, rule) => {
    const host = new UfwHost();
    host.ufw(rule);
    host.run(plan(host));
    expect(plan(host)).toBe("");
    expect(host.file).toHaveLength(1 + want.sources.length);
  });

  test("so is a limit for a source that the user lets in besides", () => {
    const host = new UfwHost();
    host.ufw("allow from 198.18.0.12/32 to any port 5432");
    host.ufw("limit from 198.18.0.12/32 to any port 5432 proto tcp");
    host.run(plan(host));
    expect(plan(host)).toBe("");
    expect(host.file).toHaveLength(2 + want.sources.length - 1);
  });

  test("so is one that comes after ours", () => {
    const host = healthy();
    host.ufw("deny from 0.0.0.0/0 to any port 5432 proto tcp");
    expect(plan(host)).toBe("");
  });

  test("a network of IPv6 where ufw ignores IPv6", () => {
    const host = new UfwHost();
    host.hasIpv6 = false;
    expect(refusal(host).message).toBe(
      'pg3: cluster main needs 5432/tcp open to 2001:db8::/48: ufw has IPV6=no in /etc/default/ufw; set it to yes there, then "sudo ufw reload"',
    );
  });
});

test.each([
  ["", "off"],
  ["enabled\n", "enabled"],
])("a host that says %j has no ufw to be managed", (said, state) => {
  expect(parsed(ufwProbe, said).state).toBe(state);
});

test("files that cannot be read are no answer", () => {
  expect(() => parsed(ufwProbe, "active\n", 2)).toThrow("exit status 2");
});
