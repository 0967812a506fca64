import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { tells } from "./support/incident";
import type { InventoryFile } from "./support/inventory";
import { BIN, DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

type Tree = Record<string, unknown>;
interface Content {
  readonly tablespaces: Record<string, Tree>;
  readonly databases: Record<string, Tree>;
}
const main = (inventory: InventoryFile): Tree & Content => inventory.postgresql_clusters.main as never;

const FAST = "/srv/pg/fast";
const MORE = "/srv/pg/more";
const inQuick = { database: "quick" };
const others = (primary: string): string[] => HOSTS.filter((host) => host !== primary);

suite(
  "tablespaces",
  () =>
    World.fresh((inventory) => {
      const content = { tablespaces: { fast: { directory: FAST } }, databases: main(inventory).databases };
      Object.assign(main(inventory), content);
      content.databases.quick = { owner: "app", tablespace: "fast" };
    }),
  ({ test }) => {
    const files = ({ lab }: World, host: string, directory = FAST): Promise<string> =>
      sh(lab, host, `ls -A ${directory} | tr '\\n' ' '`);
    const location = ({ lab }: World, host: string, name = "fast"): Promise<string> =>
      sql(lab, host, `select pg_tablespace_location(oid) from pg_tablespace where spcname = '${name}'`);
    const clean = async (world: World): Promise<unknown> => must(await world.preview(["--expect-no-changes"]));
    /** Nothing was changed by a run that tells why it was refused. */
    const refused = async (world: World, ...fragments: RegExp[]): Promise<void> => {
      const begun = world.stack.actions().length;
      tells(await world.preview(), ...fragments);
      tells(await world.up(["--skip-preview"]), ...fragments);
      expect(world.stack.actions().slice(begun)).toEqual([]);
    };

    test("the first up makes one, and a database in it: rows are on every node; a second finds nothing to do", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
      await rowArrives(world.lab, "pg1", ["pg2", "pg3"], inQuick);
      for (const host of HOSTS) {
        expect(await location(world, host)).toBe(FAST);
        expect(await files(world, host)).toMatch(/^PG_17_\d+$/);
        expect(await sh(world.lab, host, `stat -c '%U %a' ${FAST}`)).toBe("postgres 700");
      }
      const place =
        "select spcname from pg_database d join pg_tablespace t on t.oid = dattablespace where datname = 'quick'";
      expect(await sql(world.lab, "pg2", place)).toBe("fast");
      await clean(world);
    });

    test("what two clusters would share, and a directory that is somebody else's, is refused before anything changes", async (world) => {
      const { lab } = world;
      world.edit((inventory) => {
        inventory.postgresql_clusters.other = {
          version: 17,
          port: 5440,
          nodes: { o1: { id: 1, host: "pg2", role: "primary" } },
          failover: "manual",
          repmgr: { password_secret: "main_repmgr_password" },
          tablespaces: { theirs: { directory: `${FAST}/` } },
        };
      });
      await refused(
        world,
        /inventory\.yml:\d+: postgresql_clusters\.other\.tablespaces\.theirs\.directory: \/srv\/pg\/fast, on host 'pg2', is the directory of the tablespace 'fast' of the cluster 'main' \(.*inventory\.yml:\d+\)/,
      );
      world.edit((inventory) => {
        delete inventory.postgresql_clusters.other;
        main(inventory).tablespaces.more = { directory: MORE, owner: "app", options: { random_page_cost: 1.1 } };
      });
      await sh(lab, "pg3", `mkdir ${MORE} && touch ${MORE}/thesis.odt`);
      await refused(
        world,
        /pg3: .*\/srv\/pg\/more, the directory of the tablespace more, holds what is not of this cluster \(thesis\.odt\)/,
      );
      await sh(lab, "pg3", `rm -r ${MORE}`);
    });

    test("a host that does not answer keeps a tablespace from being made", async (world) => {
      await world.lab.poweroff("pg3");
      await refused(world, /pg3/);
      await world.lab.poweron("pg3");
      await awaitHealthy(world.lab, HOSTS);
      expect(await location(world, "pg1", "more")).toBe("");
    });

    test("a second one comes to a running cluster, first its directories, and no standby stops", async (world) => {
      const { lab } = world;
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /nobody notices: pg1, pg2, pg3: make \/srv\/pg\/more for the tablespace more: .*; pg1: create tablespace more in \/srv\/pg\/more, on every node/,
      );
      must(await world.up(["--skip-preview"]));
      await sql(lab, "pg1", "create table placed (id int) tablespace more; insert into placed values (1)", inQuick);
      for (const host of ["pg2", "pg3"]) {
        await until(
          `the row is on ${host}`,
          seconds(30),
          async () => (await sql(lab, host, "select count(*) from placed", inQuick).catch(String)) === "1" || "not yet",
        );
        expect(await location(world, host, "more")).toBe(MORE);
      }
      await clean(world);
    });

    test("what somebody changes is shown, and put right", async (world) => {
      const { lab } = world;
      await sql(lab, "pg1", "alter tablespace more owner to postgres");
      await sql(lab, "pg1", "alter tablespace more set (random_page_cost = 9, seq_page_cost = 2)");
      await sh(lab, "pg3", `chmod 0755 ${FAST}`);
      const changes = changesOf(must(await world.preview(["--json"])).stdout);
      expect(changes.map(({ resource, property }) => `${resource} ${property}`).sort()).toEqual([
        "PgCluster main tablespaces.options.random_page_cost",
        "PgCluster main tablespaces.options.seq_page_cost",
        "PgCluster main tablespaces.owner",
        "PgInstance pg3/5432 tablespaces.fast.ownership",
      ]);
      must(await world.up(["--skip-preview"]));
      const options =
        "select spcowner::regrole || ' ' || array_to_string(spcoptions, ' ') from pg_tablespace where spcname = 'more'";
      expect(await sql(lab, "pg1", options)).toBe("app random_page_cost=1.1");
      expect(await sh(lab, "pg3", `stat -c %a ${FAST}`)).toBe("700");
      await clean(world);
    });

    test("another directory, and another tablespace for a database, are refused with what to do", async (world) => {
      world.edit((inventory) => {
        Object.assign(main(inventory).tablespaces.more ?? {}, { directory: "/srv/pg/elsewhere" });
      });
      await refused(
        world,
        /tablespace more is in \/srv\/pg\/more, not in \/srv\/pg\/elsewhere, and PostgreSQL cannot move it/,
      );
      world.edit((inventory) => {
        Object.assign(main(inventory).tablespaces.more ?? {}, { directory: MORE });
        Object.assign(main(inventory).databases.quick ?? {}, { tablespace: "more" });
      });
      tells(
        await world.up(["--skip-preview"]),
        /database quick is in the tablespace fast, not in more: .*Type on the primary/,
      );
      world.edit((inventory) => {
        Object.assign(main(inventory).databases.quick ?? {}, { tablespace: "fast" });
      });
      must(await world.up(["--skip-preview"]));
      await clean(world);
    });

    test("files that are not there are no reason to make an empty directory", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", `systemctl stop repmgrd-main postgresql-main && mv ${FAST} ${FAST}.unmounted`);
      await refused(
        world,
        /\/srv\/pg\/fast, the directory of the tablespace fast, is not there, and \S+ has files in it\. Is its file system mounted\?/,
      );
      await sh(lab, "pg3", `mv ${FAST}.unmounted ${FAST} && systemctl start postgresql-main repmgrd-main`);
      await awaitHealthy(lab, HOSTS);
      // The run that was refused has kept what it saw.
      must(await world.up(["--skip-preview"]));
      await clean(world);
    });

    test("a standby whose data are gone is cloned; what was left in its tablespaces is kept, and said", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", `systemctl stop repmgrd-main postgresql-main && rm -rf ${DATA}`);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /clone n3 from n1, .*; what is left of data that are gone is kept: \/srv\/pg\/fast\/PG_17_\d+, \d+ MiB, in \/srv\/pg\/fast\.former-\.\.\.; \/srv\/pg\/more\/PG_17/,
      );
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], inQuick);
      expect(await sql(lab, "pg3", "select count(*) from placed", inQuick)).toBe("1");
      expect(
        await sh(lab, "pg3", `ls -d ${FAST}.*/PG_17_*; ls -A ${FAST} ${MORE}; readlink ${DATA}/pg_tblspc/*`),
      ).toMatch(
        /^\/srv\/pg\/fast\.former-\d{8}T\d{6}Z\/PG_17_\d+\n\/srv\/pg\/fast:\nPG_17_\d+\n\n\/srv\/pg\/more:\nPG_17_\d+\n\/srv\/pg\/(fast|more)\n\/srv\/pg\/(more|fast)$/,
      );
      await clean(world);
    });

    test("a former primary is rewound with its tablespaces, and what was kept beside them stays", async (world) => {
      const { lab } = world;
      await sql(lab, "pg1", "create table here as select g as id from generate_series(1, 1000) g", inQuick);
      await sh(lab, "pg1", `mkdir ${FAST}.former-mine && touch ${FAST}.former-mine/kept`);
      await sh(lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      const primary = await awaitPrimary(lab, ["pg2", "pg3"]);
      await sql(
        lab,
        primary,
        "create table there tablespace more as select g as id from generate_series(1, 1000) g",
        inQuick,
      );
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, primary, others(primary), inQuick);
      expect(await sql(lab, "pg1", "select count(*) from there", inQuick)).toBe("1000");
      expect(await sh(lab, "pg1", `ls ${FAST}.former-mine`)).toBe("kept");
      await clean(world);
    });

    test("one that cannot be rewound is cloned; its data are kept whole, with their own tablespaces", async (world) => {
      const { lab } = world;
      const was = await awaitPrimary(lab, HOSTS);
      await sql(lab, was, "create table alone as select g as id from generate_series(1, 123) g; checkpoint", inQuick);
      await sh(lab, was, `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      const primary = await awaitPrimary(lab, others(was));
      await sh(lab, was, `echo 'cannot: the test says so' >${DATA}.rejoining`);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /keep its data, \d+ MiB, in .*main\.diverged-\d+-\w+, of \/srv\/pg\/fast, \d+ MiB, in \/srv\/pg\/fast\.diverged-\d+-\w+, of \/srv\/pg\/more/,
      );
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, primary, others(primary), inQuick);
      await clean(world);
      const aside = await sh(lab, was, `ls -d ${DATA}.diverged-*`);
      expect(await sh(lab, was, `readlink ${aside}/pg_tblspc/*`)).toMatch(
        /^\/srv\/pg\/\w+\.diverged-\S+\n\/srv\/pg\/\w+\.diverged-\S+$/,
      );
      const single = `${BIN}/postgres --single -D ${aside} -c log_directory=/tmp -c logging_collector=off quick`;
      expect(
        await sh(lab, was, `cd / && echo 'select count(*) from alone' | ${single} 2>/dev/null`, "postgres"),
      ).toMatch(/count = "123"/);
    });

    test("removed it is dropped when it is empty, and its directories stay", async (world) => {
      const { lab } = world;
      const primary = await awaitPrimary(lab, HOSTS);
      world.edit((inventory) => {
        const { tablespaces, databases } = main(inventory);
        tablespaces.fast = { removed: true };
        tablespaces.more = { removed: true };
        databases.quick = { owner: "app" };
        main(inventory).allow_drop = true;
      });
      tells(
        await world.up(["--skip-preview"]),
        /tablespace fast is not dropped: it holds files of quick\. Move them first/,
        /tablespace more is not dropped: it holds files of quick/,
      );
      world.edit((inventory) => (main(inventory).databases.quick = { removed: true }));
      const { stdout } = must(await world.preview(["--json"]));
      for (const drop of [/drop database quick/, /drop tablespace fast/, /drop tablespace more/])
        expect(consequencesOf(stdout).join("\n")).toMatch(drop);
      must(await world.up(["--skip-preview"]));
      expect(await sql(lab, primary, "select count(*) from pg_tablespace")).toBe("2");
      for (const host of HOSTS) {
        await until(
          `nothing is left in it on ${host}`,
          seconds(30),
          async () => (await files(world, host)) === "" || "files",
        );
      }
      await clean(world);
    });

    test("destroy with allow_data_loss takes what is in them along, and nothing that was kept", async (world) => {
      const { lab } = world;
      world.edit((inventory) => {
        main(inventory).tablespaces.fast = { directory: FAST };
        main(inventory).allow_data_loss = true;
      });
      must(await world.up(["--skip-preview"]));
      expect(await files(world, "pg2")).toMatch(/^PG_17_/);
      must(await world.destroy());
      for (const host of HOSTS) expect([host, await files(world, host)]).toEqual([host, ""]);
      expect(await sh(lab, "pg3", `ls -d ${FAST}.former-*/PG_17_*`)).toMatch(/former/);
    });
  },
);
