import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { seconds } from "./support/deadlines";
import { converges } from "./support/incident";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, role, rowArrives, sh, sql } from "./support/oracle";
import { changesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const CUT_MS = 60_000;
const NAMES = "ANY 1 (n1, n2, n3)";

/** Writes on a host itself, past its network: one row after the other, with the time of each acknowledgement. */
const LOCAL_WRITER = `cat >/tmp/local-writer <<'SH'
n=0
while n=$((n + 1)); do
  PGOPTIONS='-c statement_timeout=3s' psql -XAtq app -c "insert into local_tick values ($n)" 2>/dev/null && echo "$n $(date +%s.%N)" >>/tmp/local-acknowledged
  sleep 0.05
done
SH
rm -f /tmp/local-acknowledged; (setsid sh /tmp/local-writer </dev/null >/dev/null 2>&1 & echo $! >/tmp/local-writer.pid)`;

interface Write {
  readonly id: number;
  /** Seconds since 1970. */
  readonly at: number;
}

async function localWrites(world: World, host: string): Promise<Write[]> {
  const lines = (await sh(world.lab, host, "cat /tmp/local-acknowledged")).split("\n");
  return lines.map((line) => line.split(" ").map(Number)).map(([id = 0, at = 0]) => ({ id, at }));
}

function main(inventory: World["inventory"]): Record<string, unknown> {
  return inventory.postgresql_clusters.main as Record<string, unknown>;
}

suite(
  "a primary that is cut off, and synchronous replication",
  () => World.deployed(),
  ({ test }) => {
    let heir = "";
    let cutAt = 0;
    let writer: Writer | undefined;
    afterAll(() => writer?.stop());

    test("a command of one's own for events is deployed, and nothing restarts", async (world) => {
      world.edit((inventory) => {
        main(inventory).events = { command: 'echo "$REPMGR_NODE $REPMGR_EVENT $REPMGR_SUCCESS" >>/tmp/events' };
      });
      const before = await sh(world.lab, "pg1", "systemctl show -p MainPID --value postgresql-main repmgrd-main");
      must(await world.up(["--skip-preview"]));
      expect(await sh(world.lab, "pg1", "systemctl show -p MainPID --value postgresql-main repmgrd-main")).toBe(before);
    });

    test("the primary is cut off: another one takes over, and it has taken its last write before that", async (world) => {
      const { lab } = world;
      await sql(lab, "pg1", "create table local_tick (id bigint primary key)", { database: "app" });
      await sh(lab, "pg1", LOCAL_WRITER, "postgres");
      await until("rows are written on pg1", seconds(20), async () => {
        return (await localWrites(world, "pg1").catch(() => [])).length > 20 || "no 20 rows";
      });
      cutAt = Date.now();
      await lab.cut("pg1");
      heir = await awaitPrimary(lab, ["pg2", "pg3"]);
      const promotedAt = Number(await sh(lab, heir, `stat -c %.Y ${DATA}/pg_wal/00000002.history`));
      await until("PostgreSQL on pg1 has stopped", seconds(30), async () => {
        return (await role(lab, "pg1")) === "down" || "it runs";
      });
      const last = (await localWrites(world, "pg1")).at(-1)?.at ?? Infinity;
      process.stdout.write(
        `after the cut: last row acknowledged by the old primary ${(last - cutAt / 1_000).toFixed(1)} s, promotion ${(promotedAt - cutAt / 1_000).toFixed(1)} s\n`,
      );
      expect(last).toBeGreaterThan(cutAt / 1_000);
      expect(last).toBeLessThan(promotedAt);
    });

    test("the link is healed: the old primary takes no writes, and its journal says why", async (world) => {
      const { lab } = world;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, cutAt + CUT_MS - Date.now())));
      const before = (await localWrites(world, "pg1")).length;
      await lab.heal("pg1");
      await until("the hosts see each other again", seconds(30), async () => {
        return (
          (await sh(lab, "pg1", `ping -c 1 -W 1 ${lab.host(heir).address}`).then(() => true, String)) === true || "no"
        );
      });
      expect(await role(lab, "pg1")).toBe("down");
      expect(await localWrites(world, "pg1")).toHaveLength(before);
      expect(await sh(lab, "pg1", "journalctl -q -b -o cat -t repmgr-main")).toMatch(
        /no standby streams and 2 of 3 nodes do not answer.*Type: pulumi up/,
      );
      await sh(lab, "pg1", "kill -9 $(cat /tmp/local-writer.pid)");
    });

    test("the event is in the journal, and the command was called without a primary and with one", async ({ lab }) => {
      const event = "repmgrd_failover_promote";
      const node = heir.replace("pg", "n");
      expect(await sh(lab, heir, `journalctl -q -b -o cat REPMGR_CLUSTER=main REPMGR_EVENT=${event}`)).toContain(
        `${node}: ${event}`,
      );
      const events = await sh(lab, heir, "cat /tmp/events");
      expect(events).toContain(`${node} ${event} 1`);
      expect(events).toContain(`${node} repmgrd_upstream_disconnect 1`);
    });

    test("up brings the old primary back as a standby, and the next review shows nothing", (world) =>
      converges(world, [heir, ...HOSTS.filter((host) => host !== heir)]));

    test("replication becomes synchronous on all nodes", async (world) => {
      world.edit((inventory) => (main(inventory).synchronous = { mode: "any", num: 1 }));
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) expect(await sql(world.lab, host, "show synchronous_standby_names")).toBe(NAMES);
      const quorum = "select count(*) from pg_stat_replication where sync_state = 'quorum'";
      expect(await sql(world.lab, heir, quorum)).toBe("2");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("the primary loses power: no acknowledged row is lost, and its heir waits for a standby, too", async (world) => {
      const { lab } = world;
      writer = new Writer(await world.connection(), world.passFile());
      const { acknowledged } = writer;
      writer.start();
      await until(
        "the application writes",
        seconds(30),
        () => acknowledged.length > 100 || writer?.lastError || "no row",
      );
      const old = heir;
      const at = Date.now();
      await lab.poweroff(old);
      heir = await awaitPrimary(
        lab,
        HOSTS.filter((host) => host !== old),
      );
      expect(await sql(lab, heir, "show synchronous_standby_names")).toBe(NAMES);
      const rows = acknowledged.length;
      await until(
        "the application writes again",
        seconds(60),
        () => acknowledged.length > rows + 50 || writer?.lastError || "",
      );
      const gap = writer.longestGapMs(at);
      writer.stop();
      await lab.poweron(old);
      const kept = new Set((await sql(lab, heir, "select id from tick", { database: "app" })).split("\n").map(Number));
      const lost = acknowledged.filter(({ id }) => !kept.has(id));
      process.stdout.write(`rows acknowledged: ${acknowledged.length}, lost: ${lost.length}; no write for ${gap} ms\n`);
      expect(lost).toEqual([]);
      await until("sshd answers", seconds(60), () => lab.exec(old, "true").then(({ code }) => code === 0 || "no"));
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a change by hand is shown and undone", async (world) => {
      const { lab } = world;
      await sql(lab, heir, "alter system set synchronous_standby_names = ''");
      await sql(lab, heir, "select pg_reload_conf()");
      const shown = changesOf(must(await world.preview(["--json"])).stdout);
      expect(shown.map(({ resource, property, found }) => `${resource} ${property}: ${String(found)}`)).toEqual([
        `PgCluster main synchronous: ${heir.replace("pg", "n")}: not set`,
      ]);
      must(await world.up(["--skip-preview"]));
      expect(await sql(lab, heir, "show synchronous_standby_names")).toBe(NAMES);
    });

    test("with both standbys stopped commits wait and the review says so; the primary is not fenced", async (world) => {
      const { lab } = world;
      const standbys = HOSTS.filter((host) => host !== heir);
      for (const host of standbys) await sh(lab, host, "systemctl stop postgresql-main");
      const { output } = await world.preview();
      expect(output).toMatch(/0 of 1 standbys stream: every commit waits/);
      await until("the fence has looked", seconds(30), async () => {
        const said = await sh(lab, heir, "journalctl -q -b -o cat -t repmgr-main");
        return /too few to elect another primary: writes go on/.test(said) || said.slice(-300);
      });
      expect(await role(lab, heir)).toBe("primary");
      must(await world.up(["--skip-preview"]));
      await rowArrives(lab, heir, standbys, { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
