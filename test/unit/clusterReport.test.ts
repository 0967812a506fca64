import { describeCluster } from "../../providers/clusterReport";
import * as facts from "../support/facts";

const MIB = 1024 * 1024;

test("who is what now, how far behind, and how to reach whoever takes writes", () => {
  const seen = facts.view([
    facts.formerPrimary(),
    facts.primary({}, { timeline: 2, walBytes: 100 * MIB }),
    facts.standby(3, 2, { timeline: 2, walBytes: 60 * MIB }),
  ]);
  const databases = [
    { name: "app", owner: "app", extensions: [] },
    { name: "a/b c", extensions: [] },
  ];
  const hosts = "198.18.0.11:5432,198.18.0.12:5432,198.18.0.13:5432";
  expect(describeCluster(facts.pgClusterInputs({ databases }), seen)).toEqual({
    primary: "n2",
    timeline: 2,
    nodes: [
      { node: "n1", host: "pg1", role: "down", timeline: 1, follows: "none", lag: "none" },
      { node: "n2", host: "pg2", role: "primary", timeline: 2, follows: "none", lag: "none" },
      { node: "n3", host: "pg3", role: "standby", timeline: 2, follows: "n2", lag: "2 WAL segments" },
    ],
    history: [],
    connectionStrings: {
      app: `postgresql://app@${hosts}/app?target_session_attrs=read-write`,
      "a/b c": `postgresql://${hosts}/a%2Fb%20c?target_session_attrs=read-write`,
    },
  });
});

test("with TLS a client is told to check whom it talks to", () => {
  const inputs = facts.pgClusterInputs({ databases: [{ name: "app", extensions: [] }], caFile: "main ca.crt" });
  expect(describeCluster(inputs, facts.healthy()).connectionStrings.app).toMatch(
    /\?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=main%20ca\.crt$/,
  );
});

test("a cluster that nobody writes to says so", () => {
  const seen = facts.view([facts.formerPrimary(), facts.standby(2), facts.standby(3)]);
  expect(describeCluster(facts.pgClusterInputs(), seen)).toMatchObject({ primary: "none", timeline: 0 });
});

test("a witness is no place to connect to, and an IPv6 address stands in brackets", () => {
  const members = [facts.member(1, { address: "fd00::1" }), facts.member(2), facts.member(3, { witness: true })];
  const inputs = facts.pgClusterInputs({ members, databases: [{ name: "app", extensions: [] }] });
  const report = describeCluster(inputs, facts.view([facts.primary(), facts.standby(2), facts.primary()], 3));
  expect(report.nodes.map(({ role }) => role)).toEqual(["primary", "standby", "witness"]);
  expect(report.connectionStrings.app).toBe(
    "postgresql://[fd00::1]:5432,198.18.0.12:5432/app?target_session_attrs=read-write",
  );
});

test("who follows whom: a node of the cluster by name, anybody else by address, and nobody while nothing streams", () => {
  const from = (over: object) => ({
    status: "streaming",
    senderHost: "198.18.0.12",
    senderPort: 5432,
    slot: null,
    ...over,
  });
  const seen = facts.view([
    facts.primary(),
    facts.standby(2, 1, { walReceiver: from({ senderHost: "2001:db8::7" }) }),
    facts.standby(3, 2, { walReceiver: from({ status: "stopping" }) }),
  ]);
  const { nodes } = describeCluster(facts.pgClusterInputs(), seen);
  expect(nodes.map(({ follows }) => follows)).toEqual(["none", "[2001:db8::7]:5432", "none"]);
});

test("the history is the primary's, with names for the nodes that are still there", () => {
  const event = { at: "2026-11-24T11:13:33Z", event: "standby_promote", successful: true, details: "" };
  const of = (nodeId: number) => ({ nodes: facts.rows(2), paused: false, events: [{ ...event, nodeId }] });
  const seen = facts.view([
    facts.standby(1, 2, {}, { repmgr: of(1) }),
    facts.primary({ repmgr: of(2) }),
    facts.standby(3, 2),
  ]);
  expect(describeCluster(facts.pgClusterInputs(), seen).history).toEqual([{ ...event, node: "n2" }]);
  const alone = facts.view([facts.formerPrimary(), facts.standby(2, 1, {}, { repmgr: of(7) }), facts.standby(3)]);
  expect(describeCluster(facts.pgClusterInputs(), alone).history).toEqual([{ ...event, node: "node 7" }]);
});
