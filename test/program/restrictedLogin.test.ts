import { programGraph } from "./programGraph";

const inventory = (ssh: object): object => ({
  defaults: { ssh: { agent: true, known_hosts: "/dev/null", ...ssh } },
  hosts: { db1: { address: "192.0.2.11" }, db2: { address: "192.0.2.12" } },
  postgresql_clusters: {
    main: {
      ...{ version: 17, failover: "manual" },
      nodes: { n1: { id: 1, host: "db1", role: "primary" }, n2: { id: 2, host: "db2" } },
    },
  },
});

test("a login that may become postgres only is asked for the same resources, but for the way to their hosts", async () => {
  const full = await programGraph(inventory({ user: "admin" }));
  const restricted = await programGraph(inventory({ user: "deploy", sudo: "postgres" }));
  expect([...restricted.keys()]).toEqual([...full.keys()]);
  for (const [name, { inputs }] of restricted) {
    const { aside, ...compared } = inputs;
    const { aside: other, ...before } = full.get(name)?.inputs ?? {};
    expect([name, compared]).toEqual([name, before]);
    if (aside !== undefined) expect(aside).not.toBe(other);
  }
});
