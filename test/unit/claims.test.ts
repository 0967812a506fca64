import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadNodes } from "../../config/loadNodes";
import type { Claims } from "../../providers/claims";
import { firewallRuleKind } from "../../providers/firewallRule";
import { pgPackagesKind } from "../../providers/pgPackages";
import { systemdUnitKind } from "../../providers/systemdUnit";
import { pgClusterKind } from "../../providers/pgCluster";
import { pgInstanceKind } from "../../providers/pgInstance";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const DATA = "/var/lib/postgresql/17/main";

/** The claim of a node that is in today's inventory, as small changes to n3 of main. */
const claim = (over: Partial<Claims[number]> = {}): Claims[number] => ({
  ...{ cluster: "main", node: "n3", id: 3, host: "pg3", version: 17, port: 5432, dataDirectory: DATA },
  ...over,
});
const others = [1, 2].map((id) => claim({ node: `n${id}`, id, host: `pg${id}` }));
const slots = [{ name: "repmgr_slot_3", active: true, walStatus: "reserved" }];
const HEALTHY = [facts.primary({}, { slots }), facts.standby(2), facts.standby(3)];
const manual = { failover: "manual" } as const;

function nodeGoes(claims: Claims): string[] {
  const inputs = facts.nodeInputs(3, manual);
  return facts.whys(repmgrNodeKind.planDelete(facts.nodeFacts(inputs, facts.view(HEALTHY)), inputs, claims));
}

function instanceGoes(claims: Claims): string[] {
  const inputs = facts.instanceInputs(3, { allowDataLoss: true });
  const view = facts.view([facts.primary(), facts.standby(2), facts.stoppedStandby()]);
  return facts.whys(pgInstanceKind.planDelete(facts.instanceFacts(inputs, view), inputs, claims));
}

describe("what another node of today's inventory has taken over is left alone", () => {
  const STOP = "pg3: main/n3 is no longer managed: stop its PostgreSQL";
  const FILES = "pg3: main/n3 is no longer managed: remove repmgr's files";
  const DROP = "pg1: the slot of n3 would keep WAL for ever: drop it, its node is stopped and leaves the cluster";
  const UNREGISTER = "pg1: n3 leaves the cluster: unregister it";

  test.each<[string, Claims, string[]]>([
    ["nobody has: it is removed", others, [STOP, DROP, UNREGISTER, FILES]],
    ["it is in the inventory itself: it is destroyed", [...others, claim()], [STOP, DROP, UNREGISTER, FILES]],
    ["the cluster has another node on the host", [...others, claim({ node: "db3" })], []],
    ["its id is another node's", [...others, claim({ node: "n4", host: "pg4" })], [STOP, FILES]],
    ["its directory is another cluster's", [claim({ cluster: "prod", node: "p3" })], [DROP, UNREGISTER, FILES]],
  ])("node: %s", (_, claims, expected) => expect(nodeGoes(claims)).toEqual(expected));

  test.each<[string, Claims, number]>([
    ["nobody has", others, 2],
    ["the cluster has another node on the host", [...others, claim({ node: "db3" })], 0],
    ["its directory is another cluster's: only the passwords go", [claim({ cluster: "prod", node: "p3" })], 1],
    ["another cluster has a directory in it", [claim({ cluster: "prod", dataDirectory: `${DATA}/prod` })], 1],
  ])("instance, with allow_data_loss: %s", (_, claims, count) => expect(instanceGoes(claims)).toHaveLength(count));

  test.each<[string, Claims, number]>([
    ["nobody has", [], 4],
    ["it is in the inventory itself", [...others, claim()], 4],
    ["its directories are another cluster's", [claim({ cluster: "prod", node: "p3" })], 0],
  ])("cluster: %s", (_, claims, count) => {
    const inputs = facts.pgClusterInputs();
    const actions = pgClusterKind.planDelete(facts.clusterFacts(facts.healthy()), inputs, claims);
    expect(actions).toHaveLength(count);
  });
});

describe("what is of a host and not of a node", () => {
  const other = claim({ cluster: "crm", node: "c1", version: 16, port: 5433, dataDirectory: "/srv/crm" });
  const rule = {
    host: "pg3",
    cluster: "main",
    node: "n3",
    port: 5432,
    sources: ["198.18.0.11/32"],
    runtimeOnly: [],
    permanentOnly: [],
  };
  const open = [{ source: "198.18.0.11/32", port: 5432, rule: "" }];

  test.each<[string, Claims, number]>([
    ["a port that nobody has any more is closed", [...others, other], 1],
    ["a port that another cluster has now stays open", [{ ...other, port: 5432 }], 0],
    ["in a destroy it is closed, whoever else has it", [claim(), { ...other, port: 5432 }], 1],
  ])("%s", (_, claims, count) => {
    const have = { backend: "firewalld", zone: "public", permanent: open, runtime: open };
    expect(firewallRuleKind.planDelete(have as never, rule as never, claims)).toHaveLength(count);
  });

  test.each<[string, Claims, number]>([
    ["nobody has them any more", others, 1],
    ["another major version on the host needs them", [...others, other], 0],
    ["both versions are destroyed", [claim(), other], 1],
  ])("the files of the package source: %s", (_, claims, count) => {
    const have = { packages: { packages: [] }, createCluster: facts.file(""), key: undefined, source: undefined };
    const inputs = { host: "pg3", family: "debian", version: 17 };
    expect(pgPackagesKind.planDelete(have as never, inputs as never, claims)).toHaveLength(count);
  });

  test.each<[string, Claims, number]>([
    ["nobody has it any more", others, 1],
    ["the cluster has another node on the host", [...others, claim({ node: "db3" })], 0],
  ])("a unit: %s", (_, claims, count) => {
    const have = { file: facts.file(""), files: [], unit: { active: "inactive", state: "enabled", dropIns: [] } };
    const inputs = {
      host: "pg3",
      cluster: "main",
      node: "n3",
      unit: "postgresql-main.service",
      content: "",
      files: [],
    };
    expect(systemdUnitKind.planDelete(have as never, inputs as never, claims)).toHaveLength(count);
  });
});

test("the nodes are read from the inventory with what the schema adds", () => {
  const directory = mkdtempSync(join(tmpdir(), "nodes-"));
  const path = join(directory, "inventory.yml");
  const text = `hosts: { pg3: { address: 192.0.2.3 } }
postgresql_clusters:
  main: { version: 17, nodes: { n3: { id: 3, host: pg3 } } }
  other: { version: 16, port: 5433, data_directory: /srv//other/, nodes: { o1: { id: 1, host: pg3 } } }
`;
  writeFileSync(path, text);
  const other = { cluster: "other", node: "o1", id: 1, version: 16, port: 5433, dataDirectory: "/srv/other" };
  expect(loadNodes(path)).toEqual([claim(), claim(other)]);
  writeFileSync(path, "hosts: [");
  expect(() => loadNodes(path)).toThrow(/inventory\.yml:/);
  rmSync(directory, { recursive: true });
});
