import type { Lab } from "../../lab";
import { run } from "./support/command";
import type { InventoryFile } from "./support/inventory";
import { describeInFull } from "./support/fullOnly";
import { leftovers } from "./support/leftovers";
import { dataOf } from "./support/layout";
import { awaitHealthy, awaitPrimary, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

const DATA = dataOf("main", 15);

/** Three hosts of Debian 12 with what that has, PostgreSQL 15 and repmgr 5.3, and beside them one of Debian 13 with 17. */
function twoReleases(inventory: InventoryFile, lab: Lab): void {
  inventory.defaults.repository = { name: "lab", ...lab.aptRepository("debian12") };
  inventory.hosts[OUTSIDER] = {
    address: lab.host(OUTSIDER).address,
    repository: { name: "lab", ...lab.aptRepository("debian13") },
  };
  Object.assign(inventory.postgresql_clusters.main as object, { version: 15 });
  inventory.postgresql_clusters.newer = {
    version: 17,
    nodes: { m1: { id: 1, host: OUTSIDER, role: "primary" } },
    repmgr: { password_secret: "main_repmgr_password" },
  };
}

describeInFull("debian12", "its image takes a minute to build")("Debian 12", () => {
  suite(
    "debian12",
    () =>
      World.mixed(
        [
          ["pg3", "debian12"],
          [OUTSIDER, "debian13"],
        ],
        twoReleases,
      ),
    ({ test }) => {
      const isWhole = async (world: World, primary: string): Promise<void> => {
        await awaitHealthy(world.lab, HOSTS);
        const standbys = HOSTS.filter((host) => host !== primary);
        expect(await roles(world.lab, [...HOSTS, OUTSIDER])).toEqual({
          [primary]: "primary",
          ...Object.fromEntries(standbys.map((host) => [host, "standby"])),
          [OUTSIDER]: "primary",
        });
        await rowArrives(world.lab, primary, standbys, { database: "app" });
        must(await world.preview(["--expect-no-changes"]));
      };

      test("one up makes a cluster of 15 on it, and one of 17 on a host of Debian 13", async (world) => {
        const { lab } = world;
        must(await world.up(["--skip-preview"]));
        for (const host of HOSTS) {
          expect(await sh(lab, host, ". /etc/os-release && echo $VERSION_ID")).toBe("12");
          expect(await sql(lab, host, "show server_version")).toMatch(/^15\./);
          expect(await sh(lab, host, "/usr/lib/postgresql/15/bin/repmgr --version")).toMatch(/^repmgr 5\.3\./);
        }
        expect(await sql(lab, OUTSIDER, "show server_version")).toMatch(/^17\./);
        await isWhole(world, "pg1");
      });

      test("a setting is changed by a reload, another by a rolling restart", async (world) => {
        const before = await postmasters(world.lab, HOSTS);
        const set = (name: string, value: string | number): void =>
          world.edit(({ postgresql_clusters: { main } }) => {
            (main as { settings: Record<string, unknown> }).settings[name] = value;
          });
        set("work_mem", "9MB");
        must(await world.up(["--skip-preview"]));
        expect(await postmasters(world.lab, HOSTS)).toEqual(before);
        set("max_connections", 130);
        must(await world.up(["--skip-preview"]));
        for (const host of HOSTS) {
          expect(
            await sql(world.lab, host, "select current_setting('work_mem') || current_setting('max_connections')"),
          ).toBe("9MB130");
        }
        await isWhole(world, await awaitPrimary(world.lab, HOSTS));
      });

      test("the primary dies, another takes over, and up rejoins it", async (world) => {
        const primary = await awaitPrimary(world.lab, HOSTS);
        await sh(world.lab, primary, `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
        const heir = await awaitPrimary(
          world.lab,
          HOSTS.filter((host) => host !== primary),
        );
        must(await world.up(["--skip-preview"]));
        await isWhole(world, heir);
      });

      test("a planned switchover hands over", async (world) => {
        const primary = await awaitPrimary(world.lab, HOSTS);
        const target = HOSTS.find((host) => host !== primary) ?? "";
        const { code, output } = await run(world, "switchover", "main", target.replace("pg", "n"), "--yes");
        expect({ code, output }).toMatchObject({ code: 0 });
        await isWhole(world, target);
      });

      test("destroy leaves the data and nothing else", async (world) => {
        must(await world.destroy());
        for (const host of HOSTS) expect(await sh(world.lab, host, leftovers("main", 5432))).toBe("");
        for (const host of HOSTS) await sh(world.lab, host, `test -s ${DATA}/PG_VERSION`);
      });
    },
  );
});
