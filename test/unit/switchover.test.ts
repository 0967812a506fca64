import type { HandoverFacts } from "../../facts/handover";
import type { InstanceFacts } from "../../facts/instance";
import { Refused } from "../../providers/kind";
import { pgClusterKind } from "../../providers/pgCluster";
import { planRevival } from "../../providers/revive";
import { planSwitchover } from "../../providers/switchover";
import * as facts from "../support/facts";
import { atRest, calm } from "../support/handoverFacts";

const PAUSED = ": it watches, and promotes and follows nobody until it is unpaused";
type Nodes = readonly InstanceFacts[];
const HEALTHY: Nodes = [facts.primary(), facts.standby(2), facts.standby(3)];

function planned(to: string, nodes: Nodes = HEALTHY, busy: Record<string, Partial<HandoverFacts>> = {}) {
  const view = facts.view(nodes);
  const handover = { ...calm(view) };
  for (const [node, over] of Object.entries(busy)) handover[node] = atRest(over);
  return planSwitchover(facts.clusterInputs(), { view, handover }, to, "preferred_primary");
}

describe("the plan", () => {
  test("names who becomes primary and why, and pauses repmgrd around it", () => {
    const [bracket, ...others] = planned("n2");
    expect(others).toEqual([]);
    expect(bracket).toMatchObject({
      do: "bracket",
      effect: "switchover",
      host: "pg1",
      why: "switchover to n2 (because preferred_primary)",
    });
    expect(facts.whys(facts.flat(bracket === undefined ? [] : [bracket]))).toEqual([
      ...[1, 2, 3].map((id) => `pg${id}: pause repmgrd of n${id}${PAUSED}`),
      "pg1: checkpoint on n1, so that the switch is short",
      "pg2: checkpoint on n2, so that the switch is short",
      "pg2: n2 streams from n1 and has replayed nearly everything",
      "pg1: hand over from n1 to n2: let transactions end, stop n1 cleanly, promote n2 once it has received everything",
      "pg2: n2 is primary: enter it as such",
      "pg3: n3 follows n2",
      "pg1: n1 comes back as a standby of n2",
      "pg3: n3 streams from n2",
      "pg1: n1 streams from n2",
      "pg1: drop the slots that n1 had as primary",
      ...[1, 2, 3].map((id) => `pg${id}: repmgrd of n${id} watches again`),
    ]);
  });

  test("is empty for who is primary already", () => expect(planned("n1")).toEqual([]));

  test("leaves who follows another node where it is", () => {
    const all = facts.flat(planned("n2", [facts.primary(), facts.standby(2), facts.standby(3, 2)]));
    expect(facts.whys(all).filter((why) => why.includes("n3"))).toEqual([
      `pg3: pause repmgrd of n3${PAUSED}`,
      "pg3: repmgrd of n3 watches again",
    ]);
  });

  test("before the promotion the old primary is barred from starting as a second one", () => {
    const script = facts.shell(planned("n2"));
    expect(script.indexOf('/dev/null "$data/standby.signal"')).toBeGreaterThan(script.indexOf("systemctl stop"));
    expect(script.indexOf('/dev/null "$data/standby.signal"')).toBeLessThan(script.indexOf("pg_promote"));
    expect(script).not.toContain(facts.PASSWORD);
  });
});

describe("who follows whom afterwards", () => {
  const moves = (
    nodes: Nodes,
    upstreams: Record<string, string>,
    from: number,
    to: number,
    delayed?: number,
  ): string[] => {
    const view = facts.view(nodes, undefined, delayed);
    const inputs = { ...facts.clusterInputs({ members: view.map(({ member }) => member) }), upstreams };
    const have = { view, handover: calm(view) };
    const all = facts.whys(facts.flat(planSwitchover(inputs, have, `n${to}`, "asked for")));
    const begin = all.findIndex((why) => why.includes(`n${to} is primary: enter it`));
    expect(all.join()).toContain(`hand over from n${from} to n${to}`);
    return all.slice(begin + 1).filter((why) => !why.includes("watches again"));
  };

  test("who is to follow the old primary by the inventory stays with it and keeps its slot", () => {
    expect(moves(HEALTHY, { n3: "n1" }, 1, 2)).toEqual([
      "pg1: n1 comes back as a standby of n2",
      "pg1: n1 streams from n2",
      "pg3: n3 streams from n1",
      "pg1: drop the slots that n1 had as primary",
    ]);
    const view = facts.view(HEALTHY);
    const inputs = { ...facts.clusterInputs(), upstreams: { n3: "n1" } };
    const script = facts.shell(planSwitchover(inputs, { view, handover: calm(view) }, "n2", "asked for"));
    expect(script).toContain("where slot_name in ('repmgr_slot_2') and not active");
  });

  test("the old primary goes where the inventory has it", () => {
    const third = [facts.standby(1, 3), facts.standby(2, 3), facts.primary({}, { timeline: 2 })];
    expect(moves(third, { n3: "n1" }, 3, 2)).toEqual([
      "pg1: n1 follows n2",
      "pg3: n3 comes back as a standby of n2",
      "pg1: n1 streams from n2",
      "pg3: n3 streams from n2",
      "pg3: n3 follows n1",
      "pg3: n3 streams from n1",
      "pg3: drop the slots that n3 had as primary",
      "pg2: drop the slot of n3, which follows n1",
    ]);
  });

  test("whose upstream is down follows the new primary", () => {
    const view = [...HEALTHY.slice(0, 2), facts.standby(3)];
    expect(moves(view, { n3: "n9" }, 1, 2)[0]).toBe("pg3: n3 follows n2");
  });

  test("one that is behind on purpose is told without repmgr, which would wait as long as its delay", async () => {
    expect(moves(HEALTHY, {}, 1, 2, 3).slice(0, 2)).toEqual([
      "pg2: the slot of n3, which keeps the WAL it still needs, is still to come on n2: make it",
      "pg3: n3 follows n2",
    ]);
    const view = facts.view(HEALTHY, undefined, 3);
    const actions = facts.flat(planSwitchover(facts.clusterInputs(), { view, handover: calm(view) }, "n2", "-"));
    const script = facts.shell(actions.filter(({ host }) => host === "pg3"));
    expect(script).toMatch(/alter system set primary_conninfo = .*198\.18\.0\.12/);
    expect(script).not.toContain("standby follow");
    expect(facts.shell(actions)).toContain("set upstream_node_id = 2 where node_id = 3");
    const wait = actions.find(({ why }) => why === "n3 streams from n2");
    const told = (host: string): InstanceFacts => {
      const settings = { primary_conninfo: facts.setting(`host=${host} port=5432`) };
      return facts.standby(3, 1, { walReceiver: null, waitsToApply: true, settings });
    };
    const look = (seen: InstanceFacts, now = facts.primary()) =>
      wait?.do === "waitFor" && wait.look((host) => Promise.resolve((host === "pg2" ? now : seen) as never));
    expect(await look(told("198.18.0.11"))).toBe("it streams from 198.18.0.11");
    expect(await look(told("198.18.0.12"))).toBeUndefined();
    await expect(look(told("198.18.0.11"), facts.formerPrimary())).rejects.toThrow("pg2: n2 does not run any more");
  });
});

describe("the gates", () => {
  test.each<[string, string, Nodes, Record<string, Partial<HandoverFacts>>, RegExp]>([
    ["nobody is primary", "n2", [facts.formerPrimary(), ...HEALTHY.slice(1)], {}, /no node takes writes/],
    ["two are primary", "n3", [facts.primary(), facts.primary(), facts.standby(3)], {}, /both take writes/],
    ["the target is down", "n2", [facts.primary(), facts.stoppedStandby(), facts.standby(3)], {}, /n2 does not run/],
    [
      "the target does not stream",
      "n2",
      [facts.primary(), facts.standby(2, 1, { walReceiver: null }), facts.standby(3)],
      {},
      /n2 does not stream from n1, which is primary/,
    ],
    [
      "the target follows another",
      "n3",
      [facts.primary(), facts.standby(2), facts.standby(3, 2)],
      {},
      /n3 does not stream from n1/,
    ],
    [
      "the target lags",
      "n2",
      [facts.primary({}, { walBytes: 2 ** 30 }), facts.standby(2), facts.standby(3, 1, { walBytes: 2 ** 30 })],
      {},
      /n2 is 976 MiB of WAL behind, 16 at most/,
    ],
    ["a sibling is down", "n2", [facts.primary(), facts.standby(2), facts.stoppedStandby()], {}, /n3 does not run/],
    [
      "a repmgrd is down",
      "n2",
      [facts.primary(), facts.standby(2), facts.standby(3, 1, {}, { repmgrd: "failed" })],
      {},
      /repmgrd of n3 on pg3 does not run/,
    ],
    ["an old transaction", "n2", HEALTHY, { n1: { oldestTransactionSeconds: 61 } }, /a transaction on n1 is 61 s old/],
    ["archiving fails", "n2", HEALTHY, { n1: { isArchivingBroken: true } }, /archiving fails on n1/],
    ["archiving is behind", "n2", HEALTHY, { n1: { unarchived: 11 } }, /11 WAL files wait on n1/],
    ["a base backup", "n2", HEALTHY, { n1: { baseBackups: 1 } }, /a base backup of n1 is under way/],
    ["logical slots", "n2", HEALTHY, { n1: { logicalSlots: ["cdc"] } }, /the logical replication slots cdc are on n1/],
    ["replay is paused", "n2", HEALTHY, { n2: { isReplayPaused: true } }, /replay is paused on n2/],
    ["the target is delayed", "n2", HEALTHY, { n2: { applyDelayMs: 1 } }, /n2 replays with a delay/],
  ])("%s", (_, to, nodes, busy, message) => {
    expect(() => planned(to, nodes, busy)).toThrow(Refused);
    expect(() => planned(to, nodes, busy)).toThrow(message);
  });

  test("all that are shut are told at once", () => {
    const busy = { n1: { baseBackups: 1, isArchivingBroken: true }, n2: { isReplayPaused: true } };
    expect(() => planned("n2", HEALTHY, busy)).toThrow(/archiving fails.*; a base backup.*; replay is paused on n2/);
  });
});

describe("the wish of the inventory", () => {
  const wants = facts.pgClusterInputs({ preferredPrimary: "n2" });
  const seen = facts.view(HEALTHY);

  test("shows as a difference until it is fulfilled, and without a wish there is none", () => {
    const shown = pgClusterKind.project(wants, facts.clusterFacts(seen)).inputs;
    expect(shown.preferredPrimary).toBe("n1");
    expect("preferredPrimary" in pgClusterKind.project(facts.pgClusterInputs(), facts.clusterFacts(seen)).inputs).toBe(
      false,
    );
    expect(facts.whys(pgClusterKind.plan(wants, facts.clusterFacts(seen)))).toEqual([
      "pg1: switchover to n2 (because preferred_primary)",
    ]);
  });

  test("a gate that is shut keeps nothing else from being done", () => {
    const role = { name: "app", login: true, superuser: false, createdb: false, createrole: false, replication: false };
    const more = { ...wants, roles: [{ ...role, connectionLimit: -1 }] };
    const busy = {
      ...facts.clusterFacts(seen),
      handover: { ...calm(seen), n1: atRest({ baseBackups: 1 }) },
    };
    let error: unknown;
    try {
      pgClusterKind.plan(more, busy);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Refused);
    expect((error as Refused).besides.map(({ why }) => why)).toEqual([expect.stringMatching(/^create role app/)]);
  });
});

describe("a switchover that was cut before the promotion", () => {
  const handedOver = (over: Partial<InstanceFacts> = {}): InstanceFacts =>
    facts.stoppedStandby(1, { control: facts.control({ state: "shut down" }), ...over });
  const revival = (nodes: Nodes): string[] =>
    facts.whys(facts.flat(planRevival(facts.clusterInputs(), facts.view(nodes))));

  test("is taken back: who stopped to hand over has everything", () => {
    expect(revival([handedOver(), facts.standby(2), facts.standby(3)])).toEqual([
      ...[2, 3].map((id) => `pg${id}: pause repmgrd of n${id}${PAUSED}`),
      "pg1: a switchover from n1 was cut before another node was promoted: n1 is primary again",
      "pg1: n1 answers SQL",
      ...[1, 2, 3].map((id) => `pg${id}: repmgrd of n${id} watches again`),
    ]);
  });

  test("but never beside a node on a later timeline", () => {
    expect(() => revival([handedOver(), facts.standby(2, 1, { timeline: 2 }), facts.standby(3)])).toThrow(Refused);
  });

  test("after the promotion the rest is done, by the cluster alone if need be", () => {
    const nodes = [handedOver(), facts.primary({}, { timeline: 2 }), facts.standby(3, 1, { walReceiver: null })];
    const plan = pgClusterKind.plan(facts.pgClusterInputs(), facts.clusterFacts(facts.view(nodes)));
    expect(facts.whys(plan)).toEqual(["pg2: the switchover from n1 to n2 was cut after the promotion: do the rest"]);
    expect(facts.whys(facts.flat(plan)).slice(2, 5)).toEqual([
      "pg2: n2 is primary: enter it as such",
      "pg3: n3 follows n2",
      "pg1: n1 comes back as a standby of n2",
    ]);
  });

  test("a standby that was stopped is none", () => {
    expect(revival([facts.stoppedStandby(), facts.standby(2), facts.standby(3)]).join()).toContain(
      "repmgrd's to decide",
    );
  });
});

describe("what is asked before", () => {
  /** Answers with the healthy cluster, and keeps the keys of what was asked. */
  const asked = async (over: Parameters<typeof facts.pgClusterInputs>[0]): Promise<string[]> => {
    const keys: string[] = [];
    await pgClusterKind.observe(
      {
        ask: (host, probe) => {
          keys.push(`${host} ${probe.key.split(" ")[0] ?? ""}`);
          const index = Number(host.replace("pg", "")) - 1;
          const empty = { roles: [], databases: [], slots: [] };
          if (probe.key.startsWith("content")) return Promise.resolve(empty as never);
          return Promise.resolve((probe.key.startsWith("instance") ? HEALTHY[index] : []) as never);
        },
      },
      facts.pgClusterInputs(over),
    );
    return keys.filter((key) => key.endsWith("handover"));
  };

  test("whether a primary may move is asked only where it may have to", async () => {
    expect(await asked({})).toEqual([]);
    expect(await asked({ preferredPrimary: "n1" })).toEqual([]);
    expect(await asked({ preferredPrimary: "n2" })).toEqual(["pg1 handover", "pg2 handover", "pg3 handover"]);
  });
});
