import { run } from "../../lab/run";
import { converges, tells } from "./support/incident";
import { sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, World } from "./support/world";

/** Names that are words of SQL, and as long as PostgreSQL allows. */
const ROLE = "select";
const LONG = "x".repeat(63);
const DATABASE = "table";
const PASSWORD = `'; drop table "x"; --\\ $(touch /tmp/pwned) \`id\` %s : # é漢🐘 ${"0".repeat(1_000)}-Zaunkoenig`;
const TEXT = `it's "so"; whoami \\n $(touch /tmp/pwned) \`id\` # %m {{x}} &lt; é漢🐘`;

interface Cluster {
  settings: Record<string, unknown>;
  roles: Record<string, unknown>;
  databases: Record<string, unknown>;
  repmgr: { options: Record<string, unknown> };
}

suite(
  "hostile values in the inventory and in secrets",
  () => World.deployed(),
  ({ test }) => {
    test("reach PostgreSQL and repmgr as they were written", async (world) => {
      const { lab } = world;
      await world.stack.setSecret("odd_password", PASSWORD);
      world.edit(({ postgresql_clusters }) => {
        const { settings, roles, databases, repmgr } = postgresql_clusters.main as unknown as Cluster;
        settings["odd.text"] = TEXT;
        settings.log_line_prefix = TEXT;
        roles[ROLE] = { password_secret: "odd_password" };
        roles[LONG] = { login: false };
        databases[DATABASE] = { owner: ROLE };
        databases[LONG] = { owner: LONG };
        repmgr.options.event_notification_command = `true '%n' "%e" ; echo it''s \\ %d`;
      });
      await converges(world);
      for (const host of HOSTS) {
        expect(await sql(lab, host, `show "odd.text"`)).toBe(TEXT);
        expect(await sql(lab, host, "show log_line_prefix")).toBe(TEXT);
        expect(await sh(lab, host, "ls /tmp/pwned 2>/dev/null || true")).toBe("");
        await sh(lab, host, "repmgr -f /etc/repmgr/main/repmgr.conf cluster show", "postgres");
      }
      const owners =
        "select string_agg(datname || ' ' || datdba::regrole::text, ', ' order by datname) from pg_database";
      expect(await sql(lab, "pg1", `${owners} where datname in ('${DATABASE}', '${LONG}')`)).toBe(
        `${DATABASE} "${ROLE}", ${LONG} ${LONG}`,
      );
    });

    test("a role with an odd name and password logs in", async (world) => {
      const address = world.lab.host("pg1").address;
      const env = { ...process.env, PGPASSWORD: PASSWORD };
      const url = `postgresql://${ROLE}@${address}:5432/${DATABASE}?connect_timeout=5`;
      expect(await run(["psql", "-XAtc", "select current_user", url], { env })).toMatchObject({
        code: 0,
        stdout: `${ROLE}\n`,
      });
    });

    test("a password of repmgr that no password file can hold is refused before anything is changed", async (world) => {
      const begun = world.stack.actions().length;
      const right = await world.stack.secret("main_repmgr_password");
      await world.stack.setSecret("main_repmgr_password", "two\nlines-Nachtigall");
      const refused = await world.up(["--skip-preview"]);
      await world.stack.setSecret("main_repmgr_password", right);
      tells(
        refused,
        /the password of the role repmgr holds a line break[^]*pulumi config set --secret main_repmgr_password/,
      );
      expect(world.stack.actions().slice(begun)).toEqual([]);
      await converges(world);
    });
  },
);
