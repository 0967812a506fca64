import type { DatabaseSpec } from "../../config/types";
import type { DatabaseFact, RoleFact } from "../../facts/content";
import { Refused } from "../../providers/kind";
import { equal } from "../../providers/canonical";
import { type ManagedRole, pgClusterKind, type PgClusterInputs } from "../../providers/pgCluster";
import * as facts from "../support/facts";

const off = { superuser: false, createdb: false, createrole: false, replication: false };
const APP: ManagedRole = { name: "app", login: true, ...off, connectionLimit: -1 };
const DB: DatabaseSpec = { name: "app", extensions: [] };

interface Seen {
  readonly whys: string[];
  readonly sql: string[];
  readonly inputs: PgClusterInputs;
}

function look(
  want: Partial<PgClusterInputs>,
  roles: readonly RoleFact[],
  databases: readonly DatabaseFact[] = [],
): Seen {
  const inputs = facts.pgClusterInputs(want);
  const have = facts.clusterFacts(facts.healthy(), { roles, databases });
  const actions = pgClusterKind.plan(inputs, have);
  const sql = actions.map((a) => (a.do === "run" ? (a.stdin ?? "").split("\n").slice(1, -1).join("\n") : ""));
  return { whys: actions.map(({ why }) => why), sql, inputs: pgClusterKind.project(inputs, have).inputs };
}

type RoleCase = [string, Partial<ManagedRole>, Partial<RoleFact>, string, string, Partial<ManagedRole>];
const by = (role: string, grantor = "postgres"): { role: string; grantor: string } => ({ role, grantor });

describe("a role differs in", () => {
  test.each<RoleCase>([
    [
      "an attribute that is managed because it is named",
      { inherit: false, bypassrls: true },
      {},
      "alter role app (noinherit, bypassrls)",
      'alter role "app" with noinherit bypassrls;',
      { inherit: true, bypassrls: false },
    ],
    [
      "its validity",
      { validUntil: "2027-01-31T00:00:00Z" },
      {},
      "alter role app (valid until 2027-01-31T00:00:00Z)",
      `alter role "app" with valid until '2027-01-31T00:00:00Z';`,
      { validUntil: "infinity" },
    ],
    [
      "its memberships",
      { memberOf: ["reader", "writer"] },
      { memberOf: [by("pg_monitor", "boss"), by("pg_monitor"), by("reader")] },
      "role app: member of writer, no longer of pg_monitor",
      [
        "begin;",
        'grant "writer" to "app";',
        'revoke "pg_monitor" from "app" granted by "boss" cascade;',
        'revoke "pg_monitor" from "app" granted by "postgres" cascade;',
        "commit;",
      ].join("\n"),
      { memberOf: ["pg_monitor", "reader"] },
    ],
    [
      "its settings",
      { settings: { search_path: 'sales, "$user"', statement_timeout: "30s" } },
      { settings: { search_path: '"sales", "$user"', statement_timeout: "1min", "my.own": "x" } },
      "role app: statement_timeout = 30s, no my.own",
      `begin;\nalter role "app" set "statement_timeout" to '30s';\nalter role "app" reset "my"."own";\ncommit;`,
      { settings: { search_path: 'sales, "$user"', statement_timeout: "1min", "my.own": "x" } },
    ],
    [
      "a list of names among its settings",
      { settings: { search_path: 'a, "$user"' } },
      {},
      'role app: search_path = a, "$user"',
      `alter role "app" set "search_path" to 'a', '$user';`,
      { settings: {} },
    ],
  ])("%s: the drift is that and no more", (_, want, have, why, sql, drift) => {
    const seen = look({ roles: [{ ...APP, ...want }] }, [facts.role("app", have)]);
    expect(seen.whys).toEqual([why]);
    expect(seen.sql).toEqual([sql]);
    expect(seen.inputs.roles).toEqual([{ ...APP, ...drift }]);
    expect(seen.inputs.content).toBe("as wanted");
  });

  test("nothing: what the inventory does not name is neither shown nor changed", () => {
    const have = { bypassrls: true, validUntil: "2027-01-31T00:00:00Z", memberOf: [by("x")], settings: { a: "b" } };
    const seen = look({ roles: [APP] }, [facts.role("app", have)]);
    expect(seen.whys).toEqual([]);
    expect(seen.inputs.roles).toEqual([APP]);
  });

  test("before 16 a membership has one grantor, and none is named", () => {
    const { sql } = look({ version: 15, roles: [{ ...APP, memberOf: [] }] }, [
      facts.role("app", { memberOf: [by("x")] }),
    ]);
    expect(sql).toEqual(['revoke "x" from "app" cascade;']);
  });
});

test("many roles are one transaction, in which a role is there before another is its member", () => {
  const reader = { ...APP, name: "reader", login: false };
  const { whys, sql } = look(
    { roles: [{ ...APP, memberOf: ["reader"] }, reader], rolePasswords: { app: "canary" } },
    [],
  );
  expect(whys).toHaveLength(1);
  expect(whys[0]).toMatch(
    /^create role app \(.*its password\); create role reader \(.*\); role app: member of reader$/,
  );
  expect(sql[0]?.split("\n").map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
    "begin;",
    'create role "app"',
    'create role "reader"',
    'grant "reader" to',
    "commit;",
  ]);
  expect(whys.join() + sql.join()).not.toContain("canary");
});

test("of a thousand roles the first are named", () => {
  const roles = Array.from({ length: 1000 }, (_, n) => ({ ...APP, name: `r${n}` }));
  const { whys } = look({ roles }, []);
  expect(whys[0]).toMatch(/^create role r0 .*create role r11 [^;]*; and 988 more$/);
});

type DatabaseCase = [string, Partial<DatabaseSpec>, Partial<DatabaseFact>, string, string, Partial<DatabaseSpec>];
const hstore = (version: string, schema = "public") => ({ name: "hstore", version, schema, available: "1.8" });

describe("a database differs in", () => {
  test.each<DatabaseCase>([
    [
      "its connection limit",
      { connectionLimit: 5 },
      {},
      "database app: connection limit 5",
      'alter database "app" connection limit 5;',
      { connectionLimit: -1 },
    ],
    [
      "its settings",
      { settings: { work_mem: "8MB" } },
      { settings: { work_mem: "4MB" } },
      "database app: work_mem = 8MB",
      `alter database "app" set "work_mem" to '8MB';`,
      { settings: { work_mem: "4MB" } },
    ],
    [
      "a schema that is missing",
      { schemas: [{ name: "sales", owner: "app" }] },
      {},
      "create schema sales in app",
      'create schema if not exists "sales" authorization "app";',
      { schemas: [] },
    ],
    [
      "a schema's owner",
      { schemas: [{ name: "sales", owner: "app" }] },
      { schemas: [{ name: "sales", owner: "eve" }] },
      "schema sales in app belongs to eve, not to app",
      'alter schema "sales" owner to "app";',
      { schemas: [{ name: "sales", owner: "eve" }] },
    ],
    [
      "the version of an extension",
      { extensions: [{ name: "hstore", version: "1.7" }] },
      { extensions: [hstore("1.4")] },
      "update extension hstore 1.4 to 1.7 in app",
      `alter extension "hstore" update to '1.7';`,
      { extensions: [{ name: "hstore", version: "1.4" }] },
    ],
    [
      "the schema of an extension",
      { extensions: [{ name: "hstore", schema: "ext" }] },
      { extensions: [hstore("1.8")] },
      "extension hstore in app is in schema public, not in ext",
      'alter extension "hstore" set schema "ext";',
      { extensions: [{ name: "hstore", schema: "public" }] },
    ],
    [
      "an extension that is missing",
      { extensions: [{ name: "hstore", version: "1.7", schema: "ext" }] },
      {},
      "create extension hstore in app",
      `create extension if not exists "hstore" schema "ext" version '1.7' cascade;`,
      { extensions: [] },
    ],
  ])("%s: the drift is that and no more", (_, want, have, why, sql, drift) => {
    const seen = look({ databases: [{ ...DB, ...want }] }, [], [facts.database("app", have)]);
    expect(seen.whys).toEqual([why]);
    expect(seen.sql).toEqual([sql]);
    expect(seen.inputs.databases).toEqual([{ ...DB, ...drift }]);
    expect(seen.inputs.content).toBe("as wanted");
  });

  test("that it lets nobody in: it is opened, and nothing is made up about what is in it", () => {
    const inside = {
      schemas: [{ name: "sales" }],
      extensions: ["hstore"],
      grants: [{ to: "app", on: "database", privileges: ["connect"] }],
      publications: [{ name: "orders", schemas: ["sales"] }],
    } as const;
    const want: DatabaseSpec = { ...DB, ...inside, connectionLimit: 5 };
    const have = facts.database("app", { closed: true, connectionLimit: 5 });
    const seen = look({ databases: [want] }, [], [have]);
    expect(seen.whys).toEqual(["database app lets nobody in: allow connections"]);
    expect(seen.sql).toEqual(['alter database "app" allow_connections true;']);
    expect(seen.inputs.databases).toEqual([want]);
    expect(seen.inputs.content).toBe("database app lets nobody in: allow connections");
  });

  test("nothing: libc and icu write one locale in several ways", () => {
    const want: DatabaseSpec = { ...DB, encoding: "UTF8", locale: "en_US.utf8", template: "other" };
    const seen = look({ databases: [want] }, [], [facts.database("app", { locale: "en_US.UTF-8" })]);
    expect(seen.whys).toEqual([]);
    expect(equal(seen.inputs.databases, [want])).toBe(true);
  });

  test("what it keeps for life: refused with what to do, and the rest is done all the same", () => {
    const want: DatabaseSpec = { ...DB, encoding: "UTF8", provider: "icu", locale: "de-DE", connectionLimit: 5 };
    const have = { encoding: "SQL_ASCII", locale: "C" };
    const failure = ((): unknown => {
      try {
        return look({ databases: [want] }, [], [facts.database("app", have)]);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(Refused);
    const { message, besides } = failure as Refused;
    expect(message).toMatch(
      /^cluster main: database app has encoding SQL_ASCII, not UTF8, provider libc, not icu, locale C, not de-DE, and PostgreSQL cannot change that. .*dump it/,
    );
    expect(besides.map(({ why }) => why)).toEqual(["database app: connection limit 5"]);
  });
});

describe("a database is made", () => {
  test.each<[string, number, Partial<DatabaseSpec>, string]>([
    ["plainly", 17, {}, ""],
    ["with all that it can have", 17, { owner: "app", connectionLimit: 3 }, ' owner "app" connection limit 3'],
    [
      "with a locale of libc",
      15,
      { encoding: "UTF8", locale: "C.UTF-8" },
      ` template "template0" encoding 'UTF8' locale_provider libc lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'`,
    ],
    ["on an old server", 14, { locale: "C" }, ` template "template0" lc_collate 'C' lc_ctype 'C'`],
    [
      "with icu",
      15,
      { provider: "icu", locale: "de-DE" },
      ` template "template0" locale_provider icu icu_locale 'de-DE'`,
    ],
    [
      "with the builtin provider, as a copy",
      17,
      { provider: "builtin", locale: "C.UTF-8", template: "seed" },
      ` template "seed" locale_provider builtin builtin_locale 'C.UTF-8'`,
    ],
  ])("%s", (_, version, want, options) => {
    const { whys, sql } = look({ version, databases: [{ ...DB, ...want }] }, []);
    expect(whys).toEqual(["create database app"]);
    expect(sql).toEqual([`create database "app"${options};`]);
  });

  test("by itself, and what is in it in one transaction", () => {
    const databases: DatabaseSpec[] = [
      {
        ...DB,
        settings: { work_mem: "8MB" },
        schemas: [{ name: "sales" }],
        extensions: [{ name: "hstore", schema: "sales" }],
      },
    ];
    const { whys, sql } = look({ roles: [APP], databases }, []);
    expect(whys.slice(1)).toEqual([
      "create database app",
      "database app: work_mem = 8MB",
      "create schema sales in app; create extension hstore in app",
    ]);
    expect(sql[3]).toBe(
      `begin;\ncreate schema if not exists "sales";\ncreate extension if not exists "hstore" schema "sales" cascade;\ncommit;`,
    );
  });
});
