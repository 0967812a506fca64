import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../lab/run";
import { ProcessSampler } from "./support/processSampler";
import { POSTGRES_HOME } from "./support/layout";
import { roles, rowArrives, sh } from "./support/oracle";
import { CANARIES, ROTATED, SECRETS } from "./support/secrets";
import { watchSql } from "./support/watchSql";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** The only file that has to hold a password as it is (PostgreSQL documentation, "The Password File"). */
const PASS_FILE = "/etc/repmgr/main/pgpass";

function found(text: string): string[] {
  return CANARIES.filter((word) => text.includes(word));
}

/** Every file below a folder. */
function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function hostHides({ lab }: World, host: string): Promise<void> {
  const places = `/etc /var/log ${POSTGRES_HOME} /run /tmp /home /root /opt /srv/log`;
  const search = `words=$(cat)
grep -rlaF -e "$words" ${places} 2>/dev/null
journalctl -q --no-pager -o export | grep -caF -e "$words" | sed -n '/^0$/!s/^/lines of the journal: /p'
true`;
  const { stdout } = await lab.exec(host, search, { stdin: CANARIES.join("\n"), deadlineMs: 120_000 });
  expect([host, stdout.trim()]).toEqual([host, PASS_FILE]);
  expect(await sh(lab, host, `stat -c '%U:%G %a' ${PASS_FILE}`)).toBe("postgres:postgres 600");
}

async function logIn(world: World, password: string): Promise<string> {
  const env = { ...process.env, PGPASSFILE: world.passFile(password) };
  const query = ["psql", "-XAtc", "select current_user", `${await world.connection()}&connect_timeout=5`];
  const { stdout, stderr } = await run(query, { env });
  return stdout.trim() || stderr.trim();
}

suite(
  "no secret is seen anywhere",
  () => World.deployed(),
  ({ test }) => {
    test("neither in state, configuration, logs nor command lines of the first deployment", async (world) => {
      const kept = files(world.state);
      expect(kept.map((file) => file.replace(/.*\//, ""))).toEqual(
        expect.arrayContaining(["e2e.json", "Pulumi.e2e.yaml", "actions.jsonl", "pulumi.log", "commands.log"]),
      );
      for (const file of kept) expect([file, found(readFileSync(file, "utf8"))]).toEqual([file, []]);
      expect(readFileSync(world.commandLines, "utf8").split("\n").length).toBeGreaterThan(100);
      expect(found(await world.stack.exported())).toEqual([]);
    });

    test("nor on a host, but in the file PostgreSQL reads it from", async (world) => {
      for (const host of HOSTS) await hostHides(world, host);
    });

    test("passwords with quotes, colons, backslashes and letters of other scripts log in", async (world) => {
      expect(await logIn(world, SECRETS.app_password)).toBe("app");
      expect(await logIn(world, "wrong")).toMatch(/password authentication failed/);
    });

    test("rotated passwords are seen nowhere either; the new ones count at once, the old ones no more", async (world) => {
      const { stack } = world;
      for (const [name, value] of Object.entries(ROTATED)) await stack.setSecret(name, value);
      const preview = must(await world.preview());
      expect(found(preview.output)).toEqual([]);
      expect(preview.output).toMatch(/repmgrPassword|rolePasswords/);
      const sampler = new ProcessSampler();
      sampler.start();
      const stop = watchSql(
        world.lab,
        "pg1",
        "postgres",
        "select query from pg_stat_activity where pid <> pg_backend_pid()",
      );
      const logged = stack.actions().length;
      const up = must(await world.up(["--skip-preview"]));
      const acted = stack
        .actions()
        .slice(logged)
        .filter(({ resource, do: what }) => {
          return resource.startsWith("RepmgrNode") || what === "putFile";
        });
      // All password files, then the role, then every node logs in; nothing before, between or after.
      expect(acted.map(({ resource, host, do: what }) => `${resource}: ${what} on ${host}`)).toEqual(
        [...HOSTS.map((host) => `putFile on ${host}`), "run on pg1", ...HOSTS.map((host) => `run on ${host}`)].map(
          (what) => `RepmgrNode pg1/main: ${what}`,
        ),
      );
      sampler.stop();
      const queries = stop().join("\n");
      expect(queries).toMatch(/select/i);
      for (const text of [up.output, queries, [...sampler.commandLines].join("\n"), await stack.exported()]) {
        expect(found(text)).toEqual([]);
      }
      expect(await logIn(world, ROTATED.app_password)).toBe("app");
      expect(await logIn(world, SECRETS.app_password)).toMatch(/password authentication failed/);
      for (const file of files(world.state)) expect([file, found(readFileSync(file, "utf8"))]).toEqual([file, []]);
      for (const host of HOSTS) await hostHides(world, host);
    });

    test("the nodes reach each other with repmgr's new password, without a restart or a failover", async (world) => {
      const { lab } = world;
      expect(await roles(lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      for (const host of HOSTS) {
        await sh(lab, host, "repmgr -f /etc/repmgr/main/repmgr.conf cluster show", "postgres");
      }
      must(await world.preview(["--expect-no-changes"]));
    });

    test("an error carries no secret either", async (world) => {
      await world.stack.setSecret("ops_sudo_password", `${SECRETS.ops_sudo_password}!`);
      const { code, output } = await world.preview();
      expect(code).not.toBe(0);
      expect(output).toMatch(/sudo refuses the password/);
      expect(output).toContain("pulumi config set --secret ops_sudo_password");
      expect(found(output)).toEqual([]);
    });
  },
);
