import { awaitHealthy, postmaster, role, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const DATA = "/var/lib/postgresql/17/main";

interface Row {
  /** What somebody did on a host, as an incident. */
  readonly what: string;
  readonly host: string;
  /** Shell, as root. */
  readonly how: string;
  /** The preview has to name exactly this. */
  readonly shows: RegExp;
  /** Shell that succeeds once it is as it was. */
  readonly repaired: string;
}

const psql = (query: string): string => `runuser -u postgres -- env -C / psql -XAtqc "${query}" postgres`;

const ROWS: readonly Row[] = [
  // First, while repmgr still gets through the firewall.
  {
    what: "a standby is unregistered",
    host: "pg3",
    how: "runuser -u postgres -- repmgr -f /etc/repmgr/main/repmgr.conf standby unregister",
    shows: /registration\s*: "not registered" => "registered"/,
    repaired: `[ "$(runuser -u postgres -- env -C / psql -XAtqc "select active from repmgr.nodes where node_id = 3" repmgr)" = t ]`,
  },
  {
    what: "a managed setting is edited in postgresql.conf",
    host: "pg1",
    how: `sed -i "s/^log_min_duration_statement = .*/log_min_duration_statement = '7s'/" ${DATA}/postgresql.conf`,
    shows: /log_min_duration_statement\s*: "7s" => "1s"/,
    repaired: `grep -q "log_min_duration_statement = '\\?1s" ${DATA}/postgresql.conf && [ "$(${psql("show log_min_duration_statement")})" = 1s ]`,
  },
  {
    what: "a line of pg_hba.conf is removed",
    host: "pg1",
    how: `sed -i '/^host app app /d' ${DATA}/pg_hba.conf`,
    shows: /"host app app 198\.18\.\d+\.1\/32 scram-sha-256"/,
    repaired: `grep -q '^host app app ' ${DATA}/pg_hba.conf`,
  },
  {
    what: "repmgr.conf is edited",
    host: "pg3",
    how: "sed -i 's/^priority=.*/priority=7/' /etc/repmgr/main/repmgr.conf",
    shows: /priority\s*: "7" => "100"/,
    repaired: 'grep -q "^priority=\'\\?100" /etc/repmgr/main/repmgr.conf',
  },
  {
    what: "PostgreSQL is stopped on a standby",
    host: "pg2",
    how: "systemctl stop postgresql-main",
    shows: /state\s*: "down: was standby on timeline 1[^"]*" => "attached"/,
    repaired: `[ "$(${psql("select status from pg_stat_wal_receiver")})" = streaming ]`,
  },
  {
    what: "repmgrd is stopped",
    host: "pg3",
    how: "systemctl stop repmgrd-main",
    shows: /running\s*: false => true/,
    repaired: "systemctl is-active repmgrd-main && test -s /run/repmgrd-main/repmgrd.pid",
  },
  {
    what: "a rule of the firewall is removed until its next restart",
    host: "pg1",
    how: `firewall-cmd -q --remove-rich-rule="$(firewall-cmd --list-rich-rules | grep -F .13/32)"`,
    shows: /permanentOnly[^]*"198\.18\.\d+\.13\/32"/,
    repaired: "firewall-cmd --list-rich-rules | grep -qF .13/32",
  },
  {
    what: "a rule of the firewall is added besides",
    host: "pg3",
    how: `firewall-cmd -q --add-rich-rule='rule family="ipv4" source address="203.0.113.0/24" port port="5432" protocol="tcp" accept'`,
    shows: /runtimeOnly[^]*"203\.0\.113\.0\/24"/,
    repaired: "! firewall-cmd --list-rich-rules | grep -qF 203.0.113",
  },
  {
    what: "a unit file is edited",
    host: "pg1",
    how: "sed -i 's/^TimeoutStopSec=.*/TimeoutStopSec=1/' /etc/systemd/system/postgresql-main.service && systemctl daemon-reload",
    shows: /TimeoutStopSec=1\b[^]*TimeoutStopSec=300/,
    repaired:
      "grep -qx TimeoutStopSec=300 /etc/systemd/system/postgresql-main.service && [ $(systemctl show -p NeedDaemonReload --value postgresql-main) = no ]",
  },
  {
    what: "a role is given a right",
    host: "pg1",
    how: psql("alter role app createdb"),
    shows: /content\s*: "alter role app \(nocreatedb\)" => "as wanted"/,
    repaired: `[ "$(${psql("select rolcreatedb from pg_roles where rolname = 'app'")})" = f ]`,
  },
  {
    what: "the sudoers file allows more",
    host: "pg2",
    how: "chmod u+w /etc/sudoers.d/repmgr-main && echo 'postgres ALL=(root) NOPASSWD: ALL' >>/etc/sudoers.d/repmgr-main && chmod u-w /etc/sudoers.d/repmgr-main",
    shows: /sudoCommands[^]*"ALL"/,
    repaired: "! sudo -l -U postgres | grep -q 'NOPASSWD: ALL'",
  },
];

const PERSONS_OWN = "work_mem = '5MB'\n";

suite(
  "drift",
  () => World.deployed(),
  ({ test }) => {
    let preview = "";
    let before: string[] = [];

    test("what was done by hand is done", async ({ lab }) => {
      before = await Promise.all(["pg1", "pg3"].map((host) => postmaster(lab, host)));
      await sh(
        lab,
        "pg1",
        `printf %s "${PERSONS_OWN}" >${DATA}/conf.d/mine.conf && chown postgres: ${DATA}/conf.d/mine.conf`,
      );
      await sql(lab, "pg1", "select pg_reload_conf()");
      for (const { host, how } of ROWS) await sh(lab, host, how);
      for (const { what, host, repaired } of ROWS) {
        expect([what, (await lab.exec(host, repaired)).code === 0]).toEqual([what, false]);
      }
    });

    test("a plain preview runs and changes nothing", async (world) => {
      const logged = world.stack.actions().length;
      preview = must(await world.preview()).output;
      expect(world.stack.actions()).toHaveLength(logged);
    });

    for (const { what, shows } of ROWS) {
      test(`the preview shows that ${what}`, () => {
        expect(preview).toMatch(shows);
        return Promise.resolve();
      });
    }

    test("the preview says nothing of a person's own settings in conf.d", () => {
      expect(preview).not.toMatch(/work_mem|mine\.conf/);
      return Promise.resolve();
    });

    test("up repairs it", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
    });

    for (const { what, host, repaired } of ROWS) {
      test(`it is undone that ${what}`, async ({ lab }) => {
        const { code, stdout, stderr } = await lab.exec(host, repaired);
        expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
      });
    }

    test("nothing else was touched: no restart, no failover, the person's settings count", async ({ lab }) => {
      expect(await Promise.all(["pg1", "pg3"].map((host) => postmaster(lab, host)))).toEqual(before);
      expect(await role(lab, "pg1")).toBe("primary");
      expect(await sql(lab, "pg1", "show work_mem")).toBe("5MB");
      expect(await sh(lab, "pg1", `cat ${DATA}/conf.d/mine.conf`)).toBe(PERSONS_OWN.trim());
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
    });

    test("the next preview is clean", async (world) => {
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
