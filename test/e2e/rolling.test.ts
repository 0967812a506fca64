import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { seconds } from "./support/deadlines";
import { setting } from "./support/incident";
import { PACKAGE_VERSION, serverVersion } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWrites, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { consequencesOf } from "./support/previewSteps";
import { RunningUp } from "./support/running";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** What the issue allows for three nodes in total, on a machine of its own. */
const ROLLING_GAP_MS = seconds(5);

suite(
  "rolling restart",
  () => World.deployed(),
  ({ test }) => {
    let writer: Writer;
    const writes = (): Promise<void> => awaitWrites(writer);
    const isWhole = async ({ lab }: World, primary: string): Promise<void> => {
      const others = HOSTS.filter((host) => host !== primary);
      const standbys = Object.fromEntries(others.map((host) => [host, "standby"]));
      expect(await roles(lab, HOSTS)).toEqual({ ...standbys, [primary]: "primary" });
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, primary, others, { database: "app" });
      for (const host of HOSTS) {
        expect(await sql(lab, host, "select repmgr.repmgrd_is_paused()", { database: "repmgr" })).toBe("f");
      }
      const found = (await sql(lab, primary, "select id from tick", { database: "app" })).split("\n").map(Number);
      const known = new Set(found);
      const before = writer.acknowledged.filter(({ at }) => at < Date.now() - 2_000);
      expect(before.filter(({ id }) => !known.has(id))).toEqual([]);
    };

    afterAll(() => writer.stop());

    test("the preview tells the order; up keeps the application waiting for less than five seconds in all", async (world) => {
      writer = new Writer(await world.connection(), world.passFile());
      writer.start();
      await writes();
      const before = await postmasters(world.lab, HOSTS);
      setting(world, "max_connections", 150);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)[0]).toBe(
        "cluster main: pg1: rolling restart of n2, n3, then switchover to n2, then n1 (because max_connections needs a restart)",
      );
      const begun = Date.now();
      must(await world.up(["--skip-preview"]));
      await writes();
      const times = [begun, ...writer.acknowledged.map(({ at }) => at).filter((at) => at >= begun)];
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
      const total = gaps.filter((gap) => gap > 500).reduce((sum, gap) => sum + gap, 0);
      process.stdout.write(`rolling restart of three: no write was acknowledged for ${total} ms in all\n`);
      expect(total).toBeLessThan(ROLLING_GAP_MS);
      for (const host of HOSTS) expect(await sql(world.lab, host, "show max_connections")).toBe("150");
      const after = await postmasters(world.lab, HOSTS);
      after.forEach((start, index) => expect(start).not.toBe(before[index]));
      await isWhole(world, "pg2");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a minor release that the inventory does not name restarts nobody; one that it names restarts node by node", async (world) => {
      const { lab } = world;
      const version = await sh(lab, "pg1", PACKAGE_VERSION);
      expect(await sql(lab, "pg1", "show server_version")).toContain(serverVersion(version));
      world.edit(({ postgresql_clusters: { main } }) => Object.assign(main ?? {}, { package_version: version }));
      const starts = await postmasters(lab, HOSTS);
      must(await world.up(["--skip-preview"]));
      // What runs is what is named already.
      expect(await postmasters(lab, HOSTS)).toEqual(starts);
      await isWhole(world, "pg2");
    });

    test("a unit that is put right restarts its node, where the inventory asks for that", async (world) => {
      const { lab } = world;
      world.edit(({ postgresql_clusters: { main } }) => Object.assign(main ?? {}, { rolling: { unit_changes: true } }));
      const before = await postmasters(lab, HOSTS);
      must(await world.up(["--skip-preview"]));
      expect(await postmasters(lab, HOSTS)).toEqual(before);
      await sh(lab, "pg3", "sed -i 's/^LimitNOFILE=.*/LimitNOFILE=4096/' /etc/systemd/system/postgresql-main.service");
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)[0]).toBe(
        "cluster main: pg2: rolling restart of n3 (because the new text of the unit needs a restart)",
      );
      must(await world.up(["--skip-preview"]));
      const after = await postmasters(lab, HOSTS);
      expect(after.map((start, index) => start === before[index])).toEqual([true, true, false]);
      await isWhole(world, "pg2");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("the primary's host loses power in the middle: it comes back, and up does the rest", async (world) => {
      const { lab } = world;
      setting(world, "max_connections", 160);
      const up = RunningUp.start(world);
      await up.reaches(/^restart the standby/, "pg1");
      await lab.poweroff("pg2");
      await up.ended;
      await lab.poweron("pg2");
      await until(
        "pg2 is reached again",
        seconds(60),
        async () => (await sh(lab, "pg2", "echo up")) === "up" || "not yet",
      );
      must(await world.up(["--skip-preview"]));
      await writes();
      for (const host of HOSTS) expect(await sql(lab, host, "show max_connections")).toBe("160");
      await isWhole(world, await awaitPrimary(lab, HOSTS));
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
