import { ActionFailed } from "../../actions/executor";
import type { ContentFact } from "../../facts/content";
import type { RemovalFact } from "../../facts/removal";
import type { Action, WaitFor } from "../../actions/action";
import { Refused } from "../../providers/kind";
import { pgClusterKind, type PgClusterInputs } from "../../providers/pgCluster";
import { recallOurs } from "../../providers/removalContent";
import * as facts from "../support/facts";

const OLD = { roles: ["old"], databases: ["old"] };
const THERE = { roles: [facts.role("old")], databases: [facts.database("old")] };
const FREE: RemovalFact = { databaseSessions: {}, roleSessions: {}, slots: {}, spaces: {}, owned: [] };

function attempt(want: Partial<PgClusterInputs>, removal: Partial<RemovalFact>, there: Partial<ContentFact> = THERE) {
  const inputs = facts.pgClusterInputs({ removed: OLD, ours: OLD, ...want });
  const have = { ...facts.clusterFacts(facts.healthy(), there), removal: { ...FREE, ...removal } };
  const { removed } = pgClusterKind.project(inputs, have).inputs;
  try {
    const done = pgClusterKind.plan(inputs, have);
    return { whys: done.map(({ why, effect }) => [why, effect]), sql: facts.shell(done), removed, refused: "" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return {
      whys: error.besides.map(({ why, effect }) => [why, effect]),
      sql: facts.shell(error.besides),
      removed,
      refused: error.message,
    };
  }
}

describe("what is marked as removed", () => {
  test("and was deployed is dropped, the database before its owner, and the preview says so loudly", () => {
    const { whys, sql, removed, refused } = attempt({}, { owned: [{ role: "old", database: "old", objects: 3 }] });
    expect(whys).toEqual([
      ["drop database old", "drop"],
      ["drop role old", "drop"],
    ]);
    expect(sql).toMatch(/drop database "old";\n[^]*drop role "old";\n/);
    expect([removed, refused]).toEqual([{ roles: [], databases: [] }, ""]);
  });

  test("and is gone is as wanted", () => {
    const { whys, removed } = attempt({}, {}, { roles: [], databases: [] });
    expect([whys, removed]).toEqual([[], OLD]);
  });

  test.each<[string, Partial<PgClusterInputs>, Partial<RemovalFact>, RegExp, string[]]>([
    [
      "that this program never deployed here",
      { ours: undefined },
      {},
      /database old is marked as removed and exists, but this program has not deployed it here.*role old is marked as removed/,
      [],
    ],
    [
      "with sessions in it",
      {},
      { databaseSessions: { old: 2 } },
      /^cluster main: database old is not dropped: 2 other sessions in it. End them first/,
      ["drop role old"],
    ],
    [
      "with a logical slot",
      {},
      { slots: { old: 1 } },
      /database old is not dropped: 1 logical slot in it/,
      ["drop role old"],
    ],
    [
      "that is logged in",
      {},
      { roleSessions: { old: 1 } },
      /role old is not dropped: 1 session of it/,
      ["drop database old"],
    ],
    [
      "that owns things elsewhere",
      {},
      {
        owned: [
          { role: "old", database: "", objects: 1 },
          { role: "old", database: "app", objects: 2 },
          { role: "old", database: "old", objects: 9 },
        ],
      },
      /role old is not dropped: it owns, or has rights on, 1 object that all databases share, 2 objects in app\. Give them away first.*reassign owned by old/,
      ["drop database old"],
    ],
  ])("%s stays, with what to do; the rest is done", (_, want, removal, message, besides) => {
    const { whys, refused } = attempt(want, removal);
    expect(refused).toMatch(message);
    expect(whys.map(([why]) => why)).toEqual(besides);
  });

  test("a role whose things lie in a database that stays, stays with it", () => {
    const { refused } = attempt(
      {},
      { databaseSessions: { old: 1 }, owned: [{ role: "old", database: "old", objects: 1 }] },
    );
    expect(refused).toMatch(
      /database old is not dropped.*role old is not dropped: it owns, or has rights on, 1 object in old/,
    );
  });
});

describe("what is marked as removed inside of a database", () => {
  const removed = { roles: [], databases: ["shop"], publications: ["shop.orders"], slots: ["shop.warehouse"] };
  const publication = {
    ...{ name: "orders", owner: "postgres", allTables: true, tables: [], schemas: [], publish: ["insert"] },
  };
  const slot = { name: "warehouse", database: "shop", plugin: "pgoutput", active: false, lost: false };
  const there = (active: boolean) => ({
    roles: [],
    databases: [facts.database("shop", { publications: [publication] })],
    slots: [{ ...slot, active }],
  });

  test("and was deployed is dropped, the slot before its database", () => {
    const seen = attempt({ removed, ours: removed }, { slots: { shop: 1 } }, there(false));
    expect(seen.whys).toEqual([
      ["drop publication orders of shop", "drop"],
      ["drop logical slot warehouse of shop", "drop"],
      ["drop database shop", "drop"],
    ]);
    expect(seen.sql).toContain("select pg_drop_replication_slot('warehouse');");
    expect([seen.refused, seen.removed]).toEqual(["", { roles: [], databases: [], publications: [], slots: [] }]);
  });

  test("and is gone is as wanted", () => {
    const seen = attempt({ removed, ours: undefined }, {}, { roles: [], databases: [] });
    expect([seen.whys, seen.removed, seen.refused]).toEqual([[], removed, ""]);
  });

  test("and somebody reads from it stays, and so does its database", () => {
    const seen = attempt({ removed, ours: removed }, { slots: { shop: 1 } }, there(true));
    expect(seen.whys.map(([why]) => why)).toEqual(["drop publication orders of shop"]);
    expect(seen.refused).toMatch(
      /slot warehouse of shop is not dropped: somebody reads from it.*database shop is not dropped: 1 logical slot/,
    );
  });

  test("and was never deployed stays", () => {
    const seen = attempt(
      { removed: { ...removed, databases: [] }, ours: { roles: [], databases: [] } },
      {},
      there(false),
    );
    expect(seen.whys).toEqual([]);
    expect(seen.refused).toMatch(
      /publication orders of shop is marked as removed and exists, but this program has not deployed it.*slot warehouse of shop is marked/,
    );
  });

  test("is ours when the state has it, or had it when it was about to be dropped", () => {
    const shop = {
      name: "shop",
      publications: [{ name: "orders" }],
      slots: [{ name: "warehouse", plugin: "pgoutput" }],
    };
    const now = { cluster: "main", removed: { ...removed, databases: [] } };
    const ours = { roles: [], databases: [], publications: ["shop.orders"], slots: ["shop.warehouse"] };
    expect(recallOurs({ cluster: "main", databases: [shop] }, now)).toEqual(ours);
    expect(recallOurs({ cluster: "main", databases: [], ours }, now)).toEqual(ours);
    expect(recallOurs({ cluster: "main", databases: [] }, now)).toEqual({ ...ours, publications: [], slots: [] });
  });
});

describe("what is ours", () => {
  const before = { cluster: "main", roles: [{ name: "old" }], databases: [{ name: "app" }] };
  test("is what was deployed the last time, among what is to go", () => {
    const removed = { roles: ["old", "stranger"], databases: ["app", "other"] };
    expect(recallOurs(before, { cluster: "main", removed })).toEqual({ roles: ["old"], databases: ["app"] });
  });
  test("is remembered while the drop has not been done", () => {
    const meanwhile = { cluster: "main", ours: { roles: ["old"], databases: [] } };
    expect(recallOurs(meanwhile, { cluster: "main", removed: OLD })).toEqual({ roles: ["old"], databases: [] });
  });
  test("is nothing where nothing is to go", () => {
    expect(recallOurs(before, { cluster: "main" })).toBeUndefined();
  });
});

describe("a transaction that failed", () => {
  const want = facts.pgClusterInputs({
    roles: [
      {
        ...{ name: "app", login: true, superuser: false, createdb: false, createrole: false, replication: false },
        connectionLimit: -1,
      },
    ],
  });
  const have = facts.clusterFacts(facts.healthy());
  const [action] = pgClusterKind.plan(want, have) as [Action];
  const failed = new ActionFailed(action, "exit status 2: server closed the connection unexpectedly");
  const look = (nodes: Parameters<typeof facts.view>[0], over: Partial<PgClusterInputs> = {}) => {
    const [wait] = pgClusterKind.retryAfter?.({ ...want, ...over }, have, failed) as [WaitFor];
    const answers = new Map(facts.view(nodes).map(({ member, facts: found }) => [member.host, found]));
    return wait.look((host) => Promise.resolve(answers.get(host) as never));
  };

  test("is done anew once another node is primary", async () => {
    const dead = facts.formerPrimary();
    expect(await look([dead, facts.standby(2), facts.standby(3)])).toBe("no node takes writes");
    expect(await look([dead, facts.primary({}, { timeline: 2 }), facts.standby(3, 2)])).toBeUndefined();
  });

  test("has failed while its node is still primary, with its own words", async () => {
    await expect(look([facts.primary(), facts.standby(2), facts.standby(3)])).rejects.toBe(failed);
  });

  test("has failed where nobody fails over, and so has whatever is no transaction", () => {
    expect(pgClusterKind.retryAfter?.({ ...want, failover: "manual" }, have, failed)).toEqual([]);
    expect(pgClusterKind.retryAfter?.(want, have, new Error("host lost"))).toEqual([]);
    expect(pgClusterKind.retryAfter?.(want, have, new ActionFailed({ ...action, why: "restart" }, "no"))).toEqual([]);
  });
});
