import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { converges, LEFTOVERS, tells } from "./support/incident";
import type { InventoryFile } from "./support/inventory";
import { DATA, dataOf, POSTGRES_HOME } from "./support/layout";
import { role, sh, sql } from "./support/oracle";
import { RunningUp } from "./support/running";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

const SPARE = { database: "postgres", port: 5433 };

/** A file system of its own for PGDATA; its size can be changed while it is in use. */
const mount = (world: World): Promise<string> =>
  sh(world.lab, OUTSIDER, `mkdir -p ${POSTGRES_HOME} && mount -t tmpfs -o mode=755,size=4g tmpfs ${POSTGRES_HOME}`);
const resize = (world: World, size: string): Promise<string> =>
  sh(world.lab, OUTSIDER, `mount -o remount,size=${size} ${POSTGRES_HOME}`);
/** Leaves so much room, whatever is used now. */
const fill = (world: World, kilobytes: number): Promise<string> =>
  sh(
    world.lab,
    OUTSIDER,
    `mount -o remount,size=$(($(df -k --output=used ${POSTGRES_HOME} | tail -n 1) + ${kilobytes}))k ${POSTGRES_HOME}`,
  );

function addSpare({ hosts, postgresql_clusters }: InventoryFile, address: string): void {
  hosts[OUTSIDER] = { address };
  postgresql_clusters.spare = {
    version: 17,
    port: SPARE.port,
    failover: "manual",
    nodes: { s1: { id: 1, host: OUTSIDER, role: "primary" } },
  };
}

suite(
  "the disk of PGDATA is full, or its host loses power",
  () => World.deployed(),
  ({ test }) => {
    /** The whole inventory is deployed, the spare cluster takes rows, and nothing is left to do. */
    async function spareConverges(world: World): Promise<void> {
      must(await world.up(["--skip-preview"]));
      expect(await role(world.lab, OUTSIDER, SPARE.port)).toBe("primary");
      must(await world.preview(["--expect-no-changes"]));
      expect(await sh(world.lab, OUTSIDER, LEFTOVERS)).toBe("");
    }

    test("full during initdb", async (world) => {
      await mount(world);
      await world.stack.setSecret("spare_repmgr_password", "any-Nachtigall");
      world.edit((inventory) => addSpare(inventory, world.lab.host(OUTSIDER).address));
      const up = RunningUp.start(world);
      await up.reaches(/^initdb in /);
      await resize(world, "8m");
      tells(
        await up.ended,
        new RegExp(`pg4: exit status \\d+: [^]*No space left on device[^]*while: initdb in ${dataOf("spare")}`),
      );
      await resize(world, "4g");
      await spareConverges(world);
    });

    test("full for the log of a server that runs: no acknowledged row is lost", async (world) => {
      const { lab } = world;
      await sql(lab, OUTSIDER, "create table kept as select generate_series(1, 1000) as id", SPARE);
      await fill(world, 64);
      await lab.exec(OUTSIDER, `psql -Xqp ${SPARE.port} -c "insert into kept select generate_series(2000, 400000)"`, {
        user: "postgres",
      });
      world.edit(({ postgresql_clusters }) => {
        (postgresql_clusters.spare as Record<string, unknown>).roles = { late: {} };
        (postgresql_clusters.spare as Record<string, unknown>).databases = { late: { owner: "late" } };
      });
      tells(await world.up(["--skip-preview"]), /pg4: [^]*No space left on device/);
      await resize(world, "4g");
      await spareConverges(world);
      expect(await sql(lab, OUTSIDER, "select count(*) from kept where id <= 1000", SPARE)).toBe("1000");
      expect(await sql(lab, OUTSIDER, "select count(*) from pg_database where datname = 'late'", SPARE)).toBe("1");
    });

    test("full during a clone", async (world) => {
      addNode(world);
      const up = RunningUp.start(world);
      await up.reaches(/^clone n4 from n1/);
      await fill(world, 4_000);
      tells(await up.ended, /pg4: exit status \d+: [^]*No space left on device[^]*while: clone n4 from n1/);
      expect(await sh(world.lab, OUTSIDER, `ls -d ${DATA} 2>/dev/null || echo absent`)).toBe("absent");
      await resize(world, "4g");
      await converges(world, [...HOSTS, OUTSIDER]);
    });

    test("the host loses power in the middle of a clone", async (world) => {
      const { lab } = world;
      await lab.slow(OUTSIDER, 20_000);
      await sh(lab, OUTSIDER, `systemctl stop repmgrd-main postgresql-main && rm -rf ${DATA}`);
      const up = RunningUp.start(world);
      await up.reaches(/^clone n4 from n1/);
      await until("the copy has begun", seconds(60), async () => {
        const size = await sh(lab, OUTSIDER, `du -sk ${DATA}.building 2>/dev/null | cut -f 1`);
        return Number(size) > 500 || `${size} kB`;
      });
      // A host that loses power says no goodbye; the lab's kernel would say it for its processes.
      await lab.cut(OUTSIDER);
      await lab.poweroff(OUTSIDER);
      const offAt = Date.now();
      tells(
        await up.ended,
        /pg4 \(admin@\S+: the connection was lost \(the host has not answered for 12000 ms\)[^]*clone n4 from n1/,
      );
      expect(Date.now() - offAt).toBeLessThan(seconds(30));
      await lab.heal(OUTSIDER);
      await lab.poweron(OUTSIDER);
      await mount(world);
      await converges(world, [...HOSTS, OUTSIDER]);
    });
  },
);

function addNode(world: World): void {
  world.edit(({ postgresql_clusters }) => {
    delete postgresql_clusters.spare;
    (postgresql_clusters.main as { nodes: Record<string, unknown> }).nodes.n4 = { id: 4, host: OUTSIDER };
    // So long the primary takes a host that lost power for alive; a minute is the default.
    (postgresql_clusters.main as { settings: Record<string, unknown> }).settings.wal_sender_timeout = "40s";
  });
}
