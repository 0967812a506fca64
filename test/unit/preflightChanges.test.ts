import type { InstanceFacts } from "../../facts/instance";
import type { Probe } from "../../facts/probe";
import type { Ctx } from "../../providers/kind";
import type { PreflightInputs, PreflightNode } from "../../providers/preflight";
import { changeProblems } from "../../providers/preflightChanges";
import * as facts from "../support/facts";

const node = (id: number, over: Partial<PreflightNode> = {}): PreflightNode => {
  const { node: name, host, address } = facts.member(id);
  return { node: name, id, host, address, isWitness: false, ...over };
};
const before: PreflightInputs = {
  ...facts.clusterInputs(),
  kind: "Preflight",
  protect: false,
  packages: [],
  nodes: [1, 2, 3].map((id) => node(id)),
};
const HEALTHY = [facts.primary(), facts.standby(2), facts.standby(3)];

/** Answers for the hosts pg1 to pg3 under the old inventory; a failure where there is text. */
function world(answers: readonly (InstanceFacts | string)[]): Ctx {
  return {
    ask<T>(host: string, probe: Probe<T>): Promise<T> {
      expect(probe.key).toContain(`"port":${before.port}`);
      const answer = answers[Number(host.slice(2)) - 1];
      if (answer === undefined) throw new Error(`${host} is asked`);
      return typeof answer === "string" ? Promise.reject(new Error(answer)) : Promise.resolve(answer as T);
    },
  };
}

const problems = (
  over: Partial<PreflightInputs>,
  answers: readonly (InstanceFacts | string)[] = HEALTHY,
  was = before,
): Promise<string[]> => changeProblems(world(answers), { ...was, ...over }, was);
const nodes = (...list: PreflightNode[]): Partial<PreflightInputs> => ({ nodes: list });

const IDENTITY: [string, Partial<PreflightInputs>, RegExp[]][] = [
  ["the port", { port: 5433 }, [/port cannot change from 5432 to 5433.*take the cluster out of the inventory/]],
  [
    "the data directory",
    { dataDirectory: "/srv/main" },
    [/data_directory cannot change.*sudo mv \/var\/lib\/postgresql\/17\/main \/srv\/main/],
  ],
  [
    "the version, which takes the default directory along",
    { version: 18, dataDirectory: "/var/lib/postgresql/18/main" },
    [/version cannot change from 17 to 18.*read from its repmgr\.conf on every host/],
  ],
  ["the version, backwards", { version: 15, dataDirectory: "/srv/15" }, [/from 17 to 15.*no way back.*pg_dump/]],
  ["the version in the same place", { version: 18 }, [/from 17 to 18.*need a place of their own/]],
  [
    "the name of a node",
    nodes(node(1, { node: "db1" }), node(2), node(3)),
    [/n1 on pg1 cannot be called db1.*Keep its name; or remove n1 in one run/],
  ],
  [
    "the name and the id of a node",
    nodes(node(1), node(2), node(3, { node: "db3", id: 7 })),
    [/n3 on pg3 cannot be called db3/],
  ],
  ["the id of a node", nodes(node(1), node(2), node(3, { id: 7 })), [/n3 on pg3 cannot change its id from 3 to 7/]],
  [
    "the host of a node",
    nodes(node(1), node(2), node(3, { host: "pg4" })),
    [/n3 cannot move from pg3 to pg4.*Add a node with a name and an id of its own on pg4/],
  ],
  [
    "two hosts, swapped",
    nodes(node(1, { host: "pg2" }), node(2, { host: "pg1" }), node(3)),
    [/n1 cannot move from pg1 to pg2/, /n2 cannot move from pg2 to pg1/],
  ],
  [
    "what a node is",
    nodes(node(1), node(2), node(3, { isWitness: true })),
    [/n3 on pg3 cannot change from a data node to a witness/],
  ],
  [
    "the owner of an id",
    nodes(node(1), node(2), node(4, { id: 3 })),
    [/n4 on pg4 cannot have the id 3, which is that of n3 on pg3/],
  ],
];

describe("an upgrade that the hosts allow", () => {
  const upgraded = { version: 18, dataDirectory: "/var/lib/postgresql/18/main" };
  const upgrade = (over: Partial<PreflightInputs>): Promise<string[]> =>
    changeProblems(world(HEALTHY), { ...before, ...upgraded, ...over }, before, true);

  test("is no move of data", async () => {
    expect(await upgrade({})).toEqual([]);
  });

  test("takes no other port and no node away", async () => {
    expect(await upgrade({ port: 5433 })).toEqual([expect.stringMatching(/port cannot change from 5432 to 5433/)]);
    expect(await upgrade(nodes(node(1), node(2)))).toEqual([expect.stringMatching(/cannot leave in the same change/)]);
  });
});

describe("what a node or a cluster is cannot change under its data", () => {
  test.each(IDENTITY)("%s", async (_, over, expected) => {
    expect(await problems(over)).toEqual(expected.map((message) => expect.stringMatching(message) as string));
  });

  test.each(IDENTITY)("but may while there are none: %s", async (_, over) => {
    expect(
      await problems(
        over,
        [1, 2, 3].map(() => facts.without("absent")),
      ),
    ).toEqual([]);
  });

  test("a host that cannot be asked may hold data", async () => {
    expect(await problems({ port: 5433 }, ["pg1: no answer", facts.without("absent"), facts.standby(3)])).toEqual([
      "cluster main: pg1: no answer",
    ]);
  });

  test("nobody is asked when nothing of that kind changes, or a node is added", async () => {
    expect(await problems({ failover: "manual" }, [])).toEqual([]);
    expect(await problems(nodes(node(1), node(2), node(3), node(4)), [])).toEqual([]);
  });
});

const names = (text: string): { settings: object; replicas: object[] } => ({
  settings: { synchronous_standby_names: facts.setting(text) },
  replicas: ["n2", "n3"].map((name) => ({ name, state: "streaming", syncState: "sync", lagBytes: 0 })),
});
const synchronous = (text: string): InstanceFacts[] => [
  facts.primary({}, names(text) as Parameters<typeof facts.primary>[1]),
  facts.standby(2),
  facts.standby(3),
];
const witnessed = { ...before, nodes: [node(1), node(2), node(3, { isWitness: true })] };
const WITNESS = facts.primary();

describe("a node leaves", () => {
  const without3 = nodes(node(1), node(2));
  const manual = { ...without3, failover: "manual" as const };

  test.each<[string, Partial<PreflightInputs>, (InstanceFacts | string)[]]>([
    ["a standby, with manual failover", manual, HEALTHY],
    ["a standby, of three with automatic failover, for a new node", nodes(node(1), node(2), node(4)), HEALTHY],
    ["a node that is down already", without3, [facts.primary(), facts.standby(2), facts.stoppedStandby()]],
    ["a standby that is one of two that may confirm", manual, synchronous("ANY 1 (n2, n3)")],
    ["a standby that synchronous replication does not name", manual, synchronous("n2")],
    ["a standby, by name in another case and quoted", manual, synchronous('FIRST 1 ("N2", "N3")')],
    [
      "a former primary that is stopped",
      nodes(node(2), node(3)),
      [facts.formerPrimary(), facts.primary(), facts.standby(3, 2)],
    ],
  ])("%s", async (_, over, answers) => expect(await problems(over, answers)).toEqual([]));

  test.each<[string, Partial<PreflightInputs>, (InstanceFacts | string)[], RegExp, PreflightInputs?]>([
    [
      "any node of a cluster that was deployed as protected",
      { ...manual, protect: false },
      [],
      /n3 cannot be removed, the cluster is protected. Set "protect: false" with n3/,
      { ...before, protect: true },
    ],
    ["the live primary", nodes(node(2), node(3)), HEALTHY, /n1 on pg1 is the primary and n2, n3 depend on it/],
    ["the only synchronous standby", manual, synchronous("n3"), /n3 cannot be removed.*"n3".*no standby left of the 1/],
    ["one of two that both confirm", manual, synchronous("2 (n2,n3)"), /n3 cannot be removed.*with n2 left of the 2/],
    ["one of everybody, of whom all confirm", manual, synchronous("ANY 2 (*)"), /every commit would hang/],
    ["the second of two voters", without3, HEALTHY, /n3 cannot be removed now: n2 would be left.*failover: manual/],
    [
      "the witness, while the third node is down",
      nodes(node(1), node(2), node(4)),
      [facts.primary(), facts.standby(2), WITNESS, facts.stoppedStandby()],
      /n3 \(the witness\) cannot be removed now.*Bring back n4 on pg4 first/,
      { ...witnessed, nodes: [...witnessed.nodes, node(4)] },
    ],
    [
      "the witness, which the two others need",
      nodes(node(1), node(2)),
      [facts.primary(), facts.standby(2), WITNESS],
      /n3 \(the witness\) cannot be removed now/,
      witnessed,
    ],
  ])("refused: %s", async (_, over, answers, message, was = before) => {
    expect(await problems(over, answers, was)).toEqual([expect.stringMatching(message)]);
  });
});
