import { COMMAND_VERSION } from "../../resources/hooks";
import { shim } from "../../resources/shim";
import { type Asked, programGraph, SECRET_WORDS } from "./programGraph";

const HOSTS = { db1: { address: "192.0.2.11" }, db2: { address: "192.0.2.12" }, db3: { address: "192.0.2.13" } };
const ssh = { user: "admin", agent: true, known_hosts: "/dev/null" };

const main = {
  version: 17,
  nodes: { n1: { id: 1, host: "db1", role: "primary" }, n2: { id: 2, host: "db2" }, n3: { id: 3, host: "db3" } },
  roles: { app: { password_secret: "app_password" } },
  databases: { app: { owner: "app" } },
};
const other = {
  version: 17,
  port: 5433,
  nodes: {
    o1: { id: 1, host: "db1", role: "primary" },
    o2: { id: 2, host: "db2" },
    o3: { id: 3, host: "db3", role: "witness" },
  },
};

const inventory = (clusters: object): object => ({ defaults: { ssh }, hosts: HOSTS, postgresql_clusters: clusters });

/** Everything that must be done before a resource, however far back. */
function before(graph: ReadonlyMap<string, Asked>, name: string, seen = new Set<string>()): Set<string> {
  for (const next of graph.get(name)?.dependsOn ?? []) {
    if (!seen.has(next)) before(graph, next, seen.add(next));
  }
  return seen;
}

function own(graph: ReadonlyMap<string, Asked>): Asked[] {
  return [...graph.values()].filter(({ name }) => !/^(Stack|Cluster) /.test(name));
}

describe("the program, one cluster of three", () => {
  let graph: Map<string, Asked>;
  beforeAll(async () => {
    graph = await programGraph(inventory({ main }));
  });

  test("asks for these resources and no others", () => {
    const perNode = (node: string): string[] => [
      ...["FirewallRule", "PgInstance", "RepmgrNode"].map((kind) => `${kind} main-${node}`),
      ...["postgresql", "repmgrd"].map((daemon) => `SystemdUnit main-${node}-${daemon}`),
    ];
    const packages = ["db1", "db2", "db3"].map((host) => `PgPackages ${host}-postgresql-17`);
    const expected = ["Preflight main", "PgCluster main", ...packages, ...["n1", "n2", "n3"].flatMap(perNode)];
    expect(
      own(graph)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(expected.sort());
  });

  test("everything of a cluster lies below it; what several clusters share does not", () => {
    for (const { name, parent } of own(graph)) {
      const shared = /^(Preflight|PgPackages) /.test(name);
      expect([name, parent === "Cluster main"]).toEqual([name, !shared]);
    }
  });

  test("nothing is done before every host was looked at", () => {
    for (const { name } of own(graph).filter(({ name }) => name !== "Preflight main")) {
      expect([name, before(graph, name).has("Preflight main")]).toEqual([name, true]);
    }
    expect(graph.get("Preflight main")?.dependsOn).toEqual([]);
  });

  test("a standby is made only once there is a registered primary to clone from", () => {
    for (const node of ["n2", "n3"]) {
      expect(graph.get(`PgInstance main-${node}`)?.dependsOn).toContain("RepmgrNode main-n1");
    }
    expect(before(graph, "PgInstance main-n1").has("PgInstance main-n2")).toBe(false);
  });

  test("PostgreSQL's unit and the firewall are there before its data, repmgrd only after its node", () => {
    for (const node of ["n1", "n2", "n3"]) {
      const earlier = before(graph, `PgInstance main-${node}`);
      expect(earlier).toContain(`SystemdUnit main-${node}-postgresql`);
      expect(earlier).toContain(`FirewallRule main-${node}`);
      expect(graph.get(`RepmgrNode main-${node}`)?.dependsOn).toContain(`PgInstance main-${node}`);
      expect(graph.get(`SystemdUnit main-${node}-repmgrd`)?.dependsOn).toEqual([`RepmgrNode main-${node}`]);
    }
  });

  test("what exists once a cluster comes after all its nodes and daemons", () => {
    const earlier = before(graph, "PgCluster main");
    expect(own(graph).filter(({ name }) => name !== "PgCluster main" && !earlier.has(name))).toEqual([]);
  });

  test("every resource carries the same provider, the pinned one", () => {
    for (const { name, inputs } of own(graph)) expect([name, inputs.__provider]).toEqual([name, shim]);
  });

  test("secrets travel marked as such, and nowhere else", () => {
    const SIGNATURE = "4dabf18193072939515e22adb298388d";
    const visible = JSON.stringify(
      own(graph).map(({ inputs }) => inputs),
      (_, value: unknown) => (value !== null && typeof value === "object" && SIGNATURE in value ? "a secret" : value),
    );
    for (const word of Object.values(SECRET_WORDS)) expect(visible).not.toContain(word);
    const all = JSON.stringify(own(graph).map(({ inputs }) => inputs));
    expect(all).toContain(SECRET_WORDS.app_password);
    expect(all).toContain(SECRET_WORDS.main_repmgr_password);
    expect(visible.match(/a secret/g)).toHaveLength(3 + 3 + 1);
  });

  test("the plugin of @pulumi/command is not even loaded", () => {
    expect([...graph.keys()].filter((name) => name.startsWith("Command "))).toEqual([]);
  });
});

test("protect holds for everything of a cluster, and for nothing else", async () => {
  const graph = await programGraph(inventory({ main: { ...main, protect: true }, other }));
  for (const { name, isProtected } of own(graph)) {
    const isOfMain = graph.get(name)?.parent === "Cluster main";
    expect([name, isProtected]).toEqual([name, isOfMain]);
  }
});

describe("the program, two clusters on the same hosts", () => {
  let graph: Map<string, Asked>;
  beforeAll(async () => {
    graph = await programGraph(inventory({ main, other }));
  });

  test("packages are installed once a host, after both clusters were looked at", () => {
    const packages = own(graph).filter(({ name }) => name.startsWith("PgPackages "));
    expect(packages).toHaveLength(3);
    for (const { dependsOn } of packages) expect(dependsOn).toEqual(["Preflight main", "Preflight other"]);
  });

  test("a witness is registered after all data nodes, since it knows only those whose rows it copied; made beside them", () => {
    expect(graph.get("RepmgrNode other-o3")?.dependsOn).toEqual(
      expect.arrayContaining(["RepmgrNode other-o1", "RepmgrNode other-o2"]),
    );
    expect(before(graph, "PgInstance other-o3").has("RepmgrNode other-o2")).toBe(false);
  });

  test("so is a standby that stays behind on purpose, which replays their rows late, and what follows it", async () => {
    const nodes = {
      a: { id: 1, host: "db1", role: "primary" },
      b: { id: 2, host: "db2", delay: "1h" },
      c: { id: 3, host: "db3", upstream: "b" },
      d: { id: 4, host: "db4" },
      e: { id: 5, host: "db5", upstream: "d" },
    };
    const clusters = { other: { version: 17, nodes } };
    const hosts = { ...HOSTS, db4: { address: "192.0.2.14" }, db5: { address: "192.0.2.15" } };
    const tree = await programGraph({ ...inventory(clusters), hosts });
    const registeredBefore = (node: string): string[] =>
      [...before(tree, `RepmgrNode other-${node}`)].filter((name) => name.startsWith("RepmgrNode ")).sort();
    const all = (...names: string[]): string[] => names.map((name) => `RepmgrNode other-${name}`);
    expect(registeredBefore("d")).toEqual(all("a"));
    expect(registeredBefore("e")).toEqual(all("a", "d"));
    expect(registeredBefore("b")).toEqual(all("a", "d", "e"));
    expect(registeredBefore("c")).toEqual(all("a", "b", "d", "e"));
  });

  test("neither cluster waits for the other", () => {
    const of = (cluster: string): Asked[] => own(graph).filter(({ parent }) => parent === `Cluster ${cluster}`);
    expect(of("main")).toHaveLength(16);
    expect(of("other")).toHaveLength(16);
    for (const [mine, theirs] of [
      ["main", "other"],
      ["other", "main"],
    ] as const) {
      const foreign = new Set(of(theirs).map(({ name }) => name));
      for (const { name } of of(mine)) expect([...before(graph, name)].filter((n) => foreign.has(n))).toEqual([]);
    }
  });

  test("no two resources share a unit, a port or a directory on a host", () => {
    const instances = own(graph).filter(({ name }) => name.startsWith("PgInstance "));
    const places = instances.flatMap(({ inputs }) => [
      `${String(inputs.host)} ${String(inputs.port)}`,
      `${String(inputs.host)} ${String(inputs.dataDirectory)}`,
    ]);
    const units = own(graph).filter(({ name }) => name.startsWith("SystemdUnit "));
    places.push(...units.map(({ inputs }) => `${String(inputs.host)} ${String(inputs.unit)}`));
    expect(new Set(places).size).toBe(6 * 2 + 12);
  });
});

describe("the program, with hooks", () => {
  const environment = { ...process.env };
  beforeEach(() => {
    delete process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION;
  });
  afterEach(() => {
    process.env = { ...environment };
  });

  test("without their plugin, where it may not be fetched: the cluster, what is missing and what to type", async () => {
    process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION = "true";
    process.env.PULUMI_HOME = "/nowhere";
    const hooks = { after_deploy: [{ run: "echo here" }] };
    await expect(programGraph(inventory({ main: { ...main, hooks } }))).rejects.toThrow(
      /cluster main has hooks.*\/nowhere\/plugins\/resource-command-v1\.2\.1 is not there.*pulumi plugin install resource command 1\.2\.1/,
    );
    await expect(programGraph(inventory({ main }))).resolves.toBeDefined();
    delete process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION;
    await expect(programGraph(inventory({ main: { ...main, hooks } }))).resolves.toBeDefined();
  });

  test("the plugin that is looked for is the one of the package", () => {
    const { version } = require("@pulumi/command/package.json") as { version: string };
    expect(version).toBe(COMMAND_VERSION);
  });

  test("they run after everything else of their cluster, on the control machine or on a node", async () => {
    const hooks = { after_deploy: [{ run: "echo here" }, { run: "echo there", on: "n2" }] };
    const graph = await programGraph(inventory({ main: { ...main, hooks } }));
    const commands = own(graph).filter(({ name }) => name.startsWith("Command "));
    expect(commands.map(({ name }) => name)).toEqual(["Command main-after-deploy-1", "Command main-after-deploy-2"]);
    for (const { dependsOn } of commands) expect(dependsOn).toEqual(["PgCluster main"]);
    expect(commands[0]?.inputs).toMatchObject({ create: "echo here", update: "echo here" });
    expect(commands[1]?.inputs).toMatchObject({ create: "echo there" });
    expect(JSON.stringify(commands[1]?.inputs.connection)).toContain("192.0.2.12");
  });
});

describe("the program, with a wrong inventory", () => {
  test("asks for nothing and names every problem", async () => {
    const wrong = inventory({ main: { ...main, port: 1, nodes: { n1: { id: 1, host: "db9", role: "primary" } } } });
    await expect(programGraph(wrong)).rejects.toThrow(/problems[^]*port[^]*db9|problems[^]*db9[^]*port/);
  });
});

test("a cascading standby comes after the node it follows, whatever the order of their ids; its delay goes to its own node only", async () => {
  const nodes = {
    n1: { id: 1, host: "db1", upstream: "n3", delay: "1h" },
    n2: { id: 2, host: "db2", role: "primary" },
    n3: { id: 3, host: "db3" },
  };
  const graph = await programGraph(inventory({ main: { ...main, nodes, failover: "manual" } }));
  expect(graph.get("PgInstance main-n1")?.dependsOn).toEqual(
    expect.arrayContaining(["RepmgrNode main-n2", "RepmgrNode main-n3"]),
  );
  expect(before(graph, "RepmgrNode main-n3").has("PgInstance main-n1")).toBe(false);
  const delayOf = (name: string): unknown =>
    (graph.get(`PgInstance main-${name}`)?.inputs.settings as Record<string, unknown>).recovery_min_apply_delay;
  expect(["n1", "n2", "n3"].map(delayOf)).toEqual(["1h", undefined, undefined]);
  const members = graph.get("PgCluster main")?.inputs.members as { node: string; delay?: string }[];
  expect(members.map(({ node, delay }) => [node, delay])).toEqual([
    ["n1", "1h"],
    ["n2", undefined],
    ["n3", undefined],
  ]);
});
