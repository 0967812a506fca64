import { C, type Case, edited, inventoryOf, runCases, SETTING } from "./configFixture";

const LOGICAL = [SETTING, "wal_level: logical"] as const;
const app = (more: string) => ["owner: app }", `owner: app, ${more} }`] as const;
const FORMS = "expected one of 'tables', 'schemas' and 'all_tables: true'";
const LEVEL =
  "publications and logical slots need wal_level logical; write 'wal_level: logical' under 'settings' of the cluster";
const TABLE = "expected schema.table, such as sales.orders";
const SLOT = "no good name: lower-case letters, digits and _, 63 at most";

const publications: Case[] = [
  [
    "table without its schema, and one that is no name",
    [LOGICAL, app("publications: { p: { tables: [orders, { name: sales.orders }] } }")],
    [
      `23: ${C}.databases.app.publications.p.tables[0]: ${TABLE}; found the text "orders"`,
      `23: ${C}.databases.app.publications.p.tables[1]: expected text, found a dictionary`,
    ],
  ],
  [
    "nothing to publish",
    [LOGICAL, app("publications: { p: {} }")],
    [`23: ${C}.databases.app.publications.p: ${FORMS}`],
  ],
  [
    "tables and all tables",
    [LOGICAL, app("publications: { p: { tables: [a.b], all_tables: true } }")],
    [`23: ${C}.databases.app.publications.p: ${FORMS}`],
  ],
  [
    "two of the same name",
    [LOGICAL, app("publications: { p: { all_tables: true }, p: { all_tables: true } }")],
    [`23: ${C}.databases.app.publications.p: 'p' is given twice, first at line 23`],
  ],
  [
    "schemas before 15",
    [["version: 17", "version: 14"], LOGICAL, app("publications: { p: { schemas: [sales] } }")],
    [
      `23: ${C}.databases.app.publications.p.schemas: whole schemas are published from PostgreSQL 15 on, this is 14; name 'tables'`,
    ],
  ],
  [
    "unknown owner and event",
    [LOGICAL, app("publications: { p: { all_tables: true, owner: apq, publish: [insert, upsert] } }")],
    [
      `23: ${C}.databases.app.publications.p.owner: unknown role 'apq'; did you mean 'app'?`,
      `23: ${C}.databases.app.publications.p.publish[1]: expected insert, update, delete, truncate, found the text "upsert"`,
    ],
  ],
  [
    "wal_level that nobody wrote",
    [app("publications: { p: { all_tables: true } }, slots: { s: {} }")],
    [`23: ${C}.databases.app.publications.p: ${LEVEL}`],
  ],
  [
    "wal_level that is too low",
    [[SETTING, "wal_level: replica"], app("slots: { s: {} }")],
    [`16: ${C}.settings.wal_level: ${LEVEL}`],
  ],
  [
    "removed without the other word",
    [app("publications: { p: { removed: true } }, slots: { s: { removed: true } }")],
    [
      `23: ${C}.databases.app.publications.p.removed: it drops only with 'allow_drop: true' of the cluster`,
      `23: ${C}.databases.app.slots.s.removed: it drops only with 'allow_drop: true' of the cluster`,
    ],
  ],
];

const slots: Case[] = [
  ["upper case", [LOGICAL, app("slots: { Warehouse: {} }")], [`23: ${C}.databases.app.slots.Warehouse: ${SLOT}`]],
  [
    "names that are taken",
    [LOGICAL, ["owner: app }", "owner: app, slots: { s: {}, repmgr_slot_9: {} } }\n      b: { slots: { s: {} } }"]],
    [
      `23: ${C}.databases.app.slots.repmgr_slot_9: 'repmgr_slot_9' is taken by repmgr; choose another name`,
      `24: ${C}.databases.b.slots.s: 'app' has a slot of this name; it counts in the whole cluster`,
    ],
  ],
  [
    "too few slots for all",
    [[SETTING, "wal_level: logical\n      max_replication_slots: 4"], app("slots: { s: {}, t: {} }")],
    [`17: ${C}.settings.max_replication_slots: this cluster needs at least 5, found 4`],
  ],
];

describe("publications", () => runCases(publications));
describe("slots", () => runCases(slots));

test("what is declared, in order and without what nobody wrote", () => {
  const more = `publications: { p: { tables: [s.b, s.a, s.b], publish: [update, insert] }, q: { all_tables: true }, old: { removed: true } },
        slots: { w: {}, x: { plugin: test_decoding }, gone: { removed: true } }`;
  const text = edited(LOGICAL, app(more), ["version: 17", "version: 17\n    allow_drop: true"]);
  const [cluster] = inventoryOf(text).clusters;
  expect(cluster?.databases).toEqual([
    {
      ...{ name: "app", owner: "app", extensions: [] },
      publications: [
        { name: "p", tables: ["s.a", "s.b"], publish: ["insert", "update"] },
        { name: "q", allTables: true },
      ],
      slots: [
        { name: "w", plugin: "pgoutput" },
        { name: "x", plugin: "test_decoding" },
      ],
    },
  ]);
  expect(cluster?.removed).toEqual({ roles: [], databases: [], publications: ["app.old"], slots: ["app.gone"] });
});

test("every slot has room: the program's own limits grow with them, and are as ever without", () => {
  const names = Array.from({ length: 9 }, (_, n) => `s${n}: {}`).join(", ");
  const [with9] = inventoryOf(edited(LOGICAL, app(`slots: { ${names} }`))).clusters;
  const [without] = inventoryOf(edited()).clusters;
  const limits = (settings: Readonly<Record<string, string>> = {}) => [
    settings.max_replication_slots,
    settings.max_wal_senders,
  ];
  expect([limits(with9?.settings), limits(without?.settings)]).toEqual([
    ["14", "16"],
    ["10", "10"],
  ]);
});
