import type { Action } from "../../actions/action";
import type { InstanceFacts } from "../../facts/instance";
import type { RegisteredNode } from "../../facts/running";
import { describeCluster } from "../../providers/clusterReport";
import { removalProblems } from "../../providers/removal";
import { planRevival } from "../../providers/revive";
import { planRollingRestart } from "../../providers/rollingRestart";
import * as facts from "../support/facts";
import { type Case, planOf, shellOf, seenOf, slot, primary } from "./topologyFixture";

describe("a standby that stays behind on purpose", () => {
  const known = facts.rows().map((row) => (row.id === 3 ? { ...row, priority: 0 } : row));
  const delayed = (rows: RegisteredNode[], own: RegisteredNode[]): Case => ({
    self: 3,
    delayed: 3,
    nodes: [primary(rows, [slot(2), slot(3)]), facts.standby(2), facts.standby(3, 1, {}, { repmgr: { nodes: own } })],
  });
  const LIFTED = "its delay of 1h is lifted until it has replayed that";

  test("learns of its first registration at once, else repmgrd would start only after the delay", () => {
    const fresh = delayed(known.slice(0, 2), known.slice(0, 2));
    expect(facts.whys(planOf(fresh))).toEqual([`pg3: n3 is not registered: register it as standby; ${LIFTED}`]);
    expect(shellOf(fresh)).toMatch(
      /trap .*alter system reset recovery_min_apply_delay.* EXIT\n.*alter system set recovery_min_apply_delay = 0[\s\S]*standby register --wait-sync=60[\s\S]*-h '198.18.0.11' .* -c checkpoint[\s\S]*-d postgres -c checkpoint$/m,
    );
    const cut = delayed(facts.rows(), facts.rows().slice(0, 2));
    expect(facts.whys(planOf(cut))).toEqual([
      `pg3: n3 is registered, but not in its own database: register it as standby; ${LIFTED}`,
    ]);
  });

  test("learns of a change when its time comes; repmgr would look for the primary among the rows of an hour ago", () => {
    const moved = facts.rows().map((row) => (row.id === 3 ? { ...row, conninfo: "host=elsewhere" } : row));
    const [action, ...others] = planOf(delayed(moved, known));
    expect(others).toEqual([]);
    expect(action).toMatchObject({ do: "run", host: "pg1" });
    expect(action?.why).toMatch(
      /^n3 is registered with conninfo "host=elsewhere": put its row on n1 right, since its own copy/,
    );
    expect(action?.do === "run" && action.stdin).toMatch(
      /update repmgr\.nodes set node_name = 'n3', type = 'standby', conninfo = 'host=198\.18\.0\.13 [^']*', location = 'default', active = true, upstream_node_id = 1, priority = 100 where node_id = 3;\n$/,
    );
  });

  test("is as wanted when all is well, and its lag is no fault", () => {
    const well = delayed(facts.rows(), facts.rows());
    expect(planOf(well)).toEqual([]);
    const view = facts.view(
      [facts.primary({}, { walBytes: 5e9 }), facts.standby(2, 1, { walBytes: 5e9 }), facts.standby(3)],
      undefined,
      3,
    );
    expect(describeCluster(facts.pgClusterInputs(), view).nodes.map(({ lag }) => lag)).toEqual([
      "none",
      "none",
      "1h on purpose",
    ]);
  });

  describe("that was started again streams only when it has replayed what it has, which takes its delay", () => {
    const started = (host: string, name: string, over: object = {}): InstanceFacts => {
      const told = `host=${host} port=5432 user=repmgr application_name=n3`;
      const settings = { primary_conninfo: facts.setting(told), primary_slot_name: facts.setting(name) };
      return facts.standby(3, 1, { walReceiver: null, waitsToApply: true, settings, ...over });
    };
    const of = (self: InstanceFacts): Case => ({
      ...delayed(facts.rows(), known),
      nodes: [primary(facts.rows(), [slot(2), slot(3, false)]), facts.standby(2), self],
    });

    test.each<[string, InstanceFacts, string]>([
      ["it is told to follow the right one", started("198.18.0.11", "repmgr_slot_3"), "attached"],
      [
        "it is told to follow another",
        started("198.18.0.12", "repmgr_slot_3"),
        "detached: it is going to stream from 198.18.0.12:5432, not from n1",
      ],
      [
        "it is told another slot",
        started("198.18.0.11", "mine"),
        "detached: it is going to stream without its slot repmgr_slot_3",
      ],
      [
        "it has nothing to replay, and does not stream",
        started("198.18.0.11", "repmgr_slot_3", { waitsToApply: false }),
        "detached: it does not stream from n1",
      ],
    ])("%s", (_, self, state) => expect(seenOf(of(self)).state).toBe(state));

    test("it votes all the same, so that another may leave", () => {
      const [first, second, self] = of(started("198.18.0.11", "repmgr_slot_3")).nodes as [
        InstanceFacts,
        InstanceFacts,
        InstanceFacts,
      ];
      const leave = (late: InstanceFacts): string[] => {
        const view = [
          ...facts.view([first, second, late], undefined, 3),
          { member: facts.member(4), facts: facts.standby(4) },
        ];
        return removalProblems(facts.clusterInputs(), view, ["n4"], 0);
      };
      expect(leave(self)).toEqual([]);
      expect(leave(facts.standby(3, 1, { walReceiver: null }))).toEqual([
        expect.stringContaining("n4 cannot be removed now"),
      ]);
    });

    test("nothing is to do for it; told wrong, it is told again without repmgr, which would wait for it to stream", () => {
      expect(planOf(of(started("198.18.0.11", "repmgr_slot_3")))).toEqual([]);
      const view = facts.view(of(started("198.18.0.11", "repmgr_slot_3")).nodes, undefined, 3);
      expect(describeCluster(facts.pgClusterInputs(), view).nodes[2]?.follows).toBe("n1");
      expect(shellOf(of(started("198.18.0.12", "repmgr_slot_3")))).toMatch(
        /alter system set primary_conninfo = .*198\.18\.0\.11/,
      );
    });
  });

  test("promotes nobody: a cluster of it alone is not waited for", () => {
    const orphan = facts.standby(3, 1, { walReceiver: null });
    const view = facts.view([facts.formerPrimary(), facts.stoppedStandby(), orphan], undefined, 3);
    expect(facts.whys(planRevival(facts.clusterInputs(), view))[0]).toMatch(
      /^pg1: start PostgreSQL of n1: .*last primary/,
    );
  });

  test("has caught up in a rolling restart when it streams; lower limits are refused, it could not start with them", async () => {
    const live = {
      settings: { max_connections: facts.setting("100", { context: "postmaster", pendingRestart: true }) },
    };
    const view = facts.view(
      [facts.primary({}, live), facts.standby(2, 1, live), facts.standby(3, 1, live)],
      undefined,
      3,
    );
    const restart = (value: string): Action[] =>
      planRollingRestart(
        facts.pgClusterInputs({ settings: { max_connections: value } }),
        facts.clusterFacts(view),
        view.map(({ member: { node } }) => ({
          node,
          settings: ["max_connections"],
          enablesChecksums: false,
          isOfOldUnit: false,
        })),
      );
    const wait = facts.flat(restart("200")).find(({ why }) => why.startsWith("n3 streams again"));
    if (wait?.do !== "waitFor") throw new Error("nobody waits for n3");
    const late = facts.standby(3, 1, { walBytes: 0 });
    expect(
      await wait.look((host) => Promise.resolve((host === "pg1" ? facts.primary() : late) as never)),
    ).toBeUndefined();
    expect(() => restart("50")).toThrow(/cannot be lowered while n3 on pg3 stays 1h behind.*Take 'delay' of n3 out/);
  });
});
