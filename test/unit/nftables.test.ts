import { closingChains, nftablesProbe } from "../../facts/nftables";
import { parsed, recorded } from "./kindFixture";

test("of a real host's tables only the chains are named that drop what nobody let in", () => {
  expect(parsed(nftablesProbe, recorded("nftables"))).toEqual(["inet filter input", "ip guard first"]);
});

test("a host without nft, or without tables of its own, has none", () => {
  expect(parsed(nftablesProbe, "")).toEqual([]);
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
  expect(closingChains(JSON.stringify({ nftables: [{ chain }, ...listed] }))).toEqual(
    isClosing ? ["inet t first"] : [],
  );
});
