import type { DatabaseSpec, PublicationSpec } from "../../config/types";
import type { DatabaseFact, PublicationFact } from "../../facts/content";
import type { PublishableTable } from "../../facts/publishable";
import { Refused } from "../../providers/kind";
import { pgClusterKind } from "../../providers/pgCluster";
import { tablesAsked } from "../../providers/publicationContent";
import * as facts from "../support/facts";

const ALL = ["insert", "update", "delete", "truncate"];
const ORDERS: PublicationFact = {
  ...{ name: "orders", owner: "postgres", allTables: false, schemas: [], publish: ALL },
  tables: [{ schema: "sales", name: "orders", narrowed: "" }],
};
const WANT: PublicationSpec = { name: "orders", tables: ["sales.orders"] };
const able = (...tables: string[]): PublishableTable[] => tables.map((table) => ({ table, hasIdentity: true }));

function look(
  want: Partial<DatabaseSpec>,
  found: Partial<DatabaseFact> | undefined,
  publishable: readonly PublishableTable[] = able("sales.orders", "sales.items"),
) {
  const inputs = facts.pgClusterInputs({ databases: [{ name: "shop", extensions: [], ...want }] });
  const databases = found === undefined ? [] : [facts.database("shop", found)];
  const have = { ...facts.clusterFacts(facts.healthy(), { databases }), publishable: { shop: publishable } };
  const drift = pgClusterKind.project(inputs, have).inputs.databases[0]?.publications;
  try {
    const actions = pgClusterKind.plan(inputs, have);
    const sql = actions.map((a) => (a.do === "run" ? (a.stdin ?? "").split("\n").slice(1, -1).join("\n") : ""));
    return { whys: actions.map(({ why }) => why), sql, drift, refused: "" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { whys: error.besides.map(({ why }) => why), sql: [], drift, refused: error.message };
  }
}

type Row = [string, Partial<PublicationSpec>, Partial<PublicationFact>, string, string[], Partial<PublicationSpec>];

describe("a publication differs in", () => {
  test.each<Row>([
    [
      "a table that is missing",
      { tables: ["sales.items", "sales.orders"] },
      {},
      "publication orders in shop: table sales.items",
      ['add table "sales"."items"'],
      { tables: ["sales.orders"] },
    ],
    [
      "a table too many",
      {},
      { tables: [...ORDERS.tables, { schema: "Old", name: 'o"ld', narrowed: "" }] },
      'publication orders in shop: no longer table Old.o"ld',
      ['drop table "Old"."o""ld"'],
      { tables: ["sales.orders", 'Old.o"ld'] },
    ],
    [
      "a table of which somebody publishes a part",
      {},
      { tables: [{ schema: "sales", name: "orders", narrowed: " (id) where (id > 10)" }] },
      "publication orders in shop: no longer table sales.orders (id) where (id > 10), table sales.orders",
      ['drop table "sales"."orders"', 'add table "sales"."orders"'],
      { tables: ["sales.orders (id) where (id > 10)"] },
    ],
    [
      "a whole schema besides",
      {},
      { schemas: ["other"] },
      "publication orders in shop: no longer schema other",
      ['drop tables in schema "other"'],
      { schemas: ["other"] },
    ],
    [
      "its schemas",
      { tables: undefined, schemas: ["public", "sales"] },
      { tables: [], schemas: ["old", "sales"] },
      "publication orders in shop: no longer schema old, schema public",
      ['drop tables in schema "old"', 'add tables in schema "public"'],
      { schemas: ["old", "sales"] },
    ],
    [
      "what it publishes",
      { publish: ["insert", "update"] },
      { publish: ["insert"] },
      "publication orders in shop: publish insert, update, not insert",
      ["set (publish = 'insert, update')"],
      { publish: ["insert"] },
    ],
    [
      "its owner",
      { owner: "app" },
      {},
      "publication orders in shop: owner app, not postgres",
      ['owner to "app"'],
      { owner: "postgres" },
    ],
  ])("%s: the drift is that and no more", (_, over, have, why, sql, drift) => {
    const { tables, ...rest } = { ...WANT, ...over };
    const want: PublicationSpec = tables === undefined ? rest : { ...rest, tables };
    const found = { schemas: ["sales", "public", "old"].map((name) => ({ name, owner: "postgres" })) };
    const seen = look({ publications: [want] }, { ...found, publications: [{ ...ORDERS, ...have }] });
    expect([seen.whys, seen.refused]).toEqual([[why], ""]);
    const statements = sql.map((one) => `alter publication "orders" ${one};`);
    expect(seen.sql[0]).toBe(sql.length === 1 ? statements[0] : ["begin;", ...statements, "commit;"].join("\n"));
    expect(seen.drift).toEqual([{ ...want, ...drift }]);
  });

  test("nothing: what the inventory does not name is neither shown nor changed", () => {
    const other = { ...ORDERS, name: "others", allTables: true, tables: [] };
    const seen = look(
      { publications: [WANT] },
      { publications: [{ ...ORDERS, owner: "eve", publish: ["insert"] }, other] },
    );
    expect([seen.whys, seen.refused, seen.drift]).toEqual([[], "", [WANT]]);
  });
});

describe("a publication is made", () => {
  test.each<[string, PublicationSpec, string]>([
    ["of tables", WANT, `create publication "orders" for table "sales"."orders";`],
    [
      "of all tables, with what it publishes and its owner",
      { name: "orders", allTables: true, publish: ["insert", "truncate"], owner: "app" },
      `begin;\ncreate publication "orders" for all tables with (publish = 'insert, truncate');\nalter publication "orders" owner to "app";\ncommit;`,
    ],
    [
      "of schemas",
      { name: "orders", schemas: ["public", "sales"] },
      `create publication "orders" for tables in schema "public", "sales";`,
    ],
  ])("%s", (_, want, sql) => {
    const seen = look({ publications: [want] }, { schemas: [{ name: "sales", owner: "postgres" }] });
    expect(seen).toMatchObject({ whys: ["create publication orders in shop"], sql: [sql], drift: [] });
  });

  test("in the transaction that makes its schema", () => {
    const seen = look({ schemas: [{ name: "s" }], publications: [{ name: "p", schemas: ["s"] }] }, {});
    expect(seen.whys).toEqual(["create schema s in shop; create publication p in shop"]);
  });
});

describe("a publication is refused, and all else is done:", () => {
  const limited = { connectionLimit: 5 };
  const done = ["database shop: connection limit 5"];
  test.each<[string, PublicationSpec, Partial<PublicationFact> | undefined, PublishableTable[], RegExp]>([
    [
      "tables that are not there",
      { name: "orders", tables: ["sales.items", "sales.nothing", "sales.orders"] },
      {},
      able("sales.items"),
      /^cluster main: publication orders of shop publishes sales.nothing, and the database has no such table: make it there, then type: pulumi up$/,
    ],
    [
      "schemas that are not there",
      { name: "orders", schemas: ["sales"] },
      undefined,
      [],
      /publication orders of shop publishes the schemas sales, which are not in the database: declare them under 'schemas'/,
    ],
    [
      "tables whose updates would fail",
      WANT,
      undefined,
      [{ table: "sales.orders", hasIdentity: false }],
      /publishes updates and deletes of sales.orders, which would fail from then on.*alter table "sales"."orders" replica identity full;/,
    ],
    [
      "another kind",
      { name: "orders", allTables: true },
      {},
      [],
      /publication orders of shop is not for all tables, and PostgreSQL cannot change that/,
    ],
  ])("%s", (_, want, found, publishable, message) => {
    const publications = found === undefined ? [] : [{ ...ORDERS, ...found }];
    const seen = look({ ...limited, publications: [want] }, { publications }, publishable);
    expect(seen.refused).toMatch(message);
    expect(seen.whys).toEqual(done);
  });

  test("not where only inserts are published of a table without an identity", () => {
    const blind = [{ table: "sales.orders", hasIdentity: false }];
    const seen = look({ publications: [{ ...WANT, publish: ["insert"] }] }, {}, blind);
    expect([seen.whys, seen.refused]).toEqual([["create publication orders in shop"], ""]);
  });

  test("its tables, where the database is only just made", () => {
    const seen = look({ publications: [WANT] }, undefined, []);
    expect(seen.whys).toEqual(["create database shop"]);
    expect(seen.refused).toMatch(/publishes sales.orders, and the database has no such table/);
  });
});

test("only about tables that are not published yet a host is asked", () => {
  const wanted = [
    { name: "shop", extensions: [], publications: [{ name: "orders", tables: ["sales.items", "sales.orders"] }] },
  ];
  const found = (...publications: PublicationFact[]) => [facts.database("shop", { publications }), facts.database("x")];
  expect(tablesAsked(wanted, found(ORDERS))).toEqual([{ database: "shop", tables: ["sales.items"] }]);
  const both = [...ORDERS.tables, { schema: "sales", name: "items", narrowed: "" }];
  expect(tablesAsked(wanted, found({ ...ORDERS, tables: both }))).toEqual([]);
  expect(tablesAsked(wanted, [])).toEqual([]);
});
