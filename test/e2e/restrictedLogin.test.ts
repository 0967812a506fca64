import type { DriftReport } from "../../scripts/driftReport";
import { run } from "./support/command";
import { seconds } from "./support/deadlines";
import { setting } from "./support/incident";
import type { InventoryFile } from "./support/inventory";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, roles, rowArrives, sh, sql } from "./support/oracle";
import { consequencesOf } from "./support/previewSteps";
import { ROTATED } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";
import { until } from "../../lab/wait";

const LOGIN = "deploy";
/** The one line of sudoers that root gives the login. */
const SUDOERS = `${LOGIN} ALL=(postgres) NOPASSWD: ALL`;
const UNIT = "/etc/systemd/system/repmgrd-main.service";
const ALLOWED = [
  ...["start", "stop", "restart", "reload"].map((verb) => `/usr/bin/systemctl ${verb} postgresql-main`),
  ...["start", "stop"].map((verb) => `/usr/bin/systemctl ${verb} repmgrd-main`),
];

interface Main {
  hba?: unknown[];
  roles: Record<string, object>;
  monitoring?: object;
}
const main = (inventory: InventoryFile): Main => inventory.postgresql_clusters.main as unknown as Main;

/** As admin and ops the hosts are prepared; from then on nobody but deploy logs in. */
function logInAs(world: World, who: "root" | "postgres", full: InventoryFile["hosts"]): void {
  world.edit((inventory) => {
    for (const host of HOSTS)
      inventory.hosts[host] =
        who === "root" ? (full[host] ?? {}) : { address: full[host]?.address, ssh: { user: LOGIN, sudo: "postgres" } };
  });
}

async function makeLogin({ lab }: World, host: string): Promise<void> {
  await sh(
    lab,
    host,
    `useradd --create-home --shell /bin/bash ${LOGIN} && cp -r ~admin/.ssh ~${LOGIN}/ && chown -R ${LOGIN}: ~${LOGIN}/.ssh &&
echo '${SUDOERS}' >/etc/sudoers.d/${LOGIN} && chmod 440 /etc/sudoers.d/${LOGIN} && visudo -cq`,
  );
}

suite(
  "a login that may become postgres only",
  () => World.deployed(),
  ({ test }) => {
    let full: InventoryFile["hosts"];
    let since = "";
    const isWhole = async ({ lab }: World): Promise<string> => {
      const primary = await awaitPrimary(lab, HOSTS);
      await awaitHealthy(lab, HOSTS);
      await rowArrives(
        lab,
        primary,
        HOSTS.filter((host) => host !== primary),
        { database: "app" },
      );
      return primary;
    };
    const drift = async (world: World): Promise<{ code: number; report: DriftReport }> => {
      const { code, stdout } = await run(world, "drift", "--json");
      return { code, report: JSON.parse(stdout) as DriftReport };
    };

    test("the login can become postgres and not root", async (world) => {
      full = structuredClone(world.inventory.hosts);
      await Promise.all(HOSTS.map((host) => makeLogin(world, host)));
      for (const host of HOSTS) {
        const as = async (command: string): Promise<number> =>
          (await world.lab.exec(host, command, { user: LOGIN })).code;
        expect(await as("sudo -n true")).not.toBe(0);
        expect(await as("sudo -n -u postgres true")).toBe(0);
        expect(await sh(world.lab, host, "stat -c '%U:%G %a' /etc/repmgr/main")).toBe("root:postgres 1775");
      }
      since = await sh(world.lab, "pg1", "date '+%F %T'");
    });

    test("a preview with it is no change, and names what it has not looked at", async (world) => {
      logInAs(world, "postgres", full);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)).toEqual([
        "cluster main: nothing to do; n1 is primary on timeline 1",
        ...HOSTS.map(
          (host) =>
            `cluster main: ${host}: not looked at, since the login may become postgres only: the firewall; ` +
            "what else /etc/sudoers.d/repmgr-main allows, its owner and mode",
        ),
      ]);
      const { code, report } = await drift(world);
      expect([code, report.result]).toEqual([0, "clean"]);
      expect(report.unseen).toContain("pg2: the firewall");
    });

    test("a setting, one that needs a restart, a line of pg_hba.conf and a role in one up", async (world) => {
      setting(world, "log_min_duration_statement", "2s");
      setting(world, "max_connections", 120);
      world.edit((inventory) => {
        main(inventory).roles.reader = {};
        main(inventory).hba = [
          { type: "host", database: "app", user: "reader", address: "192.0.2.0/24", method: "scram-sha-256" },
        ];
      });
      must(await world.up(["--skip-preview"]));
      const primary = await isWhole(world);
      expect(primary).not.toBe("pg1");
      for (const host of HOSTS) {
        expect(await sql(world.lab, host, "show max_connections")).toBe("120");
        expect(await sql(world.lab, host, "show log_min_duration_statement")).toBe("2s");
        const rules = "select count(*) from pg_hba_file_rules where address = '192.0.2.0'";
        expect(await sql(world.lab, host, rules)).toBe("1");
      }
      expect(await sql(world.lab, primary, "select rolcanlogin from pg_roles where rolname = 'reader'")).toBe("t");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("repmgr's password changes", async (world) => {
      await world.stack.setSecret("main_repmgr_password", ROTATED.main_repmgr_password);
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) {
        const file = "stat -c '%U %a' /etc/repmgr/main/pgpass; grep -c Goldammer /etc/repmgr/main/pgpass";
        expect(await sh(world.lab, host, file)).toMatch(/^postgres 600\n[1-9]/);
      }
      await isWhole(world);
    });

    test("the primary dies, another is promoted, and up brings the old one back", async (world) => {
      const old = await awaitPrimary(world.lab, HOSTS);
      await sh(world.lab, old, `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      const primary = await awaitPrimary(
        world.lab,
        HOSTS.filter((host) => host !== old),
      );
      must(await world.up(["--skip-preview"]));
      expect(await isWhole(world)).toBe(primary);
      expect((await roles(world.lab, HOSTS))[old]).toBe("standby");
    });

    test("a standby that has lost its data is cloned, and one that was stopped runs again", async (world) => {
      const primary = await awaitPrimary(world.lab, HOSTS);
      const [lost, stopped] = HOSTS.filter((host) => host !== primary) as [string, string];
      await sh(world.lab, lost, `systemctl stop repmgrd-main postgresql-main; rm -rf ${DATA}`);
      await sh(world.lab, stopped, "systemctl stop repmgrd-main postgresql-main");
      must(await world.up(["--skip-preview"]));
      expect(await isWhole(world)).toBe(primary);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a planned switchover", async (world) => {
      const [to] = HOSTS.filter((host) => host !== "pg1");
      const from = await awaitPrimary(world.lab, HOSTS);
      const heir = from === to ? "pg1" : (to ?? "");
      must(await run(world, "switchover", "main", heir.replace("pg", "n"), "--yes"));
      expect(await isWhole(world)).toBe(heir);
    });

    test("a unit that root has changed is shown and left, and hinders nothing else", async (world) => {
      await sh(world.lab, "pg2", `echo '# by hand' >>${UNIT} && systemctl daemon-reload`);
      await sh(world.lab, "pg3", "sed -i '/restart postgresql-main/d' /etc/sudoers.d/repmgr-main");
      setting(world, "log_min_duration_statement", "3s");
      const { stdout } = must(await world.preview(["--json"]));
      const lines = consequencesOf(stdout).join("\n");
      expect(lines).toMatch(
        /refused: pg2: this needs root, and the login may become postgres only: repmgrd-main.service has another text.*"sudo: nopasswd".*for pg2/,
      );
      expect(lines).toMatch(/refused: pg3: this needs root.*with 6 exact commands/);
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) {
        await until("the setting is there", seconds(10), async () => {
          const seen = await sql(world.lab, host, "show log_min_duration_statement");
          return seen === "3s" || seen;
        });
      }
      expect(await sh(world.lab, "pg2", `tail -n 1 ${UNIT}`)).toBe("# by hand");
      const { code, report } = await drift(world);
      expect([code, report.result]).toEqual([2, "drift"]);
      const ids = report.clusters.flatMap(({ resources }) => resources.map(({ id }) => id));
      expect(ids.sort()).toEqual(["pg2/repmgrd-main.service", "pg3/main"]);
    });

    test("what the inventory asks of root is refused as a whole, before anything is done", async (world) => {
      const before = world.stack.actions().length;
      setting(world, "log_min_duration_statement", "4s");
      world.edit((inventory) => (main(inventory).monitoring = {}));
      const { code, output } = await world.up();
      expect(code).not.toBe(0);
      for (const host of HOSTS)
        expect(output).toMatch(new RegExp(`refused: ${host}: this needs root.*check.*for ${host}`));
      expect(world.stack.actions()).toHaveLength(before);
      expect(await sql(world.lab, "pg1", "show log_min_duration_statement")).toBe("3s");
    });

    test("nothing of all this ran as root but the commands of the sudoers file", async ({ lab }) => {
      const ran: string[] = [];
      for (const host of HOSTS) {
        const journal = await sh(lab, host, `journalctl --no-pager -q -o cat -t sudo --since '${since}'`);
        const seen = journal.split("\n").flatMap((line) => {
          const [, by, as, command = ""] = /^\s*(\w+) : .*USER=(\w+) ; .*?COMMAND=(.*)$/.exec(line) ?? [];
          return by === undefined ? [] : [{ by, as, command }];
        });
        const ofLogin = seen.filter(({ by }) => by === LOGIN);
        expect(ofLogin.length).toBeGreaterThan(10);
        expect(ofLogin.filter(({ as }) => as !== "postgres")).toEqual([]);
        ran.push(...seen.flatMap(({ as, command }) => (as === "root" ? [command] : [])));
      }
      expect(ran.filter((command) => !ALLOWED.includes(command))).toEqual([]);
      const verbs = ["start postgresql-main", "stop postgresql-main", "restart postgresql-main", "start repmgrd-main"];
      expect(ran).toEqual(expect.arrayContaining(verbs.map((words) => `/usr/bin/systemctl ${words}`)));
    });

    test("with full rights up does what was left", async (world) => {
      logInAs(world, "root", full);
      must(await world.up(["--skip-preview"]));
      expect(await sh(world.lab, "pg2", `tail -n 1 ${UNIT}`)).not.toBe("# by hand");
      logInAs(world, "postgres", full);
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
