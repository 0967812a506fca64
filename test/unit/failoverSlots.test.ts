import type { DatabaseSpec } from "../../config/types";
import type { InstanceFacts } from "../../facts/instance";
import type { SlotFact } from "../../facts/content";
import type { RunningFacts, Slot, SlotCopy } from "../../facts/running";
import { isLeftOut } from "../../providers/cluster";
import { Refused } from "../../providers/kind";
import { pgClusterKind, type PgClusterInputs } from "../../providers/pgCluster";
import { pgInstanceKind } from "../../providers/pgInstance";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import { planSwitchover } from "../../providers/switchover";
import { statusOf } from "../../scripts/clusterStatus";
import * as facts from "../support/facts";
import { atRest, calm } from "../support/handoverFacts";
import { planOf } from "./nodePlanFixture";

const SHOP: DatabaseSpec = {
  ...{ name: "shop", extensions: [] },
  slots: [{ name: "warehouse", plugin: "pgoutput", failover: true }],
};
const THERE: SlotFact = {
  ...{ name: "warehouse", database: "shop", plugin: "pgoutput", active: false, lost: false },
  failover: true,
};

const logical = (copy: Partial<SlotCopy> = {}, over: Partial<Slot> = {}): Slot => ({
  ...{ name: "warehouse", active: false, walStatus: "reserved", isLogical: true },
  copy: { failover: true, synced: false, temporary: false, invalid: null, ...copy },
  ...over,
});
const physical = facts.running().slots;
const READ = facts.primary({}, { slots: [...physical, logical({}, { active: true })] });
const told = (dbname: string) => facts.setting(`host=198.18.0.11 port=5432 user=repmgr${dbname} application_name=n2`);

describe("the slot on the primary", () => {
  const look = (found: Partial<SlotFact> | undefined, databases = [SHOP]) => {
    const inputs: PgClusterInputs = facts.pgClusterInputs({ databases });
    const settings = { wal_level: facts.setting("logical", { context: "postmaster" }) };
    const view = facts.view([facts.primary({}, { settings }), facts.standby(2), facts.standby(3)]);
    const slots = found === undefined ? [] : [{ ...THERE, ...found }];
    const have = facts.clusterFacts(view, { databases: [facts.database("shop")], slots });
    const drift = pgClusterKind.project(inputs, have).inputs.databases[0]?.slots;
    try {
      const actions = pgClusterKind.plan(inputs, have);
      const shell = facts.shell(actions);
      return { drift, whys: facts.whys(actions), sql: shell.match(/^(select|ALTER).*$/gm) ?? [], shell };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { drift, refused: error.message };
    }
  };

  test("is made so that it fails over", () => {
    expect(look(undefined)).toMatchObject({
      whys: [
        "pg1: create logical slot warehouse (pgoutput) in shop, which fails over, once the transactions that run then have ended",
      ],
      sql: [
        `select pg_create_logical_replication_slot('warehouse', 'pgoutput', failover => true) where not exists (select from pg_replication_slots where slot_name = 'warehouse');`,
      ],
    });
  });

  test("that is there without it is changed by the one way there is, while nobody reads", () => {
    const seen = look({ failover: false });
    expect(seen).toMatchObject({
      drift: [{ name: "warehouse", plugin: "pgoutput" }],
      whys: ["pg1: logical slot warehouse of shop fails over"],
      sql: ["ALTER_REPLICATION_SLOT warehouse (FAILOVER true);"],
    });
    expect(seen.shell).toContain("-d 'dbname=shop replication=database'");
  });

  test("that somebody reads is refused with what to type where its reader is", () => {
    expect(look({ failover: false, active: true }).refused).toMatch(
      /slot warehouse of shop does not fail over, and while somebody reads .* set \(failover = true\)/,
    );
  });

  test("is as wanted; one that a subscription has fail over without us is nobody's business", () => {
    expect(look({})).toMatchObject({ drift: SHOP.slots, whys: [] });
    const without = { ...SHOP, slots: [{ name: "warehouse", plugin: "pgoutput" }] };
    expect(look({}, [without])).toMatchObject({ drift: without.slots, whys: [] });
  });
});

describe("a standby", () => {
  const self = 2;
  const want = { copiedSlots: ["warehouse"] };
  const second = (dbname: string, slots: readonly Slot[] = []): InstanceFacts =>
    facts.standby(self, 1, { settings: { primary_conninfo: told(dbname) }, slots });
  const nodes = (own: InstanceFacts, first = READ): InstanceFacts[] => [first, own, facts.standby(3)];
  const seen = (own: InstanceFacts, over: object = want) => {
    const inputs = facts.nodeInputs(self, over);
    const have = facts.nodeFacts(inputs, facts.view(nodes(own)));
    const { state, slot } = repmgrNodeKind.project(inputs, have).inputs;
    return { state, slot, remarks: repmgrNodeKind.remarks?.(inputs, have) };
  };
  const COPIED = logical({ synced: true });
  const REMARK =
    "n2 has no copy yet of the logical slot warehouse, which would be lost if n2 were promoted now; it comes while somebody reads from the slot";

  test("that copies is as wanted", () => {
    expect(seen(second(" dbname=repmgr", [COPIED]))).toEqual({ state: "attached", slot: "as wanted", remarks: [] });
    expect(planOf({ self, nodes: nodes(second(" dbname=repmgr", [COPIED])), want })).toEqual([]);
  });

  test("whose primary_conninfo repmgr wrote anew is shown and told again, without a restart", () => {
    const own = second("", [COPIED]);
    const state = "it streams from n1 and copies no slots, because its primary_conninfo has no dbname";
    expect(seen(own).state).toBe(state);
    const actions = planOf({ self, nodes: nodes(own), want });
    expect(actions[0]).toMatchObject({ effect: "follow", why: `${state}: follow n1` });
    expect(facts.shell(actions)).toMatch(/alter system set primary_conninfo = .*dbname=repmgr application_name=n2/);
    expect(facts.shell(actions)).not.toContain("restart");
    expect(seen(own, {}).state).toBe("attached");
  });

  test.each<[string, Slot[], string[]]>([
    ["none", [], [REMARK]],
    ["one that is not ready", [logical({ synced: true, temporary: true })], [REMARK]],
    ["one that was invalidated", [logical({ synced: true, invalid: "wal_removed" })], [REMARK]],
    ["one that is ready", [COPIED], []],
  ])("with %s says in the preview whether a failover would lose the slot", (_, slots, remarks) => {
    expect(seen(second(" dbname=repmgr", slots)).remarks).toEqual(remarks);
  });

  test("is named by the status while it has none", () => {
    const wants = [1, 2, 3].map((id) => facts.nodeInputs(id, want));
    const view = (slots: readonly Slot[]) => [
      READ,
      second(" dbname=repmgr", slots),
      facts.standby(3, 1, { settings: { primary_conninfo: told(" dbname=repmgr") }, slots: [COPIED] }),
    ];
    expect(statusOf(wants, view([]), new Date(0)).problems).toEqual([REMARK]);
    expect(statusOf(wants, view([COPIED]), new Date(0)).problems).toEqual([]);
    expect(statusOf(wants, [READ, new Error("pg2: no answer"), facts.standby(3)], new Date(0)).problems[0]).toMatch(
      /^n2 cannot/,
    );
  });

  test("that was primary drops its own slot of that name, which nobody reads, so that the copy can come", () => {
    const own = second(" dbname=repmgr", [logical()]);
    expect(seen(own).slot).toBe("left over: warehouse on n2");
    const actions = planOf({ self, nodes: nodes(own), want });
    expect(facts.whys(actions)).toEqual([
      "pg2: n2 has the logical slots warehouse from its time as primary, in the place of copies: drop them",
    ]);
    expect(facts.shell(actions)).toContain("where slot_name in ('warehouse') and slot_type = 'logical' and not synced");
  });

  test.each<[string, Slot, InstanceFacts?]>([
    ["somebody reads", logical({}, { active: true })],
    ["the inventory does not have fail over", logical({}, { name: "someone" })],
    ["the primary has none of", logical(), facts.primary()],
    [
      "the primary does not have fail over",
      logical(),
      facts.primary({}, { slots: [...physical, logical({ failover: false })] }),
    ],
    ["is of a server before 17", { ...logical(), copy: null }],
  ])("keeps a slot that %s", (_, own, first = READ) => {
    expect(planOf({ self, nodes: nodes(second(" dbname=repmgr", [own]), first), want })).toEqual([]);
  });
});

describe("the server", () => {
  const planned = (version: string, list = "repmgr_slot_2,repmgr_slot_3") => {
    const want = facts.instanceInputs(1, { settings: { synchronized_standby_slots: list } });
    const view = facts.view([facts.primary({}, { version }), facts.standby(2), facts.standby(3)]);
    return pgInstanceKind.plan(want, facts.instanceFacts(want, view));
  };

  test("is refused while it is so old that its parallel queries would fail after a failover", () => {
    expect(() => planned("17.6 (Debian 17.6-1.pgdg13+1)")).toThrow(
      "pg1: logical slots fail over from PostgreSQL 17.7 on, and 17.6 runs: after a failover its parallel queries would fail",
    );
    expect(planned("17.6", "")).toEqual([]);
    for (const version of ["17.7", "17.12 (Debian 17.12-0+deb13u1)"]) expect(planned(version)).toEqual([]);
  });
});

describe("a switchover", () => {
  const to = (copiedSlots: readonly string[], logicalSlots = ["log", "warehouse"]) => {
    const view = facts.healthy();
    const handover = { ...calm(view), n1: atRest({ logicalSlots }), n2: atRest({ copiedSlots }) };
    return facts.flat(planSwitchover(facts.clusterInputs(), { view, handover }, "n2", "asked for"));
  };

  test("keeps the place of every reader where the target has copies, and makes room for those of who was primary", () => {
    const whys = facts.whys(to(["log", "warehouse"]));
    expect(whys.filter((why) => why.includes("logical"))).toEqual([
      "pg1: drop the logical slots that n1 had as primary, in whose place it copies those of the new one",
    ]);
    expect(facts.shell(to(["log", "warehouse"]))).toContain(
      "slot_name in ('log', 'warehouse') and slot_type = 'logical'",
    );
    expect(facts.shell(to([], []))).not.toContain("logical");
  });

  test("is refused with those that would be lost", () => {
    expect(() => to(["warehouse"])).toThrow(
      "the logical replication slots log are on n1 and have no copy on n2 that could be read from, whoever reads",
    );
    expect(() => to([])).toThrow("the logical replication slots log, warehouse are on n1 alone");
  });
});

describe("who is back after a restart", () => {
  const told = (file: string, setting: string): RunningFacts =>
    facts.running({ fileSettings: { synchronized_standby_slots: { setting, sourceFile: `/data/${file}` } } });
  const heir = facts.member(2, { isWaitedFor: true });

  test.each<[string, RunningFacts, typeof heir, boolean]>([
    ["the list is whole", told("postgresql.conf", "repmgr_slot_2,repmgr_slot_3"), heir, false],
    ["it is left out", told("postgresql.auto.conf", "repmgr_slot_3"), heir, true],
    ["another one is", told("postgresql.auto.conf", "repmgr_slot_2"), heir, false],
    ["it is never promoted", told("postgresql.auto.conf", "repmgr_slot_3"), facts.member(2), false],
    ["no slot fails over", facts.running(), heir, false],
  ])("readers wait for it again: %s", (_, running, member, isOut) => expect(isLeftOut(running, member)).toBe(isOut));
});
