import type { ClusterStatus } from "../../scripts/clusterStatus";
import { run } from "./support/command";
import { seconds } from "./support/deadlines";
import { DATA } from "./support/layout";
import { awaitPrimary, role, rowArrives, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** What the issue asks of the rejoin of a small cluster. */
const REJOIN_MS = 20_000;

async function statusOf(world: World): Promise<{ code: number; cluster: ClusterStatus }> {
  const { code, stdout } = await run(world, "status", "--json");
  const [cluster] = JSON.parse(stdout) as [ClusterStatus];
  return { code, cluster };
}

suite(
  "commands",
  () => World.deployed(),
  ({ test }) => {
    let heir = "";

    test("status of a healthy cluster: exit status 0", async (world) => {
      const { code, cluster } = await statusOf(world);
      expect({ code, ...cluster }).toMatchObject({ code: 0, cluster: "main", primary: "n1", problems: [] });
      expect(cluster.nodes.map(({ node, role: is, slot, repmgrd }) => [node, is, slot, repmgrd])).toEqual([
        ["n1", "primary", "", "running"],
        ["n2", "standby", "active", "running"],
        ["n3", "standby", "active", "running"],
      ]);
      const { output } = await run(world, "status", "main");
      expect(output).toMatch(/^cluster main, \S+: n1 is primary; healthy\n {2}node +host +role +timeline/);
    });

    test("pause and unpause reach every node, and status tells", async (world) => {
      const paused = (): Promise<string[]> =>
        Promise.all(
          HOSTS.map((host) => sql(world.lab, host, "select repmgr.repmgrd_is_paused()", { database: "repmgr" })),
        );
      expect((await run(world, "pause", "main")).code).toBe(0);
      expect(await paused()).toEqual(["t", "t", "t"]);
      const { code, cluster } = await statusOf(world);
      expect(code).toBe(2);
      expect(cluster.nodes.map(({ repmgrd }) => repmgrd)).toEqual(["paused", "paused", "paused"]);
      expect((await run(world, "unpause", "main")).code).toBe(0);
      expect(await paused()).toEqual(["f", "f", "f"]);
      const again = await run(world, "unpause", "main");
      expect(again).toMatchObject({ code: 0, output: "cluster main: repmgrd is unpaused on n1, n2, n3\n" });
    });

    test("what cannot be meant is refused with the next thing to type", async (world) => {
      expect(await run(world, "status", "mian")).toMatchObject({
        code: 1,
        output: "status: the inventory has no cluster mian; its clusters are main\n",
      });
      expect((await run(world, "rejoin", "main", "n9")).output).toMatch(/no node n9; its nodes are n1, n2, n3/);
      const primary = await run(world, "rejoin", "main", "n1", "--yes");
      expect(primary.code).toBe(2);
      expect(primary.output).toMatch(/n1 is primary, there is nothing to come back to/);
      expect(await run(world, "rejoin", "main", "n2")).toMatchObject({
        code: 0,
        output: "nothing to do: n2 is whole, and n1 is primary\n",
      });
    });

    test("after a failover status says what is wrong, and rejoin first says what it will do", async (world) => {
      const { lab } = world;
      await sh(lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      heir = await awaitPrimary(lab, ["pg2", "pg3"]);
      const { code, cluster } = await statusOf(world);
      expect(code).toBe(2);
      expect(cluster.primary).toBe(heir.replace("pg", "n"));
      expect(cluster.problems.join("\n")).toMatch(/n1 is down: was primary on timeline 1/);
      const asked = await run(world, "rejoin", "main", "n1");
      expect(asked.code).toBe(2);
      expect(asked.output).toMatch(
        /pg1: n1 was primary on timeline 1[^]*rejoin it as a standby[^]*nothing was changed/,
      );
      expect(await role(lab, "pg1")).toBe("down");
    });

    test("rejoin brings the node back, and nothing is left for up", async (world) => {
      const begun = Date.now();
      const { code, output } = await run(world, "rejoin", "main", "n1", "--yes");
      const took = Date.now() - begun;
      process.stdout.write(`npm run rejoin took ${took} ms\n`);
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toMatch(/n1 is back under n[23] after \d+\.\d s\n$/);
      expect(took).toBeLessThan(REJOIN_MS * (seconds(1) / 1_000));
      await rowArrives(world.lab, heir, ["pg1"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("rejoin of a standby whose PGDATA is gone clones it", async (world) => {
      const standby = heir === "pg2" ? "pg3" : "pg2";
      await sh(world.lab, standby, `systemctl kill -s KILL postgresql-main; rm -rf ${DATA}`);
      const { code, output } = await run(world, "rejoin", "main", standby.replace("pg", "n"), "--yes");
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toMatch(/clone n[23] from n[23], which is the primary now/);
      await rowArrives(world.lab, heir, [standby], { database: "app" });
      expect((await statusOf(world)).code).toBe(0);
    });

    test("a host that is off is shown as that, and the others are shown", async (world) => {
      await world.lab.poweroff("pg1");
      const { code, cluster } = await statusOf(world);
      expect(code).toBe(2);
      expect(cluster.nodes.map(({ role: is }) => is).sort()).toEqual(["primary", "standby", "unreachable"]);
      const paused = await run(world, "pause", "main");
      expect(paused.code).toBe(2);
      expect(paused.output).toMatch(/pg1: n1 does not answer SQL and was not told; type "npm run pause -- main"/);
      expect((await run(world, "unpause", "main")).code).toBe(2);
    });
  },
);
