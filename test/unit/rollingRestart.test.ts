import type { Bracket } from "../../actions/action";
import type { LiveSetting } from "../../facts/running";
import { Refused } from "../../providers/kind";
import { pendingRestarts } from "../../providers/restartNeeds";
import { planRollingRestart } from "../../providers/rollingRestart";
import type { PgClusterInputs } from "../../providers/pgCluster";
import * as facts from "../support/facts";
import { atRest, calm } from "../support/handoverFacts";

const waits = (settings: Record<string, string>): { settings: Record<string, LiveSetting> } => ({
  settings: Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      facts.setting(value, { context: "postmaster", pendingRestart: true }),
    ]),
  ),
});

/** All three nodes wait for a restart with these settings now in force. */
const waiting = (have: Record<string, string>): ReturnType<typeof facts.view> =>
  facts.view([facts.primary({}, waits(have)), facts.standby(2, 1, waits(have)), facts.standby(3, 1, waits(have))]);

/** The same where nobody may take over: in an election they have no priority. */
function alone(have: Record<string, string>): ReturnType<typeof facts.view> {
  const never = facts.rows().map((row) => ({ ...row, priority: row.type === "primary" ? 100 : 0 }));
  const [first, ...others] = waiting(have);
  if (first === undefined) throw new Error("no node");
  return [{ ...first, facts: { ...first.facts, repmgr: { nodes: never, paused: false } } }, ...others];
}

function planned(want: PgClusterInputs, seen: ReturnType<typeof facts.view>): Bracket[] {
  return planRollingRestart(want, facts.clusterFacts(seen), pendingRestarts(want, seen)) as Bracket[];
}

function restarts(seen: ReturnType<typeof facts.view>, settings: Record<string, string>): string[] {
  const [bracket] = planned(facts.pgClusterInputs({ settings }), seen);
  return (bracket?.body ?? []).filter(({ do: what }) => what === "run").map(({ why }) => why);
}

describe("the order", () => {
  const handedOver = [
    "checkpoint on n1, so that the switch is short",
    "checkpoint on n2, so that the switch is short",
    "hand over from n1 to n2",
    "n2 is primary",
    "n3 follows n2",
    "n1 comes back as a standby of n2",
    "drop the slots that n1 had as primary",
  ];
  const standbysFirst = ["restart the standby n2", "restart the standby n3", ...handedOver];
  const primaryFirst = ["restart the primary n1", "restart the standby n2", "restart the standby n3"];

  test.each<[string, Record<string, string>, Record<string, string>, string[]]>([
    ["a limit is raised", { max_connections: "100" }, { max_connections: "200" }, standbysFirst],
    ["a limit is lowered", { max_connections: "200" }, { max_connections: "100" }, primaryFirst],
    ["a limit is compared as a number", { max_connections: "90" }, { max_connections: "100" }, standbysFirst],
    ["another setting changes", { shared_buffers: "128MB" }, { shared_buffers: "64MB" }, standbysFirst],
    [
      "one limit raised beside another setting",
      { max_wal_senders: "10", shared_buffers: "1GB" },
      { max_wal_senders: "20", shared_buffers: "1MB" },
      standbysFirst,
    ],
    ["a raised limit is no longer set, so that it falls to its default", { max_connections: "500" }, {}, primaryFirst],
    [
      "a lowered limit is no longer set, so that it rises to its default",
      { max_worker_processes: "4" },
      {},
      standbysFirst,
    ],
  ])("%s", (_, have, want, order) => {
    expect(restarts(waiting(have), want).map((why) => why.split(":")[0])).toEqual(order);
  });

  test("one up and one down has no right order", () => {
    const act = (): unknown =>
      restarts(waiting({ max_connections: "100", max_wal_senders: "20" }), {
        max_connections: "200",
        max_wal_senders: "10",
      });
    expect(act).toThrow(Refused);
    expect(act).toThrow(/in two separate runs/);
  });

  test("who has restarted already is left alone, as after a cut", () => {
    const raised = waits({ max_connections: "100" });
    const seen = facts.view([facts.primary({}, raised), facts.standby(2), facts.standby(3, 1, raised)]);
    expect(restarts(seen, { max_connections: "200" }).map((why) => why.split(":")[0])).toEqual([
      "restart the standby n3",
      ...handedOver,
    ]);
  });

  test("a witness restarts as what it is", () => {
    const seen = facts.view([facts.primary(), facts.standby(2), facts.primary({}, waits({ max_connections: "1" }))], 3);
    expect(restarts(seen, {})).toEqual(["restart the witness n3: max_connections"]);
  });
});

test("repmgrd is paused before and watches again after, whatever happens between", () => {
  const [bracket] = planned(facts.pgClusterInputs(), waiting({ shared_buffers: "1MB" }));
  expect(bracket?.do).toBe("bracket");
  expect(facts.shell(bracket?.before ?? [])).toContain("repmgrd_pause(true)");
  const after = facts.flat(bracket?.after ?? []).map(({ host, why }) => `${host}: ${why}`);
  expect(after).toEqual(["n1", "n2", "n3"].map((node) => `pg${node.slice(1)}: repmgrd of ${node} watches again`));
  expect(facts.shell(bracket?.after ?? [])).toContain("repmgrd_pause(false)");
  // The primary first: repmgrd does not make up for a failover that it missed.
  expect(facts.flat(bracket?.after ?? [])[0]).toMatchObject({
    host: "pg1",
    script: expect.stringMatching(/standby\.signal.*[\s\S]*systemctl start postgresql-main[\s\S]*repmgrd_pause/),
  });
});

test("each node is back in its role before the next one goes", async () => {
  const [bracket] = planned(facts.pgClusterInputs(), alone({ shared_buffers: "1MB" }));
  const waits = (bracket?.body ?? []).filter(({ do: what }) => what === "waitFor");
  const [wait, primaryWait] = ["n2 is a standby again", "n1 is a primary again"].map((why) =>
    waits.find((action) => action.why === why),
  );
  if (wait?.do !== "waitFor" || primaryWait?.do !== "waitFor") throw new Error("no wait between two restarts");
  type Instance = ReturnType<typeof facts.primary>;
  const look = (instance: Instance, at = wait, primary = facts.primary()): Promise<string | undefined> =>
    at.look((host) => Promise.resolve((host === at.host ? instance : primary) as never));
  expect(await look(facts.standby(2))).toBeUndefined();
  expect(await look(facts.standby(2, 1, { walReceiver: null }))).toBe("it does not stream yet");
  expect(await look(facts.stoppedStandby())).toBe("not running");
  expect(await look(facts.refusing(true, "starting up"))).toBe("starting up");
  expect(await look(facts.standby(1), primaryWait)).toBe("its role changed");
  // Nobody fails over while repmgrd is paused, so nobody waits for a standby then.
  await expect(look(facts.stoppedStandby(), wait, facts.formerPrimary())).rejects.toThrow(
    "pg1: n1 does not run any more",
  );
  await expect(look(facts.standby(2), wait, facts.standby(1))).rejects.toThrow("pg1: n1 is a standby now");
  expect(await look(facts.stoppedStandby(), wait, facts.refusing(false))).toBe("not running");
});

test("nothing waits, nothing happens; without a primary nothing is restarted", () => {
  expect(planned(facts.pgClusterInputs(), facts.healthy())).toEqual([]);
  const pending = waits({ shared_buffers: "1MB" });
  expect(planned(facts.pgClusterInputs(), facts.view([facts.formerPrimary(), facts.standby(2, 1, pending)]))).toEqual(
    [],
  );
  expect(
    pendingRestarts(facts.pgClusterInputs(), waiting({ b: "1", a: "1" })).map(
      ({ node, settings }) => `${node}: ${settings.join()}`,
    ),
  ).toEqual(["n1: a,b", "n2: a,b", "n3: a,b"]);
});

describe("what the preview calls it", () => {
  const words = (want: Partial<PgClusterInputs>, seen: ReturnType<typeof facts.view>): string =>
    planned(facts.pgClusterInputs(want), seen)[0]?.why ?? "nothing";
  const pending = waits({ shared_buffers: "1MB" });
  const only = (...nodes: number[]): ReturnType<typeof facts.view> =>
    facts.view([
      facts.primary({}, nodes.includes(1) ? pending : {}),
      ...[2, 3].map((id) => facts.standby(id, 1, nodes.includes(id) ? pending : {})),
    ]);
  test.each<[string, Partial<PgClusterInputs>, ReturnType<typeof facts.view>, string]>([
    ["all three", {}, only(1, 2, 3), "rolling restart of n2, n3, then switchover to n2, then n1"],
    ["the primary alone", {}, only(1), "switchover to n2, then restart of n1"],
    ["standbys alone", {}, only(2, 3), "rolling restart of n2, n3"],
    [
      "and back",
      { switchBack: true },
      only(1, 2, 3),
      "rolling restart of n2, n3, then switchover to n2, then n1, then switchover back to n1",
    ],
    [
      "a wish is fulfilled on the way",
      { preferredPrimary: "n3" },
      only(1, 2, 3),
      "rolling restart of n2, n3, then switchover to n3, then n1",
    ],
    [
      "back to where it is wished",
      { preferredPrimary: "n1" },
      only(1, 2, 3),
      "rolling restart of n2, n3, then switchover to n2, then n1, then switchover back to n1",
    ],
    ["nobody may take over", {}, alone({ shared_buffers: "1MB" }), "rolling restart of n2, n3, then n1 in its place"],
    ["a cluster of one", {}, facts.view([facts.primary({}, pending)]), "restart of n1 in its place"],
  ])("%s", (_, want, seen, begin) => {
    expect(words(want, seen)).toBe(`${begin} (because shared_buffers needs a restart)`);
  });
});

test("back again, who moved moves with it, and who follows the node by the inventory stays", () => {
  const want = facts.pgClusterInputs({ switchBack: true, upstreams: { n3: "n1" } });
  const [bracket] = planned(want, waiting({ shared_buffers: "1MB" }));
  const all = (bracket?.body ?? []).map(({ why }) => why);
  expect(all.filter((why) => /n3 (follows|streams from)/.test(why))).toEqual(["n3 streams from n1"]);
  expect(all.filter((why) => why.includes("drop the slots"))).toHaveLength(2);
  const [both] = planned(facts.pgClusterInputs({ switchBack: true }), waiting({ shared_buffers: "1MB" }));
  const moved = (both?.body ?? []).map(({ why }) => why).filter((why) => /n3 follows/.test(why));
  expect(moved).toEqual(["n3 follows n2", "n3 follows n1"]);
});

test("nobody is moved back who has no copies of the logical slots yet, and the preview says so", () => {
  const seen = waiting({ shared_buffers: "1MB" });
  const slots = { n1: atRest({ logicalSlots: ["warehouse"] }), n2: atRest({ copiedSlots: ["warehouse"] }) };
  const want = facts.pgClusterInputs({ switchBack: true });
  const have = { view: seen, handover: { ...calm(seen), ...slots } };
  const [bracket] = planRollingRestart(want, have, pendingRestarts(want, seen)) as Bracket[];
  expect(bracket?.why).toMatch(
    /switchover to n2, then n1, and not back, as n1 has no copies of the logical slots then \(because/,
  );
  expect(facts.shell(bracket?.body ?? []).match(/pg_promote/g)).toHaveLength(1);
});

test("a gate that is shut keeps everything as it is", () => {
  const seen = waiting({ shared_buffers: "1MB" });
  const have = { view: seen, handover: { ...calm(seen), n1: atRest({ oldestTransactionSeconds: 600 }) } };
  const want = facts.pgClusterInputs();
  expect(() => planRollingRestart(want, have, pendingRestarts(want, seen))).toThrow(/a transaction on n1 is 600 s old/);
});
