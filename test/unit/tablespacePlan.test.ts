import type { WaitFor } from "../../actions/action";
import type { TablespaceSpec } from "../../config/types";
import type { TablespaceFact } from "../../facts/content";
import type { RemovalFact } from "../../facts/removal";
import type { SpaceDirectory } from "../../facts/tablespaces";
import { Refused } from "../../providers/kind";
import { pgClusterKind, type PgClusterInputs } from "../../providers/pgCluster";
import type { PreflightInputs } from "../../providers/preflight";
import { spaceMoves } from "../../providers/preflightSpaces";
import { recallOurs } from "../../providers/removalContent";
import * as facts from "../support/facts";

const FAST: TablespaceSpec = { name: "fast", directory: "/srv/fast" };
const HAS: TablespaceFact = { name: "fast", directory: "/srv/fast", owner: "postgres", options: {} };
const FREE: RemovalFact = { databaseSessions: {}, roleSessions: {}, slots: {}, spaces: {}, owned: [] };

function look(
  want: Partial<PgClusterInputs>,
  content: Parameters<typeof facts.clusterFacts>[1] = {},
  removal = FREE,
  view = facts.healthy(),
) {
  const inputs = facts.pgClusterInputs(want);
  const have = { ...facts.clusterFacts(view, content), removal };
  const found = pgClusterKind.project(inputs, have).inputs;
  try {
    const actions = pgClusterKind.plan(inputs, have);
    return { actions, whys: facts.whys(actions), sql: facts.shell(actions), found, refused: "" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const actions = error.besides;
    return { actions, whys: facts.whys(actions), sql: facts.shell(actions), found, refused: error.message };
  }
}

describe("a tablespace that is not there", () => {
  test("is made after its owner and before its database, once every data node has its directory", () => {
    const want = {
      roles: [
        {
          name: "app",
          login: true,
          superuser: false,
          createdb: false,
          createrole: false,
          replication: false,
          connectionLimit: -1,
        },
      ],
      tablespaces: [{ ...FAST, owner: "app", options: { random_page_cost: "1.1", seq_page_cost: "1" } }],
      databases: [{ name: "shop", tablespace: "fast", extensions: [] }],
    };
    const { whys, sql } = look(want, {}, FREE, facts.view([facts.primary(), facts.standby(2), facts.standby(3)], 3));
    expect(whys.map((why) => why.replace(/ \(.*/, ""))).toEqual([
      "pg1: create role app",
      "pg1: /srv/fast, for the tablespace fast, is there on n1",
      "pg2: /srv/fast, for the tablespace fast, is there on n2",
      "pg1: create tablespace fast in /srv/fast, on every node",
      "pg1: create database shop",
    ]);
    expect(sql).toContain(
      `create tablespace "fast" owner "app" location '/srv/fast' with (random_page_cost = 1.1, seq_page_cost = 1);`,
    );
    expect(sql).toContain('create database "shop" tablespace "fast";');
    expect(sql).not.toMatch(/begin;\n[^]*create tablespace/);
  });

  test.each<[string, Partial<SpaceDirectory>, string | undefined]>([
    ["that is ready", { is: "directory", ownership: "postgres:postgres 0700" }, undefined],
    ["that a group may read", { is: "directory", ownership: "postgres:dba 0750" }, undefined],
    ["that is not there", { is: "absent", ownership: "" }, "it is absent"],
    ["of root", { is: "directory", ownership: "root:root 0755" }, "it is root:root 0755"],
  ])("a directory %s", async (_, have, said) => {
    const { actions } = look({ tablespaces: [FAST] });
    const [wait] = actions as [WaitFor];
    const answer = [{ directory: "/srv/fast", entries: [], isLinked: false, isMountPoint: false, users: [], ...have }];
    expect(await wait.look(<T>() => Promise.resolve(answer as T))).toBe(said);
  });
});

test.each<[string, Partial<TablespaceSpec>, Partial<TablespaceFact>, string[], string, Partial<TablespaceSpec>]>([
  ["nothing that nobody wrote", {}, { owner: "eve", options: { seq_page_cost: "9" } }, [], "", {}],
  [
    "its owner",
    { owner: "app" },
    {},
    ["pg1: tablespace fast belongs to postgres, not to app"],
    'alter tablespace "fast" owner to "app";',
    { owner: "postgres" },
  ],
  [
    "its options",
    { options: { seq_page_cost: "1", random_page_cost: "1.1" } },
    { options: { seq_page_cost: "1.0", effective_io_concurrency: "7" } },
    ["pg1: tablespace fast: random_page_cost = 1.1, no effective_io_concurrency"],
    'begin;\nalter tablespace "fast" set (random_page_cost = 1.1);\nalter tablespace "fast" reset (effective_io_concurrency);\ncommit;',
    { options: { seq_page_cost: "1", effective_io_concurrency: "7" } },
  ],
])("one that is there differs in %s", (_, want, have, whys, sql, shown) => {
  const seen = look({ tablespaces: [{ ...FAST, ...want }] }, { tablespaces: [{ ...HAS, ...have }] });
  expect(seen.whys).toEqual(whys);
  expect(seen.sql).toContain(sql);
  expect(seen.found.tablespaces).toEqual([{ ...FAST, ...shown }]);
});

test.each<[string, Partial<PgClusterInputs>, Partial<TablespaceFact>, RegExp]>([
  [
    "another directory",
    { tablespaces: [FAST] },
    { directory: "/srv/slow" },
    /tablespace fast is in \/srv\/slow, not in \/srv\/fast, and PostgreSQL cannot move it\. Write its directory into the inventory/,
  ],
  [
    "a database that is elsewhere",
    { tablespaces: [FAST], databases: [{ name: "app", tablespace: "fast", extensions: [] }] },
    {},
    /database app is in the tablespace pg_default, not in fast: .*Type on the primary, when it suits you: alter database "app" set tablespace "fast"/,
  ],
])("refused: %s", (_, want, have, message) => {
  const seen = look(want, { tablespaces: [{ ...HAS, ...have }], databases: [facts.database("app")] });
  expect(seen.refused).toMatch(message);
  expect(seen.whys).toEqual([]);
});

test("the state remembers nothing of tablespaces where there are none", () => {
  expect(Object.keys(look({}).found)).not.toContain("tablespaces");
});

describe("what is marked as removed", () => {
  const GONE = { roles: ["old"], databases: ["old"], tablespaces: ["fast"] };
  const THERE = { roles: [facts.role("old")], databases: [facts.database("old")], tablespaces: [HAS] };

  test("is dropped after the database in it and before its owner", () => {
    const removal = {
      ...FREE,
      spaces: { fast: ["old"] },
      owned: [{ role: "old", database: "", tablespace: "fast", objects: 1 }],
    };
    const { whys, actions, sql, refused, found } = look({ removed: GONE, ours: GONE }, THERE, removal);
    expect(whys).toEqual(["pg1: drop database old", "pg1: drop tablespace fast", "pg1: drop role old"]);
    expect(actions.map(({ effect }) => effect)).toEqual(["drop", "drop", "drop"]);
    expect(sql).toContain('drop tablespace "fast";');
    expect([refused, found.removed]).toEqual(["", { roles: [], databases: [], tablespaces: [] }]);
  });

  test.each<[string, Partial<PgClusterInputs>, Partial<RemovalFact>, RegExp, string[]]>([
    [
      "that this program never deployed here",
      { ours: { roles: [], databases: [] } },
      {},
      /tablespace fast is marked as removed and exists, but this program has not deployed it here/,
      [],
    ],
    [
      "that is not empty, and then its owner stays as well",
      { ours: GONE },
      {
        spaces: { fast: ["app", "shop"] },
        owned: [{ role: "old", database: "", tablespace: "fast", objects: 1 }],
      },
      /tablespace fast is not dropped: it holds files of app, shop\. Move them first.*role old is not dropped: it owns, or has rights on, the tablespace fast/,
      ["pg1: drop database old"],
    ],
  ])("and stays: one %s", (_, want, removal, message, whys) => {
    const seen = look({ removed: GONE, ...want }, THERE, { ...FREE, ...removal });
    expect(seen.refused).toMatch(message);
    expect(seen.whys).toEqual(whys);
  });

  test("is ours when it was deployed the last time, or was about to be dropped", () => {
    const removed = { roles: [], databases: [], tablespaces: ["fast", "slow", "strange"] };
    const before = { cluster: "main", tablespaces: [FAST], ours: { roles: [], databases: [], tablespaces: ["slow"] } };
    expect(recallOurs(before, { cluster: "main", removed })?.tablespaces).toEqual(["fast", "slow"]);
  });
});

describe("another directory in the inventory than in the state", () => {
  const nodes = [1, 2].map((id) => ({ ...facts.member(id), id, isWitness: false }));
  const inputs = (directory: string): PreflightInputs => ({
    ...{ ...facts.clusterInputs(), kind: "Preflight", protect: false, packages: [], nodes },
    tablespaces: { fast: { directory } },
  });
  const moves = (isLinked: boolean, now: string): Promise<string[]> => {
    const found = [{ ...{ directory: "/srv/fast", is: "directory", ownership: "" }, isLinked, entries: [], users: [] }];
    const ask = <T>(host: string): Promise<T> =>
      host === "pg2" ? Promise.resolve(found as T) : Promise.reject(new Error("nobody answers"));
    return spaceMoves({ ask }, inputs(now), inputs("/srv/fast"));
  };

  test.each<[string, boolean, string, string[]]>([
    [
      "is refused where files are there",
      true,
      "/srv/slow",
      ["cluster main: tablespace fast is in /srv/fast, not in /srv/slow"],
    ],
    ["is no harm before there were any", false, "/srv/slow", []],
    ["and the same one is none", true, "/srv/fast", []],
  ])("%s", async (_, isLinked, now, expected) => {
    expect((await moves(isLinked, now)).map((problem) => problem.replace(/, and PostgreSQL.*/, ""))).toEqual(expected);
  });
});
