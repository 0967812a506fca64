import { readFileSync } from "node:fs";
import { run } from "../../lab/run";
import { must, OUTSIDER, HOSTS, World } from "./support/world";
import { BIN, DATA } from "./support/layout";
import { awaitHealthy, roles, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";

const UNITS = ["postgresql-main.service", "repmgrd-main.service"];

/** How often sshd let somebody in since it was started; control characters of the journal do not count. */
async function logins(world: World, host: string): Promise<number> {
  return Number(
    await sh(world.lab, host, "journalctl -q -o cat -t sshd -t sshd-session | grep -c 'Accepted publickey' || true"),
  );
}

suite(
  "deploy",
  () => World.fresh(),
  ({ test }) => {
    const primary = "pg1";

    test("the first up makes three hosts one cluster", async (world) => {
      const { output } = must(await world.firstUp());
      expect(output).not.toMatch(/warning|error/i);
      await awaitHealthy(world.lab, HOSTS);
      expect(await roles(world.lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
      await rowArrives(world.lab, primary, ["pg2", "pg3"], { database: "app" });
      await world.save();
    });

    test("repmgr itself finds nothing wrong, from every node", async ({ lab }) => {
      for (const host of HOSTS) {
        const repmgr = "repmgr -f /etc/repmgr/main/repmgr.conf";
        const show = await sh(lab, host, `${repmgr} cluster show`, "postgres");
        expect(show.match(/\| \* running|\|   running/g)).toHaveLength(3);
        expect(await sh(lab, host, `${repmgr} node check`, "postgres")).not.toMatch(/CRITICAL|WARNING|UNKNOWN/);
        const actions = await sh(lab, host, `${repmgr} node service --list-actions`, "postgres");
        expect(actions).toMatch(/ start: "\/usr\/bin\/sudo \/usr\/bin\/systemctl start postgresql-main"/);
      }
    });

    test("every standby has its slot in use; pages have checksums; passwords are SCRAM", async ({ lab }) => {
      const slots = "select string_agg(slot_name || ' ' || active, ', ' order by slot_name) from pg_replication_slots";
      expect(await sql(lab, primary, slots)).toBe("repmgr_slot_2 true, repmgr_slot_3 true");
      const verifiers =
        "select string_agg(rolname, ',' order by rolname) from pg_authid where rolpassword like 'SCRAM-SHA-256$%'";
      expect(await sql(lab, primary, verifiers)).toBe("app,repmgr");
      expect(
        await sql(lab, primary, "select count(*) from pg_authid where rolpassword not like 'SCRAM-SHA-256$%'"),
      ).toBe("0");
      for (const host of HOSTS) expect(await sql(lab, host, "show data_checksums")).toBe("on");
    });

    test("only the cluster's own units run, and they start with the host", async ({ lab }) => {
      for (const host of HOSTS) {
        const running =
          "systemctl list-units --plain --no-legend --state=running 'postgresql*' 'repmgr*' | awk '{print $1}'";
        expect((await sh(lab, host, running)).split("\n").sort()).toEqual(UNITS);
        expect(await sh(lab, host, `systemctl is-enabled ${UNITS.join(" ")}`)).toBe("enabled\nenabled");
        expect(await sh(lab, host, "ls /etc/postgresql/17 2>/dev/null || true")).toBe("");
        expect(await sh(lab, host, `pgrep -c -x -u postgres -f '${BIN}/postgres -D ${DATA}'`)).toBe("1");
      }
    });

    test("sudo lets postgres do exactly what repmgr needs", async ({ lab }) => {
      for (const host of HOSTS) {
        await sh(lab, host, "visudo -c");
        const allowed = await sh(lab, host, "sudo -l -U postgres");
        const commands = allowed.split("\n").flatMap((line) => /\(root\) NOPASSWD: (.*)$/.exec(line)?.[1] ?? []);
        expect(commands.sort()).toEqual(
          [
            ...["reload", "restart", "start", "stop"].map((verb) => `/usr/bin/systemctl ${verb} postgresql-main`),
            ...["start", "stop"].map((verb) => `/usr/bin/systemctl ${verb} repmgrd-main`),
          ].sort(),
        );
        const refused = await lab.exec(host, "sudo -n /usr/bin/systemctl stop sshd", { user: "postgres" });
        expect(refused.code).not.toBe(0);
      }
    });

    test("the firewall lets peers and declared clients in, and nobody else", async (world) => {
      const { address } = world.lab.host("pg1");
      const knock = `timeout 3 bash -c '</dev/tcp/${address}/5432'`;
      expect((await world.lab.exec("pg2", knock)).code).toBe(0);
      expect((await world.lab.exec(OUTSIDER, knock)).code).not.toBe(0);
      const env = { ...process.env, PGPASSFILE: world.passFile() };
      const asked = await run(
        ["psql", "-XAtc", "select current_user", `${await world.connection()}&connect_timeout=5`],
        { env },
      );
      expect(asked).toMatchObject({ code: 0, stdout: "app\n" });
    });

    test("a second up has nothing to do, and nothing on a host is touched", async (world) => {
      const before = world.stack.actions().length;
      for (const host of HOSTS) await sh(world.lab, host, "touch /run/before");
      const { output } = must(await world.up());
      expect(output).toMatch(/Resources:\n\s+\d+ unchanged\n/);
      expect(world.stack.actions().slice(before)).toEqual([]);
      for (const host of HOSTS) {
        // Beside its database rpm makes files for each reader.
        const packages = "/var/lib/dpkg /var/lib/apt /var/lib/rpm/rpmdb.sqlite /var/lib/dnf";
        const touched = `find /etc /usr /home /root $(ls -d ${packages} 2>/dev/null) -xdev -cnewer /run/before
find ${DATA} -xdev -cnewer /run/before \\( -name '*.conf' -o -name '*.signal' \\)`;
        expect(await sh(world.lab, host, touched)).toBe("");
      }
    });

    test("a plain preview looks at every host, over one connection each, and shows no change", async (world) => {
      const before = await Promise.all(HOSTS.map((host) => logins(world, host)));
      const { output } = must(await world.preview(["--expect-no-changes"]));
      expect(output).toMatch(/Resources:\n\s+\d+ unchanged\n/);
      const after = await Promise.all(HOSTS.map((host) => logins(world, host)));
      expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 1]);
    });

    test("the log of actions says of every change where and why", async (world) => {
      const actions = world.stack.actions();
      expect(actions.length).toBeGreaterThan(20);
      for (const { host, why, resource } of actions) {
        expect(HOSTS).toContain(host);
        expect(why.length).toBeGreaterThan(10);
        expect(resource).toMatch(/^\w+ \S+/);
      }
      expect(readFileSync(world.pulumiLog, "utf8")).toMatch(/primary\s*: "n1"/);
    });
  },
);
