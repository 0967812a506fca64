import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { run } from "./support/command";
import { seconds } from "./support/deadlines";
import type { InventoryFile } from "./support/inventory";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWrites, roles, rowArrives, sh, sql } from "./support/oracle";
import { consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** What the issue allows, on a machine of its own. */
const SWITCHOVER_GAP_MS = seconds(3);

interface Main {
  preferred_primary?: string;
}
const main = (inventory: InventoryFile): Main => inventory.postgresql_clusters.main as unknown as Main;

suite(
  "switchover",
  () => World.deployed(),
  ({ test }) => {
    let writer: Writer;
    const writes = (): Promise<void> => awaitWrites(writer);
    /** Each acknowledged row is on every node. */
    const nothingIsLost = async ({ lab }: World): Promise<void> => {
      // The application goes on writing while the nodes are asked.
      const acknowledged = [...writer.acknowledged];
      const last = acknowledged.at(-1)?.id ?? 0;
      for (const host of HOSTS) {
        await until(`row ${last} is on ${host}`, seconds(30), async () => {
          const found = Number(await sql(lab, host, "select max(id) from tick", { database: "app" }));
          return found >= last || `newest there: ${found}`;
        });
        const kept = (await sql(lab, host, "select id from tick", { database: "app" })).split("\n").map(Number);
        const known = new Set(kept);
        expect(acknowledged.filter(({ id }) => !known.has(id))).toEqual([]);
      }
    };
    const expectPrimary = async ({ lab }: World, primary: string): Promise<void> => {
      const others = HOSTS.filter((host) => host !== primary);
      expect(await roles(lab, HOSTS)).toEqual({
        ...Object.fromEntries(others.map((host) => [host, "standby"])),
        [primary]: "primary",
      });
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, primary, others, { database: "app" });
      for (const host of HOSTS) {
        expect(await sql(lab, host, "select repmgr.repmgrd_is_paused()", { database: "repmgr" })).toBe("f");
      }
      const inactive = "select count(*) from pg_replication_slots where not active";
      for (const host of HOSTS) expect(await sql(lab, host, inactive)).toBe("0");
      const id = primary.replace("pg", "");
      for (const host of others) {
        await until(`repmgrd on ${host} watches ${primary}`, seconds(30), async () => {
          const watched = await sql(lab, host, "select repmgr.get_upstream_node_id()", { database: "repmgr" });
          return watched === id || `it watches node ${watched}`;
        });
      }
    };

    afterAll(() => writer.stop());

    test("the wish is told by the preview, and nothing happens yet", async (world) => {
      writer = new Writer(await world.connection(), world.passFile());
      writer.start();
      await writes();
      world.edit((inventory) => (main(inventory).preferred_primary = "n2"));
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)).toEqual(["cluster main: pg1: switchover to n2 (because preferred_primary)"]);
      expect((await roles(world.lab, HOSTS)).pg1).toBe("primary");
    });

    test("a transaction that runs for long shuts the gate, and the preview says so", async (world) => {
      const { lab } = world;
      const old = "begin; create temporary table t (); select pg_sleep(600)";
      void sql(lab, "pg1", `set application_name = 'old'; ${old}`).catch(() => undefined);
      await until("a transaction is old", seconds(90), async () => {
        const age =
          "select extract(epoch from now() - min(xact_start)) from pg_stat_activity where application_name = 'old'";
        const found = Number(await sql(lab, "pg1", age));
        return found > 61 || `${found} s`;
      });
      const refused = await run(world, "switchover", "main", "n2", "--yes");
      expect(refused.code).toBe(2);
      expect(refused.output).toMatch(/no switchover to n2: a transaction on n1 is \d+ s old, 60 s at most are allowed/);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)).toEqual([
        expect.stringContaining("refused: cluster main: no switchover to n2: a transaction"),
      ]);
      await sql(lab, "pg1", "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'old'");
      expect((await roles(lab, HOSTS)).pg1).toBe("primary");
    });

    test("up fulfils the wish; the application is kept waiting for less than three seconds, and no row is lost", async (world) => {
      const begun = Date.now();
      must(await world.up(["--skip-preview"]));
      await writes();
      const gap = writer.longestGapMs(begun);
      process.stdout.write(`switchover by pulumi up: no write was acknowledged for ${gap} ms\n`);
      expect(gap).toBeLessThan(SWITCHOVER_GAP_MS);
      await expectPrimary(world, "pg2");
      await nothingIsLost(world);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("npm run switchover does the same", async (world) => {
      const begun = Date.now();
      const { code, output } = await run(world, "switchover", "main", "n3", "--yes");
      expect({ code, output }).toMatchObject({
        code: 0,
        output: expect.stringContaining("n3 is primary and n2 its standby") as string,
      });
      expect(output).toContain('"preferred_primary: n2"');
      await writes();
      const gap = writer.longestGapMs(begun);
      process.stdout.write(`npm run switchover: no write was acknowledged for ${gap} ms\n`);
      expect(gap).toBeLessThan(SWITCHOVER_GAP_MS);
      await expectPrimary(world, "pg3");
      await nothingIsLost(world);
    });

    test("a switchover that was cut before the promotion: the next up takes it back and makes it", async (world) => {
      const { lab } = world;
      // What handoverScript.ts leaves when its host loses power at the worst moment.
      const pause = "select repmgr.repmgrd_pause(true)";
      for (const host of HOSTS) await sql(lab, host, pause, { database: "repmgr" });
      const stop = "systemctl stop postgresql-main && install -o postgres -g postgres -m 0600 /dev/null";
      const { code } = await lab.exec("pg3", `${stop} ${DATA}/standby.signal`, { user: "root" });
      expect(code).toBe(0);
      must(await world.up(["--skip-preview"]));
      await writes();
      await expectPrimary(world, "pg2");
      await nothingIsLost(world);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("repmgrd fails over from the new primary as it did from the first", async ({ lab }) => {
      await sh(lab, "pg2", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      expect(["pg1", "pg3"]).toContain(await awaitPrimary(lab, ["pg1", "pg3"]));
      await writes();
    });
  },
);
