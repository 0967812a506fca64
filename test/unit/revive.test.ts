import fc from "fast-check";
import type { Action } from "../../actions/action";
import type { InstanceFacts } from "../../facts/instance";
import type { ClusterView } from "../../providers/cluster";
import { Refused } from "../../providers/kind";
import { pgClusterKind } from "../../providers/pgCluster";
import { pgInstanceKind } from "../../providers/pgInstance";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import { planRevival } from "../../providers/revive";
import * as facts from "../support/facts";

/** Any state an instance can be found in. */
const timeline = fc.integer({ min: 1, max: 3 });
const repmgrd = fc.constantFrom("active", "inactive", "failed", "activating");
const repmgr = fc.option(
  fc.record({ nodes: fc.constantFrom(facts.rows(1), facts.rows(2), facts.rows(3), []), paused: fc.boolean() }),
  { nil: undefined },
);
const instance = (id: number): fc.Arbitrary<InstanceFacts> =>
  fc.oneof(
    fc.constantFrom("absent" as const, "empty" as const, "foreign" as const).map(facts.without),
    timeline.map((t) => facts.formerPrimary(t)),
    timeline.map((t) => facts.stoppedStandby(t)),
    fc.boolean().map((isStandby) => facts.refusing(isStandby)),
    fc
      .tuple(timeline, repmgrd, repmgr)
      .map(([t, daemon, rows]) => facts.primary({ repmgrd: daemon, repmgr: rows }, { timeline: t })),
    fc
      .tuple(timeline, fc.constantFrom(1, 2, 3), repmgrd, repmgr, fc.boolean())
      .map(([t, from, daemon, rows, streams]) =>
        facts.standby(id, from, streams ? { timeline: t } : { timeline: t, walReceiver: null }, {
          repmgrd: daemon,
          repmgr: rows,
        }),
      ),
  );
const clusterView = fc
  .tuple(instance(1), instance(2), instance(3), fc.constantFrom(undefined, 3))
  .map(([a, b, c, witness]) => facts.view([a, b, c], witness));

const failover = fc.constantFrom("automatic" as const, "manual" as const);
const RUNS = { numRuns: 600 };

/** The plan, or nothing where it is refused; anything else thrown is a bug. */
function planned(plan: () => Action[]): Action[] {
  try {
    return facts.flat(plan());
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}

/** Every plan that anybody of the cluster could make in this view. */
function allPlans(
  view: ClusterView,
  how: { failover: "automatic" | "manual"; isWhole?: boolean; initial?: number },
): Action[] {
  const members = view.map(({ member }) => member);
  const ofNodes = members.flatMap(({ id }) => {
    const over = { members, failover: how.failover, initial: id === (how.initial ?? 1) };
    const [instanceWant, nodeWant] = [facts.instanceInputs(id, over), facts.nodeInputs(id, over)];
    const files = how.isWhole === true ? {} : { postgresConf: undefined, hbaConf: undefined, passFile: undefined };
    return [
      ...planned(() => pgInstanceKind.plan(instanceWant, facts.instanceFacts(instanceWant, view, files))),
      ...planned(() => repmgrNodeKind.plan(nodeWant, facts.nodeFacts(nodeWant, view))),
      ...planned(() => pgInstanceKind.planDelete(facts.instanceFacts(instanceWant, view), instanceWant, [])),
      ...planned(() => repmgrNodeKind.planDelete(facts.nodeFacts(nodeWant, view), nodeWant, [])),
    ];
  });
  const clusterWant = facts.pgClusterInputs({ members, failover: how.failover });
  return [
    ...ofNodes,
    ...planned(() => pgClusterKind.plan(clusterWant, facts.clusterFacts(view))),
    ...planned(() => pgClusterKind.planDelete(facts.clusterFacts(view), clusterWant, [])),
  ];
}

const starts = (actions: readonly Action[]): Action[] =>
  actions.filter((a) => a.do === "run" && a.script.includes("systemctl start postgresql-main"));

test("nothing starts a former primary while another primary lives", () => {
  fc.assert(
    fc.property(clusterView, failover, (view, how) => {
      const primaries = view.filter(({ member, facts: f }) => !member.witness && f.running?.inRecovery === false);
      if (primaries.length === 0) return;
      for (const { host } of starts(allPlans(view, { failover: how }))) {
        const self = view.find(({ member }) => member.host === host);
        expect(self?.facts.isStandby === true || self?.member.witness === true).toBe(true);
      }
    }),
    RUNS,
  );
});

test("nothing is started as a primary that is older than another node, nor while repmgrd may be promoting one", () => {
  fc.assert(
    fc.property(clusterView, (view) => {
      const data = view.filter(({ member, facts: f }) => !member.witness && f.data === "present");
      const latest = Math.max(
        0,
        ...data.map(({ facts: f }) => Math.max(f.control?.timeline ?? 0, f.running?.timeline ?? 0)),
      );
      const electing = data.some(
        ({ facts: f }) => f.running !== undefined && f.repmgrd === "active" && f.repmgr?.paused !== true,
      );
      for (const { host } of starts(allPlans(view, { failover: "automatic" }))) {
        const self = view.find(({ member }) => member.host === host);
        if (self === undefined || self.facts.isStandby || self.member.witness) continue;
        expect(self.facts.control?.timeline).toBe(latest);
        expect(electing).toBe(false);
      }
    }),
    RUNS,
  );
});

test("no plan ever removes PGDATA, unless the state says that it may", () => {
  const data = facts.clusterInputs().dataDirectory;
  fc.assert(
    fc.property(clusterView, failover, fc.boolean(), (view, how, isWhole) => {
      const text = facts.shell(allPlans(view, { failover: how, isWhole }));
      for (const line of text.split("\n").filter((l) => /\b(rm|rmdir|mv|unlink|find)\b/.test(l))) {
        // What is being built beside its place may go, and an empty directory.
        expect(line).not.toContain(data);
        expect(line).not.toMatch(/rm .*"\$data"/);
      }
    }),
    { numRuns: 200 },
  );
});

test("the role of a node is what is observed: who begins the cluster's life changes nothing once there is data", () => {
  fc.assert(
    fc.property(clusterView, failover, fc.constantFrom(1, 2, 3), (view, how, initial) => {
      if (!view.some(({ member, facts: f }) => !member.witness && f.data === "present")) return;
      const plans = [1, initial].map((first) => allPlans(view, { failover: how, isWhole: true, initial: first }));
      // Waits hold functions, which are never equal; what they are for is.
      const [a, b] = plans.map((actions) =>
        JSON.stringify(actions.map((action) => ({ ...action, look: undefined }))).replace(/SCRAM[^']*/g, ""),
      );
      expect(a).toBe(b);
    }),
    { numRuns: 200 },
  );
});

test("every plan is done: once a cluster is healthy, nobody plans anything, whoever is primary", () => {
  for (const primary of [1, 2, 3]) {
    const view = facts.view(
      [1, 2, 3].map((id) =>
        id === primary
          ? facts.primary({ repmgr: { nodes: facts.rows(primary), paused: false } })
          : facts.standby(id, primary),
      ),
    );
    for (const id of [1, 2, 3]) {
      const [instanceWant, nodeWant] = [facts.instanceInputs(id), facts.nodeInputs(id)];
      expect(pgInstanceKind.plan(instanceWant, facts.instanceFacts(instanceWant, view))).toEqual([]);
      expect(repmgrNodeKind.plan(nodeWant, facts.nodeFacts(nodeWant, view))).toEqual([]);
    }
    expect(pgClusterKind.plan(facts.pgClusterInputs(), facts.clusterFacts(view))).toEqual([]);
  }
});

test("a promotion that is waited for ends with whoever took it", async () => {
  const [wait] = planRevival(
    facts.clusterInputs(),
    facts.view([facts.formerPrimary(), facts.standby(2), facts.standby(3)]),
  );
  if (wait?.do !== "waitFor") throw new Error("it does not wait");
  const look = (n2: InstanceFacts, n3: InstanceFacts): Promise<string | undefined> =>
    wait.look((host) => Promise.resolve((host === "pg2" ? n2 : n3) as never));
  expect(await look(facts.standby(2), facts.standby(3))).toMatch(
    /n2 and n3 still no primary; look at "journalctl -u repmgrd-main" on pg2/,
  );
  expect(await look(facts.standby(2), facts.primary({}, { timeline: 2 }))).toBeUndefined();
});
