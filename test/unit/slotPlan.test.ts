import type { Action } from "../../actions/action";
import type { DatabaseSpec } from "../../config/types";
import type { SlotFact } from "../../facts/content";
import { Refused } from "../../providers/kind";
import { pgClusterKind, type PgClusterInputs } from "../../providers/pgCluster";
import { recallOurs } from "../../providers/removalContent";
import { planSlots } from "../../providers/slots";
import { planLeftSlots } from "../../providers/follow";
import * as facts from "../support/facts";

const SHOP: DatabaseSpec = { name: "shop", extensions: [], slots: [{ name: "warehouse", plugin: "pgoutput" }] };
const THERE: SlotFact = { name: "warehouse", database: "shop", plugin: "pgoutput", active: false, lost: false };
const LEVEL = (value: string, pendingRestart = false) => ({
  wal_level: facts.setting(value, { context: "postmaster", pendingRestart }),
});

function look(slots: readonly SlotFact[], over: Partial<PgClusterInputs> = {}, settings = LEVEL("logical")) {
  const inputs = facts.pgClusterInputs({ databases: [SHOP], settings: { wal_level: "logical" }, ...over });
  const view = facts.view([facts.primary({}, { settings }), facts.standby(2), facts.standby(3)]);
  const have = facts.clusterFacts(view, { databases: [facts.database("shop")], slots });
  const shownAs = pgClusterKind.project(inputs, have);
  const { databases, ours } = shownAs.inputs;
  const shown = { drift: databases[0]?.slots, ours, output: shownAs.outputs.logicalSlots };
  const told = (actions: readonly Action[]) => ({
    whys: actions.map(({ why, effect }) => [why, effect]),
    sql: facts.shell(actions).match(/^select .*$/gm) ?? [],
  });
  try {
    return { ...shown, ...told(pgClusterKind.plan(inputs, have)), refused: "", inputs, have };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...shown, ...told(error.besides), refused: error.message, inputs, have };
  }
}

const CREATE = `select pg_create_logical_replication_slot('warehouse', 'pgoutput') where not exists (select from pg_replication_slots where slot_name = 'warehouse');`;
const NEW = "create logical slot warehouse (pgoutput) in shop, once the transactions that run then have ended";
const BY_HAND = "select pg_create_logical_replication_slot('warehouse', 'pgoutput')";

describe("a logical slot", () => {
  test("that is there is as wanted, whoever reads from it, and others beside it are nobody's business", () => {
    const other = { ...THERE, name: "someone", database: "other" };
    const seen = look([
      { ...THERE, active: true },
      other,
      { ...other, name: "physical", database: null, plugin: null },
    ]);
    expect(seen).toMatchObject({ whys: [], refused: "", drift: SHOP.slots });
  });

  test("that is there is an output, by which a later review knows that it was; nobody who has none sees one", () => {
    const without = { databases: [{ name: "shop", extensions: [] }] };
    expect([look([THERE]).output, look([]).output, look([THERE], without).output]).toEqual([
      ["shop.warehouse"],
      [],
      undefined,
    ]);
    expect(look([THERE], { ...without, logicalSlots: ["shop.warehouse"] }).output).toEqual([]);
  });

  test("that was never there is made by itself", () => {
    const seen = look([]);
    expect(seen).toMatchObject({ whys: [[NEW, undefined]], sql: [CREATE], drift: [], refused: "", ours: undefined });
  });

  test("that was there and is not any more, as after a failover, is made by a person who has seen to its reader", () => {
    const { ours } = look([], { logicalSlots: ["shop.warehouse"] });
    expect(ours).toEqual({ roles: [], databases: [], made: ["shop.warehouse"] });
    expect(look([THERE]).ours).toEqual(ours);
    expect(look([], { ours }).ours).toEqual(ours);
    const before = { cluster: "main", databases: [{ name: "shop", extensions: [], slots: [] }], ours };
    const recalled = recallOurs(before, { cluster: "main", databases: [SHOP] });
    expect(recalled).toEqual(ours);
    const seen = look([], { ours: recalled });
    expect([seen.whys, seen.sql]).toEqual([[], []]);
    expect(seen.refused).toMatch(
      /the logical slot warehouse of shop is gone, .* over that gap without a word\..* type on n1/,
    );
    expect(seen.refused).toContain(`in the database shop: ${BY_HAND}`);
    expect(recallOurs(before, { cluster: "main", databases: [] })).toBeUndefined();
  });

  test("whose WAL is gone is left as it is, with what to type", () => {
    const seen = look([{ ...THERE, lost: true }]);
    expect(seen).toMatchObject({ drift: [], whys: [], sql: [] });
    expect(seen.refused).toMatch(/the logical slot warehouse of shop has lost the WAL that it kept/);
    expect(seen.refused).toContain(`in the database shop: select pg_drop_replication_slot('warehouse'); ${BY_HAND}`);
  });

  test.each<[string, Partial<SlotFact>, RegExp]>([
    [
      "with another plugin",
      { plugin: "test_decoding" },
      /slot warehouse of shop has the plugin test_decoding, not pgoutput, and PostgreSQL cannot change that/,
    ],
    [
      "whose name a database has",
      { database: "other" },
      /there is a slot warehouse already, one of the database other/,
    ],
    [
      "whose name a physical one has",
      { database: null, plugin: null },
      /there is a slot warehouse already, a physical one/,
    ],
  ])("%s is refused, and nothing is done to it", (_, over, message) => {
    const seen = look([{ ...THERE, ...over }]);
    expect(seen.refused).toMatch(message);
    expect(seen.sql).toEqual([]);
  });
});

describe("wal_level", () => {
  test("that waits for a restart comes first; the preview tells both", () => {
    const seen = look([], {}, LEVEL("replica", true));
    expect(seen.refused).toBe("");
    expect(seen.whys).toEqual([
      [expect.stringMatching(/^switchover to n2.*\(because wal_level needs a restart\)$/), "restart"],
    ]);
    const foreseen = pgClusterKind.foresee?.(seen.inputs, seen.have) ?? [];
    expect(foreseen.map(({ why }) => why)).toEqual([seen.whys[0]?.[0], NEW]);
  });

  test("that is too low and waits for nothing is refused with what to write", () => {
    const seen = look([], { settings: {} }, LEVEL("replica"));
    expect(seen.refused).toMatch(
      /n1 runs with wal_level replica, below which no logical slot can be made; write 'wal_level: logical'/,
    );
    expect(seen.whys).toEqual([]);
  });
});

test("who clears up after nodes touches no logical slot", () => {
  const slots = [
    { name: "warehouse", active: false, walStatus: "reserved" },
    { name: "repmgr_slot_2_of_mine", active: false, walStatus: "reserved" },
  ];
  const view = facts.view([facts.primary({}, { slots }), facts.standby(2, 3), facts.standby(3)]);
  const left = [1, 2, 3].flatMap((id) => planLeftSlots(facts.nodeInputs(id), view));
  const leaving = [2, 3].flatMap((id) => planSlots(facts.clusterInputs(), view, { node: `n${id}`, id }));
  expect([...left, ...leaving]).toEqual([]);
});
