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
      { node: "n1", host: "pg1", role: "down", lag: "none" },
      { node: "n2", host: "pg2", role: "primary", lag: "none" },
      { node: "n3", host: "pg3", role: "standby", lag: "2 WAL segments" },
    ],
    connectionStrings: {
      app: `postgresql://app@${hosts}/app?target_session_attrs=read-write`,
      "a/b c": `postgresql://${hosts}/a%2Fb%20c?target_session_attrs=read-write`,
    },
  });
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
