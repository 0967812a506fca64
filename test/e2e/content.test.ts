import { contentProbe } from "../../facts/content";
import { run } from "../../lab/run";
import { seconds } from "./support/deadlines";
import type { InventoryFile } from "./support/inventory";
import { until } from "../../lab/wait";
import { DATA } from "./support/layout";
import { awaitPrimary, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { watchSql } from "./support/watchSql";
import { must, World } from "./support/world";

type Tree = Record<string, unknown>;
const main = (inventory: InventoryFile): { roles: Record<string, Tree>; databases: Record<string, Tree> } =>
  inventory.postgresql_clusters.main as never;
const shop = (inventory: InventoryFile): Tree => main(inventory).databases.shop ?? {};

const inShop = { database: "shop" };
const ask = (world: World, query: string, database?: string): Promise<string> =>
  sql(world.lab, "pg1", query, database === undefined ? {} : { database });

const MEMBERS =
  "select string_agg(pg_get_userbyid(roleid), ',' order by 1) from pg_auth_members where member = 'app'::regrole";
const SETTINGS =
  "select string_agg(s, '; ' order by s) from pg_db_role_setting, unnest(setconfig) s where setrole = 'app'::regrole";

suite(
  "what is inside the database",
  () => World.deployed(),
  ({ test }) => {
    test("roles, databases, schemas and extensions are made as they are declared, in a few transactions", async (world) => {
      world.edit((inventory) => {
        const { roles, databases } = main(inventory);
        roles.reader = { login: false };
        roles.app = {
          ...roles.app,
          valid_until: "2099-01-31T00:00:00Z",
          member_of: ["reader", "pg_monitor"],
          settings: { search_path: 'sales, "$user"', statement_timeout: "30s" },
        };
        databases.shop = {
          owner: "app",
          encoding: "UTF8",
          provider: "icu",
          locale: "de-DE",
          connection_limit: 20,
          settings: { work_mem: "8MB" },
          schemas: { sales: {} },
          extensions: [{ name: "hstore", version: "1.7", schema: "sales" }],
          grants: [
            { to: "reader", on: "database", privileges: ["connect"] },
            { to: "reader", on: "schema", schema: "sales", privileges: ["usage"] },
            { to: "reader", on: "tables", schema: "sales", privileges: ["select"] },
          ],
          default_privileges: [{ to: "reader", made_by: "app", on: "tables", schema: "sales", privileges: ["select"] }],
          exclusive: true,
        };
      });
      const logged = world.stack.actions().length;
      must(await world.up(["--skip-preview"]));
      const whys = world.stack
        .actions()
        .slice(logged)
        .flatMap(({ resource, why }) => (resource === "PgCluster main" ? [why] : []));
      // The last one takes away what everybody may in a database that was made just now.
      expect(whys).toHaveLength(5);
      expect(whys[4]).toBe("public loses connect, temporary on database shop");
      expect(await ask(world, MEMBERS)).toBe("pg_monitor,reader");
      expect(await ask(world, SETTINGS)).toBe('search_path=sales, "$user"; statement_timeout=30s');
      expect(
        await ask(
          world,
          `select pg_encoding_to_char(encoding), datlocprovider, datlocale, datconnlimit, datdba::regrole from pg_database where datname = 'shop'`,
        ),
      ).toBe("UTF8|i|de-DE|20|app");
      expect(await ask(world, "show work_mem", "shop")).toBe("8MB");
      expect(await ask(world, "select nspowner::regrole from pg_namespace where nspname = 'sales'", "shop")).toBe(
        "app",
      );
      expect(
        await ask(
          world,
          "select extversion, extnamespace::regnamespace from pg_extension where extname = 'hstore'",
          "shop",
        ),
      ).toBe("1.7|sales");
      await rowArrives(world.lab, "pg1", ["pg2", "pg3"], inShop);
    });

    test("the application's own library logs in and has what was declared", async (world) => {
      const env = { ...process.env, PGPASSFILE: world.passFile() };
      const address = await world.connection();
      const { stdout, stderr } = await run(["psql", "-XAtc", "show statement_timeout", address], { env });
      expect([stdout.trim(), stderr.trim()]).toEqual(["30s", ""]);
    });

    test("the next preview is clean", async (world) => {
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what somebody changes by hand is shown attribute by attribute, and only that is put right", async (world) => {
      await ask(
        world,
        `revoke reader from app; grant pg_signal_backend to app; alter role app nologin valid until '2098-01-01T00:00:00Z';
         alter role app set statement_timeout = '1h'; alter role app set work_mem = '1GB'; alter database shop connection limit 3;
         alter database shop set work_mem = '1MB'; alter database shop owner to postgres`,
      );
      await ask(world, "alter schema sales owner to postgres", "shop");
      const { stdout } = must(await world.preview(["--json"]));
      const changes = changesOf(stdout);
      expect(changes.map(({ resource, property }) => `${resource} ${property}`).sort()).toEqual([
        "PgCluster main databases.connectionLimit",
        "PgCluster main databases.owner",
        "PgCluster main databases.schemas.owner",
        "PgCluster main databases.settings.work_mem",
        "PgCluster main roles.login",
        "PgCluster main roles.memberOf",
        "PgCluster main roles.settings.statement_timeout",
        "PgCluster main roles.settings.work_mem",
        "PgCluster main roles.validUntil",
      ]);
      expect(changes.find(({ property }) => property === "roles.login")?.found).toContainEqual({
        ...{ name: "app", login: false, superuser: false, createdb: false, createrole: false, replication: false },
        ...{ connectionLimit: -1, validUntil: "2098-01-01T00:00:00Z", memberOf: ["pg_monitor", "pg_signal_backend"] },
        settings: { search_path: 'sales, "$user"', statement_timeout: "1h", work_mem: "1GB" },
      });
      expect(changes.find(({ property }) => property === "databases.owner")?.found).toContainEqual(
        expect.objectContaining({
          ...{
            name: "shop",
            owner: "postgres",
            encoding: "UTF8",
            provider: "icu",
            locale: "de-DE",
            connectionLimit: 3,
          },
          ...{ settings: { work_mem: "1MB" }, schemas: [{ name: "sales", owner: "postgres" }] },
          extensions: [{ name: "hstore", version: "1.7", schema: "sales" }],
        }),
      );
    });

    test("privileges: what is lacking is given, what nobody declared is revoked, what the role makes later is open", async (world) => {
      await ask(
        world,
        `revoke usage on schema sales from reader; create role eve; grant create on schema sales to eve;
         create table sales.orders ()`,
        "shop",
      );
      const { stdout } = must(await world.preview(["--json"]));
      const shown = changesOf(stdout).find(({ property }) => property.startsWith("databases.grants"))?.found;
      expect(JSON.stringify(shown)).toContain(`{"on":"schema","privileges":["create"],"schema":"sales","to":"eve"}`);
      expect(JSON.stringify(shown)).not.toContain(`"privileges":["usage"]`);
      await ask(world, "alter extension hstore update to '1.8'", "shop");
    });

    test("a version that cannot be gone back to fails in words, and nothing else of its transaction is left half done", async (world) => {
      const { code, output } = await world.up(["--skip-preview"]);
      expect(code).not.toBe(0);
      expect(output).toMatch(/extension "hstore" has no update path from version "1.8" to version "1.7"/);
      expect(await ask(world, MEMBERS)).toBe("pg_monitor,reader");
      expect(await ask(world, "select nspowner::regrole from pg_namespace where nspname = 'sales'", "shop")).toBe(
        "postgres",
      );
      world.edit((inventory) => (shop(inventory).extensions = [{ name: "hstore", schema: "sales" }]));
      must(await world.up(["--skip-preview"]));
      expect(await ask(world, SETTINGS)).toBe('search_path=sales, "$user"; statement_timeout=30s');
      const may = `select has_schema_privilege('reader', 'sales', 'usage'), has_schema_privilege('eve', 'sales', 'create'),
        has_table_privilege('reader', 'sales.orders', 'select'), has_database_privilege('eve', 'shop', 'connect')`;
      expect(await ask(world, may, "shop")).toBe("t|f|t|f");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a locale is for life: refused before anything is changed, with what to do", async (world) => {
      world.edit((inventory) => (shop(inventory).locale = "fr-FR"));
      const { code, output } = await world.up(["--skip-preview"]);
      expect(code).not.toBe(0);
      expect(output).toMatch(/database shop has locale de-DE, not fr-FR, and PostgreSQL cannot change that/);
      world.edit((inventory) => (shop(inventory).locale = "de-DE"));
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what is marked as removed is dropped when nobody uses it, and only what was deployed", async (world) => {
      await ask(world, "create database strange");
      await ask(world, "create role stranger");
      world.edit((inventory) => {
        const { roles, databases } = main(inventory);
        databases.shop = { removed: true };
        databases.strange = { removed: true };
        roles.stranger = { removed: true };
        (inventory.postgresql_clusters.main as Tree).allow_drop = true;
      });
      const stop = watchSql(world.lab, "pg1", "shop", "select 1");
      const busy = await world.up(["--skip-preview"]);
      stop();
      expect(busy.code).not.toBe(0);
      expect(busy.output).toMatch(/database shop is not dropped: \d+ other sessions? in it/);
      expect(busy.output).toMatch(
        /role stranger is marked as removed and exists, but this program has not deployed it/,
      );
      const there = "select count(*) from pg_database where datname in ('shop', 'strange')";
      expect(await ask(world, there)).toBe("2");
      world.edit((inventory) => {
        delete main(inventory).databases.strange;
        delete main(inventory).roles.stranger;
      });
      const preview = must(await world.preview(["--json"]));
      expect(consequencesOf(preview.stdout)).toContain("cluster main: pg1: drop database shop");
      must(await world.up(["--skip-preview"]));
      expect(await ask(world, there)).toBe("1");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what was dropped and is made again by somebody else is not ours any more", async (world) => {
      await ask(world, "create database shop");
      const { code, output } = await world.up(["--skip-preview"]);
      expect(code).not.toBe(0);
      expect(output).toMatch(
        /database shop is marked as removed and exists, but this program has not deployed it here/,
      );
      expect(await ask(world, "select count(*) from pg_database where datname = 'shop'")).toBe("1");
      world.edit((inventory) => delete main(inventory).databases.shop);
      must(await world.up(["--skip-preview"]));
    });

    test("a thousand roles and many databases are read in two seconds", async (world) => {
      const { script } = contentProbe("psql -XAtq");
      await ask(world, "do $$ begin for n in 1..1000 loop execute format('create role many_%s', n); end loop; end $$");
      const make = 'for n in $(seq 20); do echo "create database many_$n strategy file_copy;"; done | psql -XAtq';
      await world.lab.exec("pg1", make, { user: "postgres", deadlineMs: seconds(120) });
      const before = Date.now();
      const { code, stdout, stderr } = await world.lab.exec("pg1", script, { user: "postgres" });
      expect(Date.now() - before).toBeLessThan(seconds(2));
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.split("\n").filter((line) => line.includes("many_"))).toHaveLength(21);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("the primary dies in the middle of a transaction: it is made on the one that is promoted", async (world) => {
      const { lab } = world;
      world.edit((inventory) => (main(inventory).roles.late = { login: false }));
      const hold = "begin; lock table pg_authid in share mode; select pg_sleep(600)";
      const held = lab.exec("pg1", ["psql", "-XAtqc", hold, "postgres"], { user: "postgres", deadlineMs: 900_000 });
      held.catch(() => undefined);
      const up = world.up(["--skip-preview"]);
      const waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%late%'";
      await until("the transaction waits", seconds(60), async () => (await ask(world, waits)) !== "0" || "it does not");
      await sh(lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      must(await up);
      const primary = await awaitPrimary(lab, ["pg2", "pg3"]);
      expect(await sql(lab, primary, "select rolcanlogin from pg_roles where rolname = 'late'")).toBe("f");
    });
  },
);
