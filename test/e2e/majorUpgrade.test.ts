import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { seconds } from "./support/deadlines";
import { tells } from "./support/incident";
import { type InventoryFile, QUICK_FAILOVER } from "./support/inventory";
import { DATA, dataOf } from "./support/layout";
import { awaitHealthy, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const OTHER_PORT = 5433;
const OTHER_HOSTS = ["pg2", "pg3"];
const other = {
  version: 15,
  port: OTHER_PORT,
  nodes: {
    o1: { id: 1, host: "pg2", role: "primary" },
    o2: { id: 2, host: "pg3" },
    o3: { id: 3, host: "pg1", role: "witness" },
  },
};
/** With a database in it. */
const spaces = (directory: string) => ({
  tablespaces: { fast: { directory } },
  databases: { app: { owner: "app", extensions: ["hstore"] }, quick: { tablespace: "fast" } },
});
const FAST = "/srv/pg/fast";
const OTHER_FAST = "/srv/pg/other";
const inQuick = { database: "quick" };
const OTHER = {
  ...other,
  ...spaces(OTHER_FAST),
  databases: { quick: { tablespace: "fast" } },
  repmgr: { options: QUICK_FAILOVER, password_secret: "main_repmgr_password" },
};

const version = (cluster: string, to: number) => (inventory: InventoryFile) => {
  const spec = inventory.postgresql_clusters[cluster];
  if (spec !== undefined) spec.version = to;
};
const versions = ({ lab }: World, hosts: readonly string[], port?: number): Promise<string[]> =>
  Promise.all(
    hosts.map((host) => sql(lab, host, "select current_setting('server_version_num')::int / 10000", { port })),
  );

suite(
  "a cluster goes from 15 to 17",
  () =>
    World.fresh((inventory) => {
      version("main", 15)(inventory);
      Object.assign(inventory.postgresql_clusters.main ?? {}, spaces(FAST));
      inventory.postgresql_clusters.other = OTHER;
    }),
  ({ test }) => {
    let writer: Writer | undefined;
    const starts = ({ lab }: World): Promise<string[]> => postmasters(lab, HOSTS);
    const refused = async (world: World, ...fragments: RegExp[]): Promise<void> => {
      const before = await starts(world);
      tells(await world.up(["--skip-preview"]), ...fragments);
      expect(await starts(world)).toEqual(before);
      expect(await versions(world, HOSTS)).toEqual(["15", "15", "15"]);
    };
    afterAll(() => writer?.stop());

    test("two clusters are made on 15, and an application writes to one", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
      expect(await versions(world, HOSTS)).toEqual(["15", "15", "15"]);
      await sql(world.lab, "pg1", "create table kept as select g as id from generate_series(1, 10000) g", {
        database: "app",
      });
      await sql(world.lab, "pg1", "create table kept as select g as id from generate_series(1, 10000) g", inQuick);
      writer = new Writer(await world.connection(), world.passFile());
      writer.start();
      await until(
        "it writes",
        seconds(30),
        () => (writer?.acknowledged.length ?? 0) > 20 || writer?.lastError || "nothing yet",
      );
    });

    test("a standby that is down, and a slot of others, refuse it: in the preview, and nothing was touched", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", "systemctl stop repmgrd-main postgresql-main");
      await sql(lab, "pg1", "select pg_create_physical_replication_slot('barman')");
      world.edit(version("main", 17));
      const begun = world.stack.actions().length;
      tells(await world.preview(), /n3 on pg3 does not run; its copy is what is left/, /barman belong to others/);
      expect(world.stack.actions()).toHaveLength(begun);
      await sql(lab, "pg1", "select pg_drop_replication_slot('barman')");
      await sh(lab, "pg3", "systemctl start postgresql-main repmgrd-main");
      await awaitHealthy(lab, HOSTS);
    });

    test("what only pg_upgrade --check finds refuses it before anything is stopped", async (world) => {
      await sql(world.lab, "pg1", "create table hindered (of regoper)", { database: "app" });
      await refused(world, /while: pg_upgrade --check of n1 from 15 to 17/, /reg\* data types/);
      expect(await sh(world.lab, "pg1", `ls -d ${DATA}* || true`)).not.toContain("main");
      await sql(world.lab, "pg1", "drop table hindered", { database: "app" });
    });

    test("the preview says what it will mean; up does it, and every acknowledged row is there", async (world) => {
      const { lab } = world;
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).filter((line) => line.startsWith("cluster main"))[0]).toMatch(
        /major upgrade 15 -> 17: n1, the primary, stops, .*down for some seconds.*then n2, n3 get new copies/,
      );
      const since = Date.now();
      must(await world.up(["--skip-preview"]));
      await until(
        "the application writes again",
        seconds(30),
        () => (writer?.acknowledged.at(-1)?.at ?? 0) > Date.now() - 500 || writer?.lastError || "no row",
      );
      process.stdout.write(
        `major upgrade: ${Date.now() - since} ms in all, no write for ${writer?.longestGapMs(since)} ms\n`,
      );
      writer?.stop();
      expect(await versions(world, HOSTS)).toEqual(["17", "17", "17"]);
      await awaitHealthy(lab, HOSTS);
      expect(await roles(lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      for (const host of HOSTS) {
        expect(await sql(lab, host, "select count(*) from kept", { database: "app" })).toBe("10000");
        expect(await sql(lab, host, "select count(*) from kept", inQuick)).toBe("10000");
        const found = new Set((await sql(lab, host, "select id from tick", { database: "app" })).split("\n"));
        expect(writer?.acknowledged.filter(({ id }) => !found.has(String(id)))).toEqual([]);
      }
    });

    test("extension and statistics are those of 17, the old data are kept, nothing is left to do", async (world) => {
      const { lab } = world;
      const extension = "select extversion from pg_extension where extname = 'repmgr'";
      expect(await sql(lab, "pg1", extension, { database: "repmgr" })).toBe("5.5");
      expect(await sql(lab, "pg1", "select count(*) from pg_stats where tablename = 'kept'", { database: "app" })).toBe(
        "1",
      );
      for (const host of HOSTS) {
        const old = dataOf("main", 15);
        expect(await sh(lab, host, `cat ${old}/PG_VERSION`)).toBe("15");
        // Apart from the new files, of which a rewind would make them.
        expect(await sh(lab, host, `ls ${FAST} ${FAST}.former-15; readlink ${old}/pg_tblspc/*`)).toMatch(
          /^\/srv\/pg\/fast:\nPG_17_\d+\n\n\/srv\/pg\/fast\.former-15:\nPG_15_\d+\n\/srv\/pg\/fast\.former-15$/,
        );
      }
      expect(await sh(lab, "pg1", "ls /etc/systemd/system /etc/repmgr/main")).not.toMatch(
        /main\.service\.d|major-upgrade/,
      );
      must(await world.preview(["--expect-no-changes"]));
    });

    test("beside it the other cluster went on with 15", async (world) => {
      expect(await versions(world, OTHER_HOSTS, OTHER_PORT)).toEqual(["15", "15"]);
      await rowArrives(world.lab, "pg2", ["pg3"], { port: OTHER_PORT });
    });

    test("the primary's host loses power in the middle of its upgrade: the next up ends it", async (world) => {
      const { lab } = world;
      await sql(lab, "pg2", "create table kept as select g as id from generate_series(1, 100) g", {
        port: OTHER_PORT,
        ...inQuick,
      });
      world.edit(version("other", 17));
      const cut = world.up(["--skip-preview"]);
      await until("the upgrade has begun", seconds(60), async () => {
        return (await lab.exec("pg2", "test -e /etc/repmgr/other/major-upgrade")).code === 0 || "no mark yet";
      });
      await lab.poweroff("pg2");
      expect((await cut).code).not.toBe(0);
      await lab.poweron("pg2");
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, OTHER_HOSTS, "other", OTHER_PORT);
      expect(await versions(world, OTHER_HOSTS, OTHER_PORT)).toEqual(["17", "17"]);
      for (const host of OTHER_HOSTS)
        expect(await sql(lab, host, "select count(*) from kept", { port: OTHER_PORT, ...inQuick })).toBe("100");
      for (const host of OTHER_HOSTS)
        expect(await sh(lab, host, `ls ${OTHER_FAST} ${OTHER_FAST}.former-15`)).toMatch(
          /:\nPG_17_\d+\n\n.*:\nPG_15_\d+$/,
        );
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
