import type { Lab } from "../../lab";
import { awaitHealthy, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import type { InventoryFile } from "./support/inventory";
import { watchSql } from "./support/watchSql";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

/** After a rolling restart: the standby that was restarted first has taken over. */
const MOVED = { pg1: "standby", pg2: "primary", pg3: "standby" };

interface Main {
  settings: Record<string, unknown>;
  roles: Record<string, unknown>;
  databases: Record<string, unknown>;
  clients: string[];
}
const main = (inventory: InventoryFile): Main => inventory.postgresql_clusters.main as unknown as Main;

suite(
  "changes of the inventory",
  () => World.deployed(),
  ({ test }) => {
    const starts = async (lab: Lab): Promise<string[]> => postmasters(lab, HOSTS);

    test("settings, roles, databases and clients change without a restart", async (world) => {
      const { lab } = world;
      const before = await starts(lab);
      const outsider = lab.host(OUTSIDER).address;
      const knock = `timeout 3 bash -c '</dev/tcp/${lab.host("pg2").address}/5432'`;
      expect((await lab.exec(OUTSIDER, knock)).code).not.toBe(0);
      world.edit((inventory) => {
        main(inventory).settings.log_min_duration_statement = "3s";
        main(inventory).settings.work_mem = "6MB";
        main(inventory).roles.reader = { connection_limit: 5 };
        main(inventory).databases.reports = { owner: "reader", extensions: ["pgcrypto"] };
        main(inventory).clients.push(`${outsider}/32`);
      });
      must(await world.up());
      expect(await starts(lab)).toEqual(before);
      for (const host of HOSTS) {
        expect(
          await sql(
            lab,
            host,
            "select current_setting('log_min_duration_statement') || ' ' || current_setting('work_mem')",
          ),
        ).toBe("3s 6MB");
      }
      expect(await sql(lab, "pg1", "select rolcanlogin, rolconnlimit from pg_roles where rolname = 'reader'")).toBe(
        "t|5",
      );
      expect(
        await sql(lab, "pg1", "select extname from pg_extension where extname = 'pgcrypto'", { database: "reports" }),
      ).toBe("pgcrypto");
      expect((await lab.exec(OUTSIDER, knock)).code).toBe(0);
      const rule = `select count(*) from pg_hba_file_rules where address = '${outsider}'`;
      for (const host of HOSTS) expect(await sql(lab, host, rule)).toBe("1");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a setting that needs a restart restarts the standbys, hands over, restarts the old primary last, while repmgrd is paused", async (world) => {
      const { lab } = world;
      const before = await starts(lab);
      world.edit((inventory) => (main(inventory).settings.max_connections = 120));
      const stop = watchSql(
        lab,
        "pg1",
        "repmgr",
        "select case when repmgr.repmgrd_is_paused() then 'paused' else 'watching' end",
      );
      must(await world.up(["--skip-preview"]));
      const seen = stop();
      expect(seen.slice(0, 2)).toEqual(["watching", "paused"]);
      const after = await starts(lab);
      after.forEach((start, index) => expect(start).not.toBe(before[index]));
      for (const host of HOSTS) expect(await sql(lab, host, "show max_connections")).toBe("120");
      const times = await Promise.all(
        HOSTS.map(async (host) =>
          Number(await sql(lab, host, "select extract(epoch from pg_postmaster_start_time())")),
        ),
      );
      expect(Math.max(times[1] ?? 0, times[2] ?? 0)).toBeLessThan(times[0] ?? 0);
    });

    test("nobody failed over besides, and repmgrd watches again", async (world) => {
      const { lab } = world;
      expect(await roles(lab, HOSTS)).toEqual(MOVED);
      expect(await sql(lab, "pg2", "select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")).toBe("00000002");
      for (const host of HOSTS) {
        expect(await sql(lab, host, "select repmgr.repmgrd_is_paused()", { database: "repmgr" })).toBe("f");
      }
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg2", ["pg1", "pg3"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a limit that goes down restarts the primary first: a standby may never have less", async (world) => {
      const { lab } = world;
      world.edit((inventory) => (main(inventory).settings.max_connections = 90));
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) expect(await sql(lab, host, "show max_connections")).toBe("90");
      expect(await roles(lab, HOSTS)).toEqual(MOVED);
      await rowArrives(lab, "pg2", ["pg1", "pg3"], { database: "app" });
      expect(await sh(lab, "pg2", "systemctl is-failed postgresql-main || true")).toBe("active");
    });
  },
);
