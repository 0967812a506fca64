import { awaitHealthy, awaitPrimary, roles, rowArrives, sh, sql, systemIdentifier } from "./support/oracle";
import { DATA } from "./support/layout";
import { leftovers } from "./support/leftovers";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const LEFTOVERS = leftovers("main", 5432);

suite(
  "destroy and adopt",
  () => World.deployed(),
  ({ test }) => {
    let identifier = "";

    test("destroy leaves nothing of ours but the data", async (world) => {
      const { lab } = world;
      identifier = await systemIdentifier(lab, "pg1");
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      must(await world.destroy());
      for (const host of HOSTS) {
        expect(await sh(lab, host, LEFTOVERS)).toBe("");
        expect(await sh(lab, host, `cat ${DATA}/PG_VERSION`)).toBe("17");
      }
      expect(JSON.parse(await world.stack.exported())).not.toHaveProperty("deployment.resources.1");
    });

    test("a new up adopts the data: same identifier, the row is there", async (world) => {
      must(await world.up(["--skip-preview"]));
      await expectSameCluster(world, "pg1");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("also when another node is primary by then: nobody's wish undoes a failover", async (world) => {
      const { lab } = world;
      await lab.poweroff("pg1");
      const heir = await awaitPrimary(lab, ["pg2", "pg3"]);
      await lab.poweron("pg1");
      must(await world.up(["--skip-preview"]));
      await sql(lab, heir, "insert into proof default values", { database: "app" });
      must(await world.destroy());
      for (const host of HOSTS) expect(await sh(lab, host, LEFTOVERS)).toBe("");
      must(await world.up(["--skip-preview"]));
      await expectSameCluster(world, heir);
      must(await world.preview(["--expect-no-changes"]));
    });

    async function expectSameCluster(world: World, primary: string): Promise<void> {
      const { lab } = world;
      await awaitHealthy(lab, HOSTS);
      const standbys = HOSTS.filter((host) => host !== primary);
      expect(await roles(lab, HOSTS)).toEqual({
        [primary]: "primary",
        ...Object.fromEntries(standbys.map((host) => [host, "standby"])),
      });
      for (const host of HOSTS) expect(await systemIdentifier(lab, host)).toBe(identifier);
      expect(Number(await sql(lab, primary, "select count(*) from proof", { database: "app" }))).toBeGreaterThan(0);
      await rowArrives(lab, primary, standbys, { database: "app" });
      const registered =
        "select string_agg(node_name || ' ' || type || ' ' || active, ', ' order by node_id) from repmgr.nodes";
      const wanted = HOSTS.map((host, i) => `n${i + 1} ${host === primary ? "primary" : "standby"} true`).join(", ");
      expect(await sql(lab, primary, registered, { database: "repmgr" })).toBe(wanted);
    }
  },
);
