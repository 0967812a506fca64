import type { Action } from "../../actions/action";
import { CREATE_CLUSTER_FILE } from "../../facts/aptFiles";
import type { FormerData, FormerFacts } from "../../facts/formerData";
import type { InstanceFacts } from "../../facts/instance";
import type { Obstacles } from "../../facts/obstacles";
import type { PackagesFact } from "../../facts/packages";
import type { UpgradeNode, UpgradeView } from "../../providers/majorUpgrade";
import { planMajorUpgrade } from "../../providers/majorUpgradePlan";
import { upgradeProblems } from "../../providers/majorUpgradeProblems";
import type { PreflightInputs } from "../../providers/preflight";
import * as facts from "../support/facts";

const OLD = "/var/lib/postgresql/15/main";
const ROOM = { pg1: 5e9, pg2: 5e9, pg3: 5e9 };
const NOTHING: Obstacles = { bytes: 1e9, tablespaces: [], preparedTransactions: 0, foreignSlots: [] };

const nodes = [1, 2, 3].map((id) => {
  const { node, host, address } = facts.member(id);
  return { node, id, host, address, isWitness: false };
});
const want: PreflightInputs = {
  ...facts.clusterInputs(),
  kind: "Preflight",
  protect: false,
  packages: ["postgresql-17", "postgresql-17-repmgr"],
  nodes,
};

const installed: PackagesFact = {
  packages: want.packages.map((name) => ({ name, state: "installed", version: "17.12" })),
  isInterrupted: false,
  candidates: {},
};
const packages = {
  packages: installed,
  siblings: {},
  key: undefined,
  source: undefined,
  createCluster: facts.file(CREATE_CLUSTER_FILE.content),
};

function former(over: Partial<FormerData> = {}): FormerFacts {
  return {
    isAlive: false,
    device: "1",
    former: { dataDirectory: OLD, version: 15, isStandby: false, pid: 7, device: "1", ...over },
  };
}

function seen(id: number, has: FormerFacts, old?: InstanceFacts, obstacles?: Obstacles): UpgradeNode {
  const node = nodes[id - 1];
  if (node === undefined) throw new Error(`no node ${id}`);
  return {
    node,
    facts: has,
    ...(old === undefined ? {} : { due: { old, packages, ...(obstacles && { obstacles }) } }),
  };
}

/** All on 15, healthy. */
const due = (obstacles = NOTHING): UpgradeView => [
  seen(1, former(), facts.primary(), obstacles),
  seen(2, former({ isStandby: true }), facts.standby(2)),
  seen(3, former({ isStandby: true }), facts.standby(3)),
];
const without = (view: UpgradeView, id: number, other: UpgradeNode): UpgradeView =>
  view.map((one, index) => (index === id - 1 ? other : one));
const mark = (phase: "begun" | "started", to = 17) => ({
  from: 15,
  to,
  phase,
  dataDirectory: `/var/lib/postgresql/${to}/main`,
});

const plan = (view: UpgradeView, over: Partial<PreflightInputs> = {}): Action[] =>
  planMajorUpgrade({ ...want, ...over }, view, ROOM);
const effects = (actions: readonly Action[]): string[] =>
  actions.map(({ host, effect, do: verb }) => `${host} ${effect ?? verb}`);

describe("the way from 15 to 17", () => {
  test("is nothing for a cluster that is on 17, or has no data", () => {
    const there = { version: 17, isAlive: true, device: "1" };
    expect(plan([1, 2, 3].map((id) => seen(id, there)))).toEqual([]);
    expect(plan([1, 2, 3].map((id) => seen(id, { isAlive: false, device: "1" })))).toEqual([]);
  });

  test("checks before it stops anything, and only on the primary, wherever that is", () => {
    const moved = [
      seen(1, former({ isStandby: true }), facts.standby(1, 2)),
      seen(2, former(), facts.primary(), NOTHING),
      seen(3, former({ isStandby: true }), facts.standby(3, 2)),
    ];
    const actions = plan(moved);
    expect(effects(actions)).toEqual(["pg2 run", "pg2 upgrade"]);
    expect(actions[1]?.why).toMatch(
      /^major upgrade 15 -> 17: n2, the primary, stops, .*: down for some seconds.*; then n1, n3 get new copies, the old ones stay in \/var\/lib\/postgresql\/15\/main$/,
    );
    const [check, change] = actions.map((action) => facts.shell([action]));
    expect(check).toContain("upgrade --check --old-port=5432");
    expect(check).not.toMatch(/systemctl (stop|start|restart)/);
    expect(change).toContain("upgrade --link");
    expect(change).toContain("'/usr/lib/postgresql/15/bin/repmgr' -f '/etc/repmgr/main/repmgr.conf' service pause");
  });

  test("repmgrd is told to watch again only where the old version goes on", () => {
    const [, bracket] = plan(due());
    if (bracket?.do !== "bracket") throw new Error("no bracket");
    expect(bracket.after.map((a) => (a.do === "run" ? a.script : ""))).toEqual([
      expect.stringMatching(
        /^\[ -f '\/var\/lib\/postgresql\/17\/main\/PG_VERSION' \] \|\| .*15\/bin\/repmgr' .*service unpause$/,
      ),
    ]);
  });

  test("the packages of 17 come first, on the hosts that lack them", () => {
    const absent = { ...installed, packages: installed.packages.map((p) => ({ ...p, state: "absent" as const })) };
    const view = due().map((one, index) =>
      index === 2 && one.due ? { ...one, due: { ...one.due, packages: { ...packages, packages: absent } } } : one,
    );
    expect(plan(view)[0]).toMatchObject({ host: "pg3", why: "install postgresql-17, postgresql-17-repmgr" });
  });

  test("afterwards: extension, the old ones stop, statistics, and then nothing", () => {
    const upgraded = { ...former({ pid: 0 }), version: 17, mark: mark("started") };
    const view = [seen(1, { ...upgraded, isAlive: true }), ...due().slice(1)];
    expect(plan(view).map(({ host, why }) => `${host}: ${why.slice(0, 28)}`)).toEqual([
      "pg1: repmgr's extension is that o",
      "pg2: the cluster is one of Postgr",
      "pg3: the cluster is one of Postgr",
      "pg1: make the planner's statistics".slice(0, 33),
    ]);
    const done = [
      seen(1, { version: 17, isAlive: true, device: "1" }),
      ...[2, 3].map((id) => seen(id, former({ isStandby: true, pid: 0 }))),
    ];
    expect(plan(done)).toEqual([]);
  });
});

describe("an upgrade that was cut", () => {
  test("before the old data were whole again goes on, though nothing runs on the primary", () => {
    const down = seen(1, { ...former({ pid: 0 }), mark: mark("begun") }, facts.formerPrimary());
    const actions = plan(without(due(), 1, down));
    expect(effects(actions)).toEqual(["pg1 run", "pg1 upgrade"]);
    expect(facts.shell(actions)).not.toContain("service pause");
    expect(facts.shell(actions)).toContain("putControlBack");
  });

  test("between pg_upgrade and the start is started", () => {
    const down = seen(1, { version: 17, ...former({ pid: 0 }), mark: mark("begun") });
    expect(effects(plan(without(due(), 1, down)))[0]).toBe("pg1 start");
  });

  test("is taken back with the old version in the inventory, while 17 was never started", () => {
    const back = { version: 15, dataDirectory: OLD };
    const begun = seen(1, { version: 15, isAlive: false, device: "1", mark: mark("begun") });
    const others = [2, 3].map((id) => seen(id, { version: 15, isAlive: true, device: "1" }));
    const actions = plan([begun, ...others], back);
    expect(effects(actions)).toEqual(["pg1 start"]);
    expect(facts.shell(actions)).toContain("data='/var/lib/postgresql/17/main'");
    const started = seen(1, { version: 15, isAlive: false, device: "1", mark: mark("started") });
    expect(() => plan([started, ...others], back)).toThrow(
      /has started PostgreSQL 17 .* cannot be used any more\. Set version: 17/,
    );
  });
});

const REFUSED: [string, UpgradeView, RegExp][] = [
  [
    "a standby that is down",
    without(due(), 3, seen(3, former({ isStandby: true, pid: 0 }), facts.stoppedStandby())),
    /from 15 to 17: n3 on pg3 does not run; its copy is what is left/,
  ],
  [
    "a standby that does not stream",
    without(due(), 2, seen(2, former({ isStandby: true }), facts.standby(2, 1, { walReceiver: null }))),
    /n2 on pg2 does not stream from n1/,
  ],
  ["a node without data", without(due(), 2, seen(2, { isAlive: false, device: "1" })), /n2 on pg2 has no data of 15/],
  [
    "two primaries",
    without(due(), 2, seen(2, former(), facts.primary(), NOTHING)),
    /needs one primary, and n1 on pg1 and n2 on pg2 both are/,
  ],
  [
    "another file system",
    without(due(), 1, seen(1, former({ device: "2" }), facts.primary(), NOTHING)),
    /are on different file systems/,
  ],
  [
    "tablespaces that the inventory does not name",
    due({ ...NOTHING, tablespaces: [{ name: "fast", directory: "/srv/fast", bytes: 1 }] }),
    /does not name its tablespaces fast in \/srv\/fast, so nobody has looked.*with the old version, then upgrade/,
  ],
  ["prepared transactions", due({ ...NOTHING, preparedTransactions: 2 }), /2 prepared transactions wait/],
  [
    "slots of others",
    due({ ...NOTHING, foreignSlots: ["barman"] }),
    /barman belong to others.*pg_drop_replication_slot\('barman'\)/,
  ],
  [
    "no room for a second copy",
    due({ ...NOTHING, bytes: 9e9 }),
    /pg2 has 4\.7 GiB free for a new copy beside the old one, wanted are 9\.4 GiB/,
  ],
];

test.each(REFUSED)("refused: %s", (_, view, message) => {
  const problems = upgradeProblems(want, view, ROOM);
  expect(problems[0]).toMatch(message);
  expect(() => plan(view)).toThrow(message);
});
