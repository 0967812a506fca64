import { besidesMain, CLUSTERS, type ClusterOnHosts } from "../../bench/clusters";
import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { QUICK_FAILOVER } from "./support/inventory";
import { SIXTH } from "./support/manyClusters";
import { dataOf } from "./support/layout";
import { awaitPrimary, postmasters, role, roles, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const SIX: Readonly<Record<string, ClusterOnHosts>> = {
  ...CLUSTERS,
  search: { version: 17, port: 5437, primary: "pg2", standbys: ["pg1", "pg3"] },
};

const of = (name: string): ClusterOnHosts => {
  const cluster = SIX[name];
  if (cluster === undefined) throw new Error(`no cluster ${name} in this suite`);
  return cluster;
};

/** Pid and start of every postmaster of these clusters. */
async function started({ lab }: World, names: readonly string[]): Promise<Record<string, string[]>> {
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await postmasters(lab, HOSTS, name)] as const)),
  );
}

async function replicates({ lab }: World, name: string): Promise<void> {
  const { port, primary, standbys, version } = of(name);
  expect([name, await roles(lab, [primary, ...standbys], port)]).toEqual([
    name,
    { [primary]: "primary", ...Object.fromEntries(standbys.map((host) => [host, "standby"])) },
  ]);
  await rowArrives(lab, primary, standbys, { port });
  const number = await sql(lab, primary, "select current_setting('server_version_num')::int / 10000", { port });
  expect([name, Number(number)]).toEqual([name, version]);
}

suite(
  "five clusters of two versions on the same three hosts",
  () =>
    World.fresh((inventory) => {
      Object.assign(inventory.postgresql_clusters, besidesMain(QUICK_FAILOVER));
    }),
  ({ test }) => {
    const names = Object.keys(CLUSTERS);
    const allBut = (...without: string[]): string[] => names.filter((name) => !without.includes(name));

    test("the first up makes all five", async (world) => {
      must(await world.up(["--skip-preview"]));
      for (const name of names) await replicates(world, name);
      const known = "select string_agg(node_name || ' ' || type, ', ' order by node_id) from repmgr.nodes where active";
      for (const host of HOSTS) {
        expect(await sql(world.lab, host, known, { port: of("orders").port, database: "repmgr" })).toBe(
          "n3 primary, n1 standby, n2 witness",
        );
      }
    });

    test("each has its own units, pid files, sockets, logs and password files", async ({ lab }) => {
      for (const host of HOSTS) {
        const own = names.map((name) => {
          return `systemctl is-active postgresql-${name} repmgrd-${name} && test -s /run/repmgrd-${name}/repmgrd.pid &&
test -S /run/postgresql/.s.PGSQL.${of(name).port} && test -n "$(ls /var/log/postgresql/${name})" && test -f /etc/repmgr/${name}/pgpass`;
        });
        await sh(lab, host, own.join(" &&\n"));
        for (const name of names) expect(await sql(lab, host, "show cluster_name", { port: of(name).port })).toBe(name);
      }
    });

    test("a review of all of them finds nothing", async (world) => {
      must(await world.preview(["--expect-no-changes"]));
    });

    test("one loses its primary and fails over; the others do not notice", async (world) => {
      const { lab } = world;
      const before = await started(world, allBut("orders"));
      await sh(lab, "pg3", `kill -9 $(head -n 1 ${dataOf("orders")}/postmaster.pid)`);
      const { port } = of("orders");
      expect(await awaitPrimary(lab, ["pg1"], port)).toBe("pg1");
      await until("the witness knows", seconds(30), async () => {
        const query = "select node_name from repmgr.nodes where type = 'primary' and active";
        const known = await sql(lab, "pg2", query, { port, database: "repmgr" });
        return known === "n1" || `it takes ${known} for the primary`;
      });
      expect(await role(lab, "pg3", port)).toBe("down");
      must(await world.up());
      expect(await roles(lab, ["pg1", "pg3"], port)).toEqual({ pg1: "primary", pg3: "standby" });
      await rowArrives(lab, "pg1", ["pg3"], { port });
      expect(await started(world, allBut("orders"))).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("one is taken out of the inventory and goes without a trace but its data; the others stay", async (world) => {
      const { lab } = world;
      const before = await started(world, allBut("ledger"));
      world.edit((inventory) => delete inventory.postgresql_clusters.ledger);
      must(await world.up(["--skip-preview"]));
      const { port } = of("ledger");
      for (const host of HOSTS) {
        const left = `ls -d /etc/repmgr/ledger /etc/sudoers.d/repmgr-ledger /etc/systemd/system/*-ledger.service 2>/dev/null
firewall-cmd --list-rich-rules | grep ${port}; firewall-cmd --permanent --list-rich-rules | grep ${port}; ss -Hltn 'sport = :${port}'; true`;
        expect(await sh(lab, host, left)).toBe("");
        expect(await sh(lab, host, `cat ${dataOf("ledger", 15)}/PG_VERSION`)).toBe("15");
      }
      expect(await started(world, allBut("ledger"))).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a sixth one is twelve more lines and nothing else; the others stay", async (world) => {
      const before = await started(world, allBut("ledger"));
      expect(SIXTH.trimEnd().split("\n")).toHaveLength(12);
      world.write(world.text() + SIXTH);
      must(await world.up(["--skip-preview"]));
      await replicates(world, "search");
      expect(await started(world, allBut("ledger"))).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
