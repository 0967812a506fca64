import { Refused } from "../../providers/kind";
import { pgClusterKind } from "../../providers/pgCluster";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const LOCAL = "set synchronous_commit = local;";
const NAMES = "ANY 1 (n1, n2, n3)";
/** A primary whose commits wait: no standby streams. */
const waiting = (roles = [facts.repmgrRole()]): ReturnType<typeof facts.primary> =>
  facts.primary(
    { repmgr: { nodes: [], paused: false } },
    {
      roles,
      replicas: [],
      settings: { synchronous_standby_names: facts.setting(NAMES) },
    },
  );

function stdin(id: number, self: ReturnType<typeof facts.primary>): string[] {
  const inputs = facts.nodeInputs(id);
  const view = facts.view([self, facts.standby(2), facts.standby(3)]);
  return repmgrNodeKind
    .plan(inputs, facts.nodeFacts(inputs, view))
    .flatMap((action) => (action.do === "run" && action.stdin !== undefined ? action.stdin.trim().split("\n") : []));
}

test("repmgr's role, database and extension are made without a standby that confirms it", () => {
  const lines = stdin(1, waiting([]));
  const connect = lines.indexOf("\\connect repmgr");
  expect(lines.findIndex((line) => line.includes("create role repmgr"))).toBeGreaterThan(lines.indexOf(LOCAL));
  // A new connection has the settings of a new session.
  expect(lines.slice(connect, connect + 3)).toEqual([
    "\\connect repmgr",
    LOCAL,
    "create extension if not exists repmgr;",
  ]);
});

test("so is a row for the primary, below which the standby comes back that would confirm", () => {
  const lines = stdin(2, waiting());
  expect(lines.findIndex((line) => line.startsWith("insert into repmgr.nodes"))).toBeGreaterThan(lines.indexOf(LOCAL));
});

test("what the application owns waits as its own commits do", () => {
  const want = facts.pgClusterInputs({ databases: [{ name: "other", extensions: [] }] });
  const actions = pgClusterKind.plan(
    want,
    facts.clusterFacts(facts.view([facts.primary(), facts.standby(2), facts.standby(3)])),
  );
  const made = actions.map((action) => (action.do === "run" ? (action.stdin ?? "") : ""));
  expect(made.join()).toContain("create database");
  expect(made.join()).not.toContain(LOCAL);
  const synchronous = { ...want, synchronous: NAMES };
  expect(() => pgClusterKind.plan(synchronous, facts.clusterFacts(facts.view([waiting()])))).toThrow(Refused);
});

test("a node that its fence has stopped says so, with the time and why", () => {
  const fenced = "2026-11-24T11:13:33Z: no standby streams and 2 of 3 nodes do not answer";
  const inputs = facts.nodeInputs(1);
  const view = facts.view([facts.formerPrimary(1, { fenced }), facts.stoppedStandby(), facts.stoppedStandby()]);
  expect(repmgrNodeKind.project(inputs, facts.nodeFacts(inputs, view)).inputs.state).toBe(
    `down: was primary on timeline 1, in production; its fence stopped it: ${fenced}`,
  );
});
