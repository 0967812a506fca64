import type { DatabaseSpec, GrantSpec } from "../../config/types";
import { privilegesProbe } from "../../facts/privileges";
import { equal } from "../../providers/canonical";
import { foundGrants, privilegeDifferences, privilegesAsked } from "../../providers/privilegeContent";
import { parsed, recorded } from "./kindFixture";

const QUESTION = [{ database: "app", schemas: ["sales"] }];
/** What a real server said: reader lacks select on one table of five; forever and everybody have what nobody declares. */
const REAL = parsed(privilegesProbe("psql", QUESTION), recorded("privileges")).app;

const database = (grants: readonly GrantSpec[], exclusive?: true): DatabaseSpec => ({
  name: "app",
  extensions: [],
  grants,
  ...(exclusive === undefined ? {} : { exclusive }),
});
const onTables = { to: "reader", on: "tables", schema: "sales", privileges: ["select"] } as const;
const onFunctions = { to: "reader", on: "functions", schema: "sales", privileges: ["execute"] } as const;
const later = { ...onTables, by: "app" } as const;
const sqlOf = (spec: DatabaseSpec, found = REAL): string[] =>
  privilegeDifferences(spec, found).flatMap(({ sql }) => sql);

describe("a grant", () => {
  test.each<[string, GrantSpec, string[]]>([
    ["that is held is no difference", { ...onTables, to: "writer" }, []],
    [
      "that one object lacks is given on all of them",
      onTables,
      ['grant select on all tables in schema "sales" to "reader";'],
    ],
    ["on a table of its own is held by the owner", { ...onTables, to: "writer", privileges: ["insert", "select"] }, []],
    [
      "on the database",
      { to: "writer", on: "database", privileges: ["connect", "create"] },
      ['grant connect, create on database "app" to "writer";'],
    ],
    [
      "on a schema",
      { to: "writer", on: "schema", schema: "sales", privileges: ["usage"] },
      ['grant usage on schema "sales" to "writer";'],
    ],
    [
      "on what will be made in a schema",
      { ...later, to: "writer" },
      ['alter default privileges for role "app" in schema "sales" grant select on tables to "writer";'],
    ],
    [
      "on what will be made anywhere",
      { to: "writer", on: "functions", by: "app", privileges: ["execute"] },
      ['alter default privileges for role "app" grant execute on functions to "writer";'],
    ],
    [
      "to everybody",
      { to: "public", on: "schema", schema: "sales", privileges: ["usage"] },
      ['grant usage on schema "sales" to public;'],
    ],
    ["on sequences of a schema without any", { ...onTables, on: "sequences", schema: "empty" }, []],
  ])("%s", (_, grant, sql) => {
    const spec = database([grant]);
    expect(sqlOf(spec)).toEqual(sql);
    expect(equal(foundGrants(spec, REAL), spec.grants)).toBe(sql.length === 0);
  });

  test("in a database that is still to come is given once that is there, with what will be in it", () => {
    const spec = database([{ to: "reader", on: "schema", schema: "sales", privileges: ["usage"] }, onTables, later]);
    expect(privilegeDifferences(spec, undefined).flatMap(({ sql }) => sql)).toEqual([
      'grant usage on schema "sales" to "reader";',
      'alter default privileges for role "app" in schema "sales" grant select on tables to "reader";',
    ]);
  });

  test("shows those of its privileges that are held", () => {
    const spec = database([{ to: "writer", on: "database", privileges: ["connect"] }, onFunctions]);
    expect(foundGrants(spec, REAL)).toEqual([onFunctions]);
  });
});

describe("what nobody declared", () => {
  const grants: GrantSpec[] = [{ to: "reader", on: "database", privileges: ["connect"] }, onFunctions];

  test("is left alone, and not shown", () => {
    expect(sqlOf(database(grants))).toEqual([]);
    expect(foundGrants(database(grants), REAL)).toEqual(grants);
  });

  test("is revoked with exclusive, on what the grants name and nowhere else", () => {
    const extra = [{ to: "forever", on: "database", privileges: ["connect"] }];
    expect(foundGrants(database(grants, true), REAL)).toEqual([...grants, ...extra]);
    expect(privilegeDifferences(database(grants, true), REAL)).toEqual([
      {
        what: "forever loses connect on database app",
        database: "app",
        sql: ['revoke connect on database "app" from "forever" cascade;'],
      },
    ]);
  });

  test("goes for what everybody may by default, too", () => {
    const spec = database([{ to: "reader", on: "functions", by: "reader", privileges: ["execute"] }], true);
    const untouched = { objects: [], privileges: [] };
    expect(sqlOf(spec, untouched)).toEqual([
      'alter default privileges for role "reader" grant execute on functions to "reader";',
      'alter default privileges for role "reader" revoke execute on functions from public;',
    ]);
    const toAll = database([{ to: "public", on: "functions", by: "reader", privileges: ["execute"] }], true);
    expect(sqlOf(toAll, untouched)).toEqual([]);
  });
});

test("only databases with grants are asked, and only once they exist", () => {
  const plain: DatabaseSpec = { name: "plain", extensions: [] };
  const wanted = [plain, database([onTables, onFunctions, { ...later, schema: "other" }])];
  expect(privilegesAsked(wanted, ["plain", "app"])).toEqual(QUESTION);
  expect(privilegesAsked(wanted, ["plain"])).toEqual([]);
});
