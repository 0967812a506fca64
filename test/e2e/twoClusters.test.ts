import { QUICK_FAILOVER } from "./support/inventory";
import { dataOf } from "./support/layout";
import { awaitPrimary, postmasters, role, roles, rowArrives, sh, sql } from "./support/oracle";
import { seconds } from "./support/deadlines";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";
import { until } from "../../lab/wait";

const PORT = 5433;

/** Two data nodes and a witness on the same three hosts. */
const OTHER = {
  version: 17,
  port: PORT,
  nodes: {
    o1: { id: 1, host: "pg3", role: "primary" },
    o2: { id: 2, host: "pg1" },
    o3: { id: 3, host: "pg2", role: "witness" },
  },
  repmgr: { options: QUICK_FAILOVER, password_secret: "main_repmgr_password" },
};

suite(
  "two clusters of one version on the same three hosts",
  () => World.deployed(),
  ({ test }) => {
    let before: string[] = [];
    const starts = ({ lab }: World, cluster: string): Promise<string[]> => postmasters(lab, HOSTS, cluster);

    test("a second cluster with a witness is made beside the first, which does not notice", async (world) => {
      const { lab } = world;
      before = await starts(world, "main");
      world.edit((inventory) => (inventory.postgresql_clusters.other = OTHER));
      must(await world.up(["--skip-preview"]));
      expect(await roles(lab, HOSTS, PORT)).toEqual({ pg1: "standby", pg2: "primary", pg3: "primary" });
      await rowArrives(lab, "pg3", ["pg1"], { port: PORT });
      const nodes =
        "select string_agg(node_name || ' ' || type || ' ' || active, ', ' order by node_id) from repmgr.nodes";
      for (const host of HOSTS) {
        expect(await sql(lab, host, nodes, { port: PORT, database: "repmgr" })).toBe(
          "o1 primary true, o2 standby true, o3 witness true",
        );
      }
      expect(await starts(world, "main")).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("each has its own units, pid files, sockets, logs and password files", async ({ lab }) => {
      for (const host of HOSTS) {
        for (const cluster of ["main", "other"]) {
          const port = cluster === "main" ? 5432 : PORT;
          await sh(lab, host, `systemctl is-active postgresql-${cluster} repmgrd-${cluster}`);
          await sh(
            lab,
            host,
            `test -s /run/repmgrd-${cluster}/repmgrd.pid && test -S /run/postgresql/.s.PGSQL.${port}`,
          );
          await sh(
            lab,
            host,
            `test -n "$(ls /var/log/postgresql/${cluster})" && test -f /etc/repmgr/${cluster}/pgpass`,
          );
          expect(await sql(lab, host, "show cluster_name", { port })).toBe(cluster);
        }
      }
    });

    test("when one loses its primary, only it fails over", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", `kill -9 $(head -n 1 ${dataOf("other")}/postmaster.pid)`);
      expect(await awaitPrimary(lab, ["pg1"], PORT)).toBe("pg1");
      await until("the witness knows", seconds(30), async () => {
        const known = await sql(lab, "pg2", "select node_name from repmgr.nodes where type = 'primary' and active", {
          port: PORT,
          database: "repmgr",
        });
        return known === "o2" || `it takes ${known} for the primary`;
      });
      expect(await role(lab, "pg3", PORT)).toBe("down");
      expect(await starts(world, "main")).toEqual(before);
    });

    test("up brings the lost node back under the new primary; the other cluster does not notice", async (world) => {
      const { lab } = world;
      must(await world.up());
      expect(await roles(lab, HOSTS, PORT)).toEqual({ pg1: "primary", pg2: "primary", pg3: "standby" });
      await rowArrives(lab, "pg1", ["pg3"], { port: PORT });
      expect(await starts(world, "main")).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("taken out of the inventory, it goes without a trace but its data; the other one stays as it is", async (world) => {
      const { lab } = world;
      world.edit((inventory) => delete inventory.postgresql_clusters.other);
      must(await world.up(["--skip-preview"]));
      for (const host of HOSTS) {
        const left = `ls -d /etc/repmgr/other /etc/sudoers.d/repmgr-other /etc/systemd/system/*-other.service 2>/dev/null
firewall-cmd --list-rich-rules | grep ${PORT}; firewall-cmd --permanent --list-rich-rules | grep ${PORT}; ss -Hltn 'sport = :${PORT}'; true`;
        expect(await sh(lab, host, left)).toBe("");
        expect(await sh(lab, host, `cat ${dataOf("other")}/PG_VERSION`)).toBe("17");
      }
      expect(await starts(world, "main")).toEqual(before);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
