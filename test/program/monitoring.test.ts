import { type Asked, programGraph } from "./programGraph";

const inventory = (more: object): object => ({
  defaults: { ssh: { user: "admin", agent: true, known_hosts: "/dev/null" } },
  hosts: { db1: { address: "192.0.2.11" }, db2: { address: "192.0.2.12" } },
  postgresql_clusters: {
    main: {
      ...{ version: 17, failover: "manual" },
      nodes: { n1: { id: 1, host: "db1", role: "primary" }, n2: { id: 2, host: "db2" } },
      ...more,
    },
  },
});

test("with monitoring there is a timer for each node besides, after its node and before what sums the cluster up", async () => {
  const without = await programGraph(inventory({}));
  const monitored = await programGraph(inventory({ monitoring: {} }));
  const more = [...monitored.values()].filter(({ name }: Asked) => !without.has(name));
  expect(more.map(({ name }) => name)).toEqual(["SystemdUnit main-n1-check", "SystemdUnit main-n2-check"]);
  expect(more.map(({ dependsOn }) => dependsOn)).toEqual([["RepmgrNode main-n1"], ["RepmgrNode main-n2"]]);
  expect(monitored.get("PgCluster main")?.dependsOn).toEqual(expect.arrayContaining(more.map(({ name }) => name)));
  expect(monitored.get("Preflight main")?.inputs.monitored).toBe(true);
  expect(without.get("Preflight main")?.inputs).not.toHaveProperty("monitored");
});
