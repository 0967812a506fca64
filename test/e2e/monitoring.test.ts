import { join } from "node:path";
import { until } from "../../lab/wait";
import { projectRoot } from "../../scripts/projectRoot";
import { seconds } from "./support/deadlines";
import { leftovers } from "./support/leftovers";
import { POSTGRES_HOME } from "./support/layout";
import { awaitHealthy, postmasters, sh, sql } from "./support/oracle";
import { Prometheus, promtool } from "./support/prometheus";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const CHECK = "/etc/repmgr/main/check";
const SERVICE = "/etc/systemd/system/repmgr-check-main.service";
const METRICS = "/var/lib/prometheus/node-exporter/repmgr_main.prom";
const STAMP = `${POSTGRES_HOME}/last-backup`;
const RULES = join(projectRoot(), "monitoring", "prometheus-rules.yml");

suite(
  "a cluster that is monitored",
  () => World.deployed(),
  ({ test }) => {
    let before: string[] = [];
    const metrics = ({ lab }: World, host: string): Promise<string> => sh(lab, host, `cat ${METRICS}`);
    const starts = ({ lab }: World): Promise<string[]> => postmasters(lab, HOSTS);
    const check = async ({ lab }: World, host: string, ...names: string[]): Promise<[number, string]> => {
      const { code, stdout, stderr } = await lab.exec(host, [CHECK, ...names].join(" "));
      return [code, (stdout + stderr).trim()];
    };
    const checkNow = ({ lab }: World, host: string): Promise<string> =>
      sh(lab, host, "systemctl start repmgr-check-main.service");

    test("monitoring in the inventory brings a timer to each node; the cluster does not notice", async (world) => {
      before = await starts(world);
      // The lab's hosts are on this machine's disk, however full it is.
      const thresholds = { disk_percent: { warning: 99, critical: 100 } };
      world.edit((inventory) => {
        Object.assign(inventory.postgresql_clusters.main ?? {}, { monitoring: { backup_stamp: STAMP, thresholds } });
      });
      must(await world.up(["--skip-preview"]));
      must(await world.preview(["--expect-no-changes"]));
      expect(await starts(world)).toEqual(before);
    });

    test("the metrics appear by themselves, whole and in node_exporter's format", async (world) => {
      for (const host of HOSTS) {
        const node = host.replace("pg", "n");
        await until(`${host} has metrics`, seconds(20), async () => {
          return (await world.lab.exec(host, `test -s ${METRICS}`)).code === 0 || "none yet";
        });
        const text = await metrics(world, host);
        expect(text).toMatch(
          new RegExp(`^repmgr_primary\\{cluster="main",node="${node}"\\} ${host === "pg1" ? 1 : 0}$`, "m"),
        );
        expect(text).toMatch(/^repmgr_check_status\{cluster="main",node="n\d",check="up"\} 0$/m);
        expect(await sh(world.lab, host, `stat -c '%a %U' ${METRICS}; ls -A ${METRICS.replace(/\/[^/]*$/, "")}`)).toBe(
          "644 root\nrepmgr_main.prom",
        );
      }
      const first = await metrics(world, "pg2");
      expect(first).toMatch(/^repmgr_replication_streaming\{[^}]*\} 1$/m);
      await until(
        "they are written anew",
        seconds(60),
        async () => (await metrics(world, "pg2")) !== first || "not yet",
      );
    });

    test("the same script is a check for Nagios, as root and as postgres", async (world) => {
      expect(await check(world, "pg1")).toEqual([
        2,
        expect.stringMatching(/^CRITICAL: main n1 \(primary\): backup: none is known of/),
      ]);
      await sh(world.lab, "pg1", `touch ${STAMP}`);
      for (const host of HOSTS)
        expect(await check(world, host)).toEqual([0, expect.stringMatching(/^OK: main n\d \((primary|standby)\): /)]);
      expect(await sh(world.lab, "pg2", `${CHECK} lag repmgrd`, "postgres")).toMatch(
        /^OK: main n2 \(standby\): lag: \d+ s behind; repmgrd: runs$/,
      );
    });

    test("a standby that is stopped shows on its own host, and on the primary by its slot", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", "systemctl stop postgresql-main");
      expect(await check(world, "pg3")).toEqual([
        2,
        expect.stringMatching(/^CRITICAL: main n3: up: PostgreSQL does not answer: connection to server on socket/),
      ]);
      await until("the primary misses it", seconds(30), async () => {
        const [code, said] = await check(world, "pg1", "slots");
        return (code === 1 && /^WARNING: main n1 \(primary\): slots: nobody reads repmgr_slot_3$/.test(said)) || said;
      });
      for (const host of ["pg1", "pg3"]) await checkNow(world, host);
      expect(await metrics(world, "pg3")).toMatch(/^repmgr_up\{[^}]*\} 0$/m);
      const primary = await metrics(world, "pg1");
      expect(primary).toMatch(/^repmgr_slot_active\{[^}]*slot="repmgr_slot_3"\} 0$/m);
      expect(primary).not.toMatch(/^repmgr_standby_lag_bytes\{[^}]*standby="n3"\}/m);
    });

    test("one whose replay is held up is behind; one whose repmgrd is paused says so", async (world) => {
      const { lab } = world;
      await sql(lab, "pg2", "select pg_wal_replay_pause()");
      await sql(lab, "pg1", "create table lagging ()");
      await until("the check counts it", seconds(30), async () => {
        await checkNow(world, "pg2");
        const seen = /^repmgr_replication_lag_seconds\{[^}]*\} (\d+)$/m.exec(await metrics(world, "pg2"))?.[1];
        return Number(seen) > 0 || `${seen} s behind`;
      });
      await sql(lab, "pg2", "select pg_wal_replay_resume()");
      await sql(lab, "pg2", "select repmgr.repmgrd_pause(true)", { database: "repmgr" });
      expect(await check(world, "pg2", "repmgrd")).toEqual([
        1,
        expect.stringMatching(/it is paused: nobody fails over$/),
      ]);
    });

    test("Prometheus itself loads the alerts, and reads what the hosts wrote", async (world) => {
      await promtool(["check", "rules", RULES]);
      await promtool(["test", "rules", RULES.replace(/\.yml$/, ".test.yml")]);
      const texts = await Promise.all(HOSTS.map(async (host) => [host, await metrics(world, host)] as const));
      for (const [host, text] of texts) {
        expect([host, await promtool(["check", "metrics"], `${text}\n`)]).toEqual([host, ""]);
      }
      const prometheus = await Prometheus.start(
        RULES,
        Object.fromEntries(texts.map(([host, text]) => [host, `${text}\n`])),
      );
      try {
        const up = await prometheus.query("repmgr_up", 3);
        expect(up.map(({ metric, value }) => `${metric.node ?? ""} ${value}`).sort()).toEqual(["n1 1", "n2 1", "n3 0"]);
        const bad = await prometheus.query('repmgr_check_status{check="slots"} == 1', 1);
        expect(bad[0]?.metric).toMatchObject({ cluster: "main", node: "n1", check: "slots" });
        expect(await prometheus.alerts()).toEqual(
          expect.arrayContaining(["RepmgrNodeDown", "RepmgrTwoPrimaries", "RepmgrCheckStale"]),
        );
      } finally {
        await prometheus.stop();
      }
    });

    test("what is changed by hand is drift, and up repairs it", async (world) => {
      const { lab } = world;
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      await sh(lab, "pg1", `sed -i 's/^now=.*/now=0/' ${CHECK}`);
      await sh(lab, "pg2", `sed -i 's/^Nice=.*/Nice=0/' ${SERVICE}`);
      await sh(lab, "pg3", "systemctl stop repmgr-check-main.timer");
      const { output } = must(await world.preview());
      for (const host of HOSTS) expect(output).toContain(`[id=${host}/repmgr-check-main.timer]`);
      expect(output).toMatch(/^\s*cluster main: nobody notices: pg1: \/etc\/repmgr\/main\/check, which /m);
      expect(output).toContain("pg3: repmgr-check-main.timer has to run; it is stopped");
      must(await world.up(["--skip-preview"]));
      must(await world.preview(["--expect-no-changes"]));
      expect(await sh(lab, "pg2", "systemctl show -P Nice repmgr-check-main.service")).toBe("10");
      await sh(lab, "pg3", "systemctl is-active repmgr-check-main.timer");
      expect((await check(world, "pg1"))[0]).toBe(0);
    });

    test("it goes with the cluster, metrics included", async (world) => {
      must(await world.destroy());
      for (const host of HOSTS) {
        expect(await sh(world.lab, host, `${leftovers("main", 5432)}; ls -A ${METRICS.replace(/\/[^/]*$/, "")}`)).toBe(
          "",
        );
        expect(await sh(world.lab, host, "systemctl list-units --all --plain --no-legend 'repmgr-check*'")).toBe("");
      }
    });
  },
);
