import type { Probe } from "../../facts/probe";
import type { Ctx } from "../../providers/kind";
import type { NodeFacts, PreflightNode } from "../../providers/preflight";
import { removalNeedsRoot, unpreparedProblems } from "../../providers/preflightRestricted";
import * as facts from "../support/facts";
import { inputs } from "./preflightFixture";

const [n1, n2] = inputs.nodes as [PreflightNode, PreflightNode];

/** Hosts whose login may become postgres only. */
const hosts = (...restricted: string[]): Ctx => ({
  ask: <T>(host: string, probe: Probe<T>) => {
    const stdout = restricted.includes(host) ? "restricted=1\n" : "";
    return Promise.resolve(probe.parse({ code: 0, stdout, stderr: "" }, { from: 0, to: 0 }));
  },
});

describe("a login that may become postgres only", () => {
  test.each([
    ["root:postgres 01775", []],
    [undefined, []],
    [
      "root:root 0755",
      [expect.stringMatching(/\/etc\/repmgr\/main is root:root 0755: .*"sudo: nopasswd".* for pg1 in the inventory/)],
    ],
  ])("with the directory of the cluster %s", (directory, expected) => {
    const instance = { ...facts.primary(), directory };
    expect(unpreparedProblems(inputs, n1, { instance } as NodeFacts)).toEqual(expected);
  });

  test("takes no node out of a cluster", async () => {
    const now = { ...inputs, nodes: [n1] };
    const before = { ...inputs, nodes: [n1, n2] };
    expect(await removalNeedsRoot(hosts("pg2"), now, before)).toEqual([
      expect.stringMatching(
        /^cluster main: n2 leaves it, and its units, .* on pg2 are root's.* for pg2 in the inventory/,
      ),
    ]);
    expect(await removalNeedsRoot(hosts("pg1"), now, before)).toEqual([]);
    expect(await removalNeedsRoot(hosts("pg1"), now, undefined)).toEqual([]);
  });
});
