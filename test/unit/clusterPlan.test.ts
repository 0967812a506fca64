import type { ContentFact, DatabaseFact, ExtensionFact, RoleFact } from "../../facts/content";
import type { InstanceFacts } from "../../facts/instance";
import type { RunningFacts } from "../../facts/running";
import { scramVerifier, verifies } from "../../facts/scram";
import { equal } from "../../providers/canonical";
import type { ClusterView } from "../../providers/cluster";
import { Refused } from "../../providers/kind";
import { pgClusterKind, type ManagedRole, type PgClusterInputs } from "../../providers/pgCluster";
import * as facts from "../support/facts";

const { plan } = pgClusterKind;
const APP: ManagedRole = {
  name: "app",
  login: true,
  superuser: false,
  createdb: false,
  createrole: false,
  replication: false,
  connectionLimit: -1,
};
const extension = (name: string, version = "1.0", available: string | null = "1.0"): ExtensionFact => ({
  name,
  version,
  schema: "public",
  available,
});
const database = (name: string, over: Partial<DatabaseFact> = {}): DatabaseFact =>
  facts.database(name, { extensions: [extension("plpgsql")], ...over });
const cluster = (run: Partial<RunningFacts>): ClusterView =>
  facts.view([facts.primary({}, run), facts.standby(2), facts.standby(3)]);

function content(
  want: Partial<PgClusterInputs>,
  found: Partial<ContentFact> = {},
): { whys: string[]; sql: string; state: string; roles: unknown; databases: unknown } {
  const inputs = facts.pgClusterInputs(want);
  const have = facts.clusterFacts(cluster({}), found);
  const actions = plan(inputs, have);
  const sql = actions.map((a) => (a.do === "run" ? (a.stdin ?? "").split("\n").slice(1).join("\n") : "")).join("");
  const { content: state, roles, databases } = pgClusterKind.project(inputs, have).inputs;
  return { whys: actions.map(({ why }) => why), sql, state, roles, databases };
}

describe("roles", () => {
  const off = "nosuperuser nocreatedb nocreaterole noreplication";
  test.each<[string, Partial<ManagedRole>, RoleFact | undefined, string[], string]>([
    [
      "missing",
      {},
      undefined,
      ["create role app (login, nosuperuser, nocreatedb, nocreaterole, noreplication, connection limit -1)"],
      `create role "app" with login ${off} connection limit -1;\n`,
    ],
    ["right", {}, facts.role("app"), [], ""],
    [
      "lacking an attribute",
      { createdb: true },
      facts.role("app"),
      ["alter role app (createdb)"],
      'alter role "app" with createdb;\n',
    ],
    [
      "having one too many",
      {},
      facts.role("app", { superuser: true }),
      ["alter role app (nosuperuser)"],
      'alter role "app" with nosuperuser;\n',
    ],
    [
      "that must not log in",
      { login: false },
      facts.role("app"),
      ["alter role app (nologin)"],
      'alter role "app" with nologin;\n',
    ],
    [
      "with another limit",
      { connectionLimit: 5 },
      facts.role("app"),
      ["alter role app (connection limit 5)"],
      'alter role "app" with connection limit 5;\n',
    ],
  ])("%s", (_, over, have, whys, sql) => {
    const roles = [facts.repmgrRole(), ...(have === undefined ? [] : [have])];
    const seen = content({ roles: [{ ...APP, ...over }] }, { roles });
    expect({ whys: seen.whys, sql: seen.sql }).toEqual({ whys, sql });
    expect(seen.state).toBe("as wanted");
    expect(equal(seen.roles, [{ ...APP, ...over }])).toBe(whys.length === 0);
  });

  test.each<[string, string | null, boolean]>([
    ["right", scramVerifier("canary-secret"), true],
    ["another", scramVerifier("old"), false],
    ["missing", null, false],
    ["kept as md5", "md5a94a8fe5ccb19ba61c4c0873d391e987", false],
  ])("a password that is %s", (_, verifier, isRight) => {
    const roles = [facts.role("app", { verifier })];
    const { whys, sql, state } = content({ roles: [APP], rolePasswords: { app: "canary-secret" } }, { roles });
    expect(whys).toEqual(isRight ? [] : ["alter role app (its password)"]);
    expect(state).toBe(whys[0] ?? "as wanted");
    expect(whys.join() + sql).not.toContain("canary");
    const [, sent] = /password '([^']+)'/.exec(sql) ?? [];
    if (!isRight) expect(verifies(sent ?? null, "canary-secret")).toBe(true);
  });

  test("statements with verifiers are kept out of the server's log", () => {
    const [action] = plan(
      facts.pgClusterInputs({ roles: [APP], rolePasswords: { app: "x" } }),
      facts.clusterFacts(cluster({})),
    );
    expect(action).toMatchObject({ do: "run", host: "pg1" });
    const { stdin, script } = action as { stdin: string; script: string };
    expect(stdin.indexOf("log_statement = 'none'")).toBeLessThan(stdin.indexOf("create role"));
    expect(script).not.toContain("SCRAM");
  });

  test("a name that is no plain word is quoted", () => {
    const { sql } = content({ roles: [{ ...APP, name: 'a"; drop role x; --' }] });
    expect(sql).toContain('create role "a""; drop role x; --" with');
  });
});

describe("databases", () => {
  const trgm = (version = "1.0", available: string | null = "1.0"): ExtensionFact =>
    extension("pg_trgm", version, available);
  const app = { name: "app", owner: "app", extensions: ["pg_trgm"] };
  test.each<[string, DatabaseFact[], string[]]>([
    ["missing", [], ["create database app", "create extension pg_trgm in app"]],
    ["right", [database("app", { owner: "app", extensions: [trgm(), extension("plpgsql")] })], []],
    ["of another owner", [database("app", { extensions: [trgm()] })], ["database app belongs to postgres, not to app"]],
    ["without its extension", [database("app", { owner: "app" })], ["create extension pg_trgm in app"]],
    [
      "with an extension that no package brings any more",
      [database("app", { owner: "app", extensions: [trgm("0.9", null)] })],
      [],
    ],
  ])("%s: the review shows it as data", (_, databases, whys) => {
    const seen = content({ databases: [app] }, { databases });
    expect(seen.whys).toEqual(whys);
    expect(seen.state).toBe("as wanted");
    expect(equal(seen.databases, [app])).toBe(whys.length === 0);
  });

  test("with an extension older than its package: updated, and told in words", () => {
    const older = [database("app", { owner: "app", extensions: [trgm("0.9")] })];
    const seen = content({ databases: [app] }, { databases: older });
    expect(seen.whys).toEqual(["update extension pg_trgm 0.9 to 1.0 in app"]);
    expect(seen.sql).toBe('alter extension "pg_trgm" update;\n');
    expect(seen.state).toBe(seen.whys[0]);
    expect(seen.databases).toEqual([app]);
  });

  test("nothing that is there besides is ever dropped", () => {
    const seen = content(
      { databases: [], roles: [] },
      { roles: [facts.role("someone")], databases: [database("precious")] },
    );
    expect(seen.whys).toEqual([]);
  });

  test("without an owner named, whoever owns it may keep it", () => {
    expect(
      content({ databases: [{ name: "app", extensions: [] }] }, { databases: [database("app", { owner: "someone" })] })
        .whys,
    ).toEqual([]);
  });
});

describe("when it cannot be done", () => {
  test.each<[string, InstanceFacts[], RegExp]>([
    [
      "no primary",
      [facts.formerPrimary(), facts.standby(2), facts.standby(3)],
      /no node takes writes; see "sudo journalctl -u repmgrd-main"/,
    ],
    ["two primaries", [facts.primary(), facts.primary({}, { timeline: 2 }), facts.standby(3)], /both take writes/],
  ])("%s", (_, nodes, message) => {
    const act = (): unknown => plan(facts.pgClusterInputs(), facts.clusterFacts(facts.view(nodes)));
    expect(act).toThrow(Refused);
    expect(act).toThrow(message);
  });
});

test("a pause that was left behind is lifted, and shown", () => {
  const paused = { nodes: facts.rows(), paused: true };
  const seen = facts.view([
    facts.primary({ repmgr: paused }),
    facts.standby(2, 1, {}, { repmgr: paused }),
    facts.standby(3),
  ]);
  const inputs = facts.pgClusterInputs();
  const actions = plan(inputs, facts.clusterFacts(seen));
  expect(facts.whys(actions)).toEqual(
    [1, 2].map((id) => `pg${id}: unpause repmgrd of n${id}: it acts on a failure again`),
  );
  expect(facts.shell(actions)).toContain("repmgrd_pause(false)");
  expect(pgClusterKind.project(inputs, facts.clusterFacts(seen)).inputs.repmgrd).toBe("paused on n1, n2");
});

test("what it projects is exactly its inputs when healthy", () => {
  const inputs = facts.pgClusterInputs({ roles: [APP] });
  const seen = facts.clusterFacts(cluster({}), { roles: [facts.role("app")] });
  expect(pgClusterKind.project(inputs, seen).inputs).toEqual(inputs);
});

describe("it goes", () => {
  const goes = (nodes: InstanceFacts[]): string[] =>
    facts.whys(pgClusterKind.planDelete(facts.clusterFacts(facts.view(nodes)), facts.pgClusterInputs(), []));

  test("repmgrd stops everywhere before anybody is unregistered", () => {
    expect(goes([facts.primary(), facts.standby(2), facts.standby(3, 1, {}, { repmgrd: "activating" })])).toEqual([
      ...["pg1", "pg2", "pg3"].map(
        (host) => `${host}: cluster main is taken down: repmgrd must not fail over meanwhile`,
      ),
      "pg1: cluster main is taken down: unregister its nodes",
    ]);
  });

  test("nothing is done twice", () => {
    const off = { repmgrd: "inactive" };
    expect(
      goes([
        facts.primary({ ...off, repmgr: { nodes: [] } }),
        facts.standby(2, 1, {}, off),
        facts.standby(3, 1, {}, off),
      ]),
    ).toEqual([]);
    expect(goes([facts.without("absent"), facts.without("absent"), facts.without("absent")])).toEqual([]);
  });

  test("nobody is unregistered while two take writes", () => {
    expect(() => goes([facts.primary(), facts.primary(), facts.standby(3)])).toThrow(Refused);
  });

  test("it is gone only when no node has data", () => {
    const gone = [1, 2, 3].map(() => facts.without("absent"));
    expect(pgClusterKind.isAbsent(facts.clusterFacts(facts.view(gone)))).toBe(true);
    expect(pgClusterKind.isAbsent(facts.clusterFacts(facts.view([...gone.slice(1), facts.stoppedStandby()])))).toBe(
      false,
    );
  });
});
