import type { InventoryFile } from "./support/inventory";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWatched, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

interface Main {
  repmgr: { superuser?: boolean };
  preferred_primary?: string;
}
const main = (inventory: InventoryFile): Main => inventory.postgresql_clusters.main as unknown as Main;

const ATTRIBUTES = `select concat_ws(' ', rolsuper, rolreplication, rolcreatedb, rolcreaterole, rolbypassrls)
  from pg_roles where rolname = 'repmgr'`;
const LIMITED = "f t f f f";
const SUPERUSER = "t t f f f";
const MEMBER_OF =
  "select string_agg(pg_get_userbyid(roleid), ',' order by pg_get_userbyid(roleid)) from pg_auth_members where member = 'repmgr'::regrole";

suite(
  "a role repmgr that is no superuser",
  () => World.fresh((inventory) => (main(inventory).repmgr.superuser = false)),
  ({ test }) => {
    const primaryOf = ({ lab }: World): Promise<string> => awaitPrimary(lab, HOSTS);
    const others = (primary: string): string[] => HOSTS.filter((host) => host !== primary);
    const attributes = async (world: World): Promise<string> => sql(world.lab, await primaryOf(world), ATTRIBUTES);
    /** All nodes are in their places, and each has been asked by a repmgrd that sees its primary. */
    const isWhole = async (world: World, primary: string): Promise<void> => {
      const { lab } = world;
      await awaitHealthy(lab, HOSTS);
      expect(await roles(lab, HOSTS)).toEqual(
        Object.fromEntries(HOSTS.map((host) => [host, host === primary ? "primary" : "standby"])),
      );
      await rowArrives(lab, primary, others(primary), { database: "app" });
      await awaitWatched(lab, others(primary), Number(primary.replace("pg", "")));
    };

    test("a cluster is deployed with it: initdb, clones, registrations", async (world) => {
      must(await world.firstUp());
      expect(await attributes(world)).toBe(LIMITED);
      expect(await sql(world.lab, "pg1", MEMBER_OF)).toBe("pg_checkpoint,pg_monitor,pg_use_reserved_connections");
      expect(await sql(world.lab, "pg1", "select datdba::regrole from pg_database where datname = 'repmgr'")).toBe(
        "postgres",
      );
      await isWhole(world, "pg1");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("it can make nothing that a superuser would run", async ({ lab }) => {
      const as = (query: string): Promise<string> =>
        sql(lab, "pg1", `set role repmgr; ${query}`, { database: "repmgr" }).catch((e: unknown) => String(e));
      expect(await as("create function f() returns int language sql as 'select 1'")).toMatch(/permission denied/);
      expect(await as("create schema mine")).toMatch(/permission denied/);
      expect(await as("select rolpassword from pg_authid")).toMatch(/permission denied/);
      expect(await as("copy (select 1) to program 'id'")).toMatch(/permission denied/);
      expect(await as("select has_parameter_privilege('archive_command', 'alter system')")).toBe("f");
      expect(
        await as(
          "create trigger t before update on repmgr.nodes execute function suppress_redundant_updates_trigger()",
        ),
      ).toMatch(/permission denied/);
    });

    test("the primary dies: another is promoted", async (world) => {
      await sh(world.lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      const primary = await awaitPrimary(world.lab, ["pg2", "pg3"]);
      expect(await sql(world.lab, primary, ATTRIBUTES)).toBe(LIMITED);
      await rowArrives(world.lab, primary, others(primary).slice(1), { database: "app" });
    });

    test("up rewinds the old one, and the next preview is clean", async (world) => {
      const logged = world.stack.actions().length;
      must(await world.up(["--skip-preview"]));
      const whys = world.stack
        .actions()
        .slice(logged)
        .map(({ why }) => why);
      expect(whys.filter((why) => /rewound to where they parted$/.test(why))).toHaveLength(1);
      expect(whys.filter((why) => /^clone |cloned/.test(why))).toEqual([]);
      await isWhole(world, await primaryOf(world));
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a planned switchover moves the primary back", async (world) => {
      world.edit((inventory) => (main(inventory).preferred_primary = "n1"));
      must(await world.up(["--skip-preview"]));
      await isWhole(world, "pg1");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a right that is taken away and another that is given are shown and put right", async (world) => {
      const { lab } = world;
      await sql(lab, "pg1", "revoke execute on function pg_promote from repmgr", { database: "repmgr" });
      await sql(lab, "pg1", "grant pg_write_all_data to repmgr; alter role repmgr createdb");
      const { stdout } = must(await world.preview(["--json"]));
      const wrong = "without execute on pg_promote(boolean, integer) and with createdb, the role pg_write_all_data";
      expect(changesOf(stdout).map(({ resource, property, found }) => [resource, property, found])).toEqual([
        ["RepmgrNode pg1/main", "repmgrRole", wrong],
      ]);
      expect(consequencesOf(stdout).join("\n")).toContain(`nobody notices: pg1: repmgr's role is ${wrong}`);
      must(await world.up(["--skip-preview"]));
      expect(await attributes(world)).toBe(LIMITED);
      expect(await sql(lab, "pg1", MEMBER_OF)).toBe("pg_checkpoint,pg_monitor,pg_use_reserved_connections");
      must(await world.preview(["--expect-no-changes"]));
    });

    const CHANGES = [
      ["a superuser", true, SUPERUSER],
      ["none again", false, LIMITED],
    ] as const;
    for (const [what, superuser, wanted] of CHANGES)
      test(`up makes it ${what}, and nothing restarts`, async (world) => {
        const before = await postmasters(world.lab, HOSTS);
        world.edit((inventory) => (main(inventory).repmgr.superuser = superuser));
        const { stdout } = must(await world.preview(["--json"]));
        expect(consequencesOf(stdout)).toEqual([
          expect.stringMatching(/^cluster main: nobody notices: pg1: repmgr's role is with(out)? superuser: make role/),
        ]);
        must(await world.up(["--skip-preview"]));
        expect(await attributes(world)).toBe(wanted);
        expect(await postmasters(world.lab, HOSTS)).toEqual(before);
        await isWhole(world, "pg1");
        must(await world.preview(["--expect-no-changes"]));
      });
  },
);
