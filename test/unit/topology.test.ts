import type { Action } from "../../actions/action";
import type { InstanceFacts } from "../../facts/instance";
import type { RegisteredNode, Slot } from "../../facts/running";
import { describeCluster } from "../../providers/clusterReport";
import { pgInstanceKind } from "../../providers/pgInstance";
import { repmgrNodeKind, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import { removalProblems } from "../../providers/removal";
import { planRevival } from "../../providers/revive";
import { planRollingRestart } from "../../providers/rollingRestart";
import * as facts from "../support/facts";

interface Case {
  readonly self: number;
  readonly nodes: readonly InstanceFacts[];
  readonly upstream?: string;
  readonly witness?: number;
  readonly delayed?: number;
}

function asked({
  self,
  nodes,
  upstream,
  witness,
  delayed,
}: Case): [RepmgrNodeInputs, ReturnType<typeof facts.nodeFacts>] {
  const view = facts.view(nodes, witness, delayed);
  const inputs = facts.nodeInputs(self, { members: view.map(({ member }) => member), upstream });
  return [inputs, facts.nodeFacts(inputs, view)];
}

const planOf = (c: Case): Action[] => repmgrNodeKind.plan(...asked(c));
const shellOf = (c: Case): string => facts.shell(planOf(c));
const seenOf = (c: Case): RepmgrNodeInputs => repmgrNodeKind.project(...asked(c)).inputs;

const slot = (id: number, active = true): Slot => ({ name: `repmgr_slot_${id}`, active, walStatus: "reserved" });
const below = (id: number, upstream: number | null, nodes = facts.rows()): RegisteredNode[] =>
  nodes.map((row) => (row.id === id ? { ...row, upstream } : row));
const primary = (nodes: RegisteredNode[], slots: Slot[] = [slot(2)]): InstanceFacts =>
  facts.primary({ repmgr: { nodes } }, { slots });

/** n3 follows n2. */
const cascade = (over: Partial<Case> = {}): Case => ({
  self: 3,
  upstream: "n2",
  nodes: [primary(below(3, 2)), facts.standby(2, 1, { slots: [slot(3)] }), facts.standby(3, 2)],
  ...over,
});

describe("a cascading standby", () => {
  test.each<[string, Case, string[]]>([
    ["follows its upstream", cascade(), []],
    [
      "is registered below another node: its siblings would be the wrong ones",
      cascade({ nodes: [primary(below(3, 1)), ...cascade().nodes.slice(1)] }),
      ["pg3: n3 is registered with upstream 1: register it as standby"],
    ],
    [
      "was moved to the primary by repmgrd while its upstream was down, and that is back",
      cascade({
        nodes: [
          primary(below(3, 1), [slot(2), slot(3)]),
          facts.standby(2, 1, { slots: [slot(3, false)] }),
          facts.standby(3),
        ],
      }),
      ["pg3: detached: it streams from 198.18.0.11:5432, not from n2: follow n2", "pg3: n3 streams from n2"],
    ],
    [
      "stays with the primary while its upstream is down",
      cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.stoppedStandby(), facts.standby(3)] }),
      [],
    ],
    [
      "follows its upstream, too, when that has become the primary",
      cascade({
        nodes: [facts.formerPrimary(1), primary(below(3, 2, facts.rows(2)), [slot(3)]), facts.standby(3, 2)],
      }),
      [],
    ],
    [
      "was promoted itself: it follows nobody",
      cascade({
        nodes: [facts.formerPrimary(1), facts.standby(2, 3), primary(facts.rows(3))],
      }),
      [],
    ],
  ])("%s", (_, c, expected) => expect(facts.whys(planOf(c))).toEqual(expected));

  test("is told by repmgr whom to follow, at once, and is registered below that node", () => {
    const moved = cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.standby(2), facts.standby(3)] });
    expect(shellOf(moved)).toMatch(/^runuser .* standby follow --upstream-node-id=2$/m);
    const wrong = cascade({ nodes: [primary(below(3, 1)), ...cascade().nodes.slice(1)] });
    expect(shellOf(wrong)).toContain("standby register --force --upstream-node-id=2 --wait-sync=30");
  });

  test("is not registered below an upstream that is down", () => {
    const rows = facts.rows().slice(0, 2);
    const nodes = [primary(rows, [slot(3)]), facts.stoppedStandby(), facts.standby(3)];
    expect(shellOf(cascade({ nodes }))).toContain("standby register --wait-sync=30");
  });

  test("that its own database does not know yet gets its slot on the upstream before it is told without repmgr", () => {
    const late = facts.standby(3, 1, {}, { repmgr: { nodes: facts.rows().slice(0, 1) } });
    const shell = shellOf(cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.standby(2), late] }));
    expect(shell).toMatch(
      /pg_create_physical_replication_slot\('repmgr_slot_3'[\s\S]*alter system set primary_conninfo/,
    );
  });
});

describe("a slot that was left behind", () => {
  const DROP = "repmgr_slot_3 on n1 keeps WAL for nobody, n3 streams from 198.18.0.12: drop it";
  const left = (active: boolean, upstream: number): Case =>
    cascade({ nodes: [primary(below(3, upstream), [slot(2), slot(3, active)]), ...cascade().nodes.slice(1)] });

  test.each<[string, Case, string[]]>([
    ["is dropped by its owner", left(false, 2), [`pg1: ${DROP}`]],
    ["is dropped by its holder", { ...left(false, 2), self: 1, upstream: undefined }, [`pg1: ${DROP}`]],
    ["is no business of others", { ...left(false, 2), self: 2, upstream: undefined }, []],
    ["is kept while somebody reads it", left(true, 2), []],
    [
      "is kept while its owner is registered there",
      left(false, 1),
      ["pg3: n3 is registered with upstream 1: register it as standby"],
    ],
    [
      "is kept while its owner is down",
      {
        self: 1,
        nodes: [primary(below(3, 2), [slot(2), slot(3, false)]), facts.standby(2), facts.stoppedStandby()],
      },
      [],
    ],
    [
      "of the new primary is dropped on the old one",
      {
        self: 1,
        nodes: [
          facts.standby(1, 2, { slots: [slot(2, false)] }),
          primary(facts.rows(2), [slot(1), slot(3)]),
          facts.standby(3, 2),
        ],
      },
      ["pg1: repmgr_slot_2 on n1 keeps WAL for nobody, n2 is the primary: drop it"],
    ],
  ])("%s", (_, c, expected) => expect(facts.whys(planOf(c))).toEqual(expected));

  test("shows in the review", () => {
    expect(seenOf(left(false, 2)).slot).toBe("left over: repmgr_slot_3 on n1");
    expect(shellOf(left(false, 2))).toMatch(/slot_name = 'repmgr_slot_3' and not active/);
  });
});

describe("where a cascading standby is cloned from", () => {
  const clone = (upstream: InstanceFacts): string[] => {
    const inputs = facts.instanceInputs(3, { upstream: "n2" });
    const view = facts.view([facts.primary(), upstream, facts.without("absent")]);
    const nothing = { postgresConf: undefined, hbaConf: undefined };
    const actions = pgInstanceKind.plan(inputs, facts.instanceFacts(inputs, view, nothing));
    return [...facts.whys(actions), facts.shell(actions)].filter((line) => /clone n3|standby clone/.test(line));
  };

  test("its upstream, below which it stays", () => {
    const [why, shell] = clone(facts.standby(2));
    expect(why).toBe("pg3: clone n3 from n2, which n3 follows");
    expect(shell).toMatch(/-h '198\.18\.0\.12' .* --upstream-node-id=2/);
  });

  test.each<[string, InstanceFacts]>([
    ["is down", facts.stoppedStandby()],
    ["does not stream itself", facts.standby(2, 1, { walReceiver: null })],
    ["does not know itself yet", facts.standby(2, 1, {}, { repmgr: { nodes: facts.rows().slice(0, 1) } })],
  ])("the primary, while its upstream %s", (_, upstream) => {
    const [why, shell] = clone(upstream);
    expect(why).toBe("pg3: clone n3 from n1, which is the primary now");
    expect(shell).not.toContain("--upstream-node-id");
  });
});

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

  test("learns of a change when its time comes", () => {
    const moved = facts.rows().map((row) => (row.id === 3 ? { ...row, conninfo: "host=elsewhere" } : row));
    expect(shellOf(delayed(moved, known))).toMatch(/standby register --force$/m);
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
        view.map(({ member }) => ({ node: member.node, settings: ["max_connections"], enablesChecksums: false })),
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

test("a witness whose data were lost is registered again, although the primary still knows it", () => {
  const rows = facts.rows(1, 3);
  const empty = facts.primary({ repmgr: { nodes: [] } });
  const c: Case = { self: 3, witness: 3, nodes: [facts.primary({ repmgr: { nodes: rows } }), facts.standby(2), empty] };
  expect(facts.whys(planOf(c))).toEqual(["pg3: n3 is registered, but not in its own database: register it as witness"]);
  expect(shellOf(c)).toContain("witness register -h 198.18.0.11 -p 5432 -U repmgr -d repmgr --force");
  expect(seenOf(c).registration).toBe("registered, but not in its own database");
});
