import { until } from "../../lab/wait";
import { run as npmRun } from "./support/command";
import { seconds } from "./support/deadlines";
import { type InventoryFile, QUICK_FAILOVER } from "./support/inventory";
import { DATA, dataOf } from "./support/layout";
import { awaitHealthy, awaitPrimary, role, rowArrives, sh, sql } from "./support/oracle";
import { consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { must, OUTSIDER, World } from "./support/world";

const TREE = 5433;

/** Two sites: the primary and the witness in the one, a standby in the other. */
const SITES = {
  n1: { id: 1, host: "pg1", role: "primary", location: "east" },
  n2: { id: 2, host: "pg2", location: "west" },
  n3: { id: 3, host: "pg3", role: "witness" },
};

/** t3 follows t2, and t4 is an hour behind. */
const CASCADE = {
  t1: { id: 1, host: OUTSIDER, role: "primary" },
  t2: { id: 2, host: "pg1" },
  t3: { id: 3, host: "pg2", upstream: "t2" },
  t4: { id: 4, host: "pg3", delay: "1h" },
};
const TREE_HOSTS = [OUTSIDER, "pg1", "pg2", "pg3"];

/** Whoever follows whom logs in there by certificate: the witness to its primary, a cascading standby to a standby. */
const BY_CERTIFICATE = { nodes: "verify-full", replication_certificates: "required" };

function twoTopologies(inventory: InventoryFile, address: string): void {
  inventory.hosts[OUTSIDER] = { address };
  Object.assign(inventory.postgresql_clusters.main as object, {
    nodes: structuredClone(SITES),
    tls: { ca_file: "main-ca.crt", ...BY_CERTIFICATE },
  });
  inventory.postgresql_clusters.tree = {
    version: 17,
    port: TREE,
    nodes: CASCADE,
    tls: { ca_file: "tree-ca.crt", ...BY_CERTIFICATE },
    repmgr: { options: QUICK_FAILOVER, password_secret: "main_repmgr_password" },
  };
}

/** "n2<n1" for a standby n2 registered below n1, with its priority and location. */
const REGISTERED = `select string_agg(format('%s<%s %s %s %s', n.node_name, coalesce(u.node_name, '-'), n.type, n.priority, n.location), ', ' order by n.node_id)
  from repmgr.nodes n left join repmgr.nodes u on u.node_id = n.upstream_node_id`;
const WITHOUT_CERTIFICATE =
  "select count(*) from pg_stat_activity join pg_stat_ssl using (pid) where usename = 'repmgr' and client_addr is not null and client_dn is null";
/** That of t4 is not in use after a start, until it has replayed what it has. */
const LEFT =
  "select coalesce(string_agg(slot_name, ','), '') from pg_replication_slots where not active and slot_name <> 'repmgr_slot_4'";

suite(
  "a witness and two sites; a cascading and a delayed standby",
  () => World.fresh(),
  ({ test }) => {
    const registered = ({ lab }: World, host: string, port = 5432): Promise<string> =>
      sql(lab, host, REGISTERED, { port, database: "repmgr" });
    /** The repmgrd of a witness copies the rows of its primary every 15 s (witness_sync_interval). */
    const witnessKnows = (world: World, rows: string): Promise<void> =>
      until(`the witness knows ${rows}`, seconds(30), async () => {
        const known = await registered(world, "pg3");
        return known === rows || known;
      });
    const sender = async ({ lab }: World, host: string): Promise<string> => {
      const address = await sql(
        lab,
        host,
        "select max(sender_host) from pg_stat_wal_receiver where status = 'streaming'",
        {
          port: TREE,
        },
      );
      return TREE_HOSTS.find((name) => lab.host(name).address === address) ?? "nobody";
    };
    const follows = (world: World, host: string, whom: string): Promise<void> =>
      until(`${host} streams from ${whom}`, seconds(60), async () => {
        const now = await sender(world, host).catch((e: unknown) => String(e));
        return now === whom || `it streams from ${now}`;
      });
    /** A row of the tree's primary reaches all but the one that is an hour behind, and is going to be sent to that, too. */
    const isDelayed = async ({ lab }: World, primary: string): Promise<void> => {
      const others = TREE_HOSTS.filter((host) => host !== primary && host !== "pg3");
      await rowArrives(lab, primary, others, { port: TREE });
      const written = await sql(lab, primary, "select pg_current_wal_flush_lsn()", { port: TREE });
      const behind = `select pg_last_wal_replay_lsn() < '${written}' and current_setting('recovery_min_apply_delay') = '1h'`;
      expect(await sql(lab, "pg3", behind, { port: TREE })).toBe("t");
      const source = "select substring(current_setting('primary_conninfo') from 'host=(\\S+)')";
      expect(await sql(lab, "pg3", source, { port: TREE })).toBe(lab.host(primary).address);
      await sh(lab, "pg3", "test -s /run/repmgrd-tree/repmgrd.pid");
    };
    const isWhole = async (world: World, primaries: { main: string; tree: string }): Promise<void> => {
      const { lab } = world;
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, ["pg1", "pg2"]);
      const other = primaries.main === "pg1" ? "pg2" : "pg1";
      await rowArrives(lab, primaries.main, [other]);
      await follows(world, "pg2", "pg1");
      await isDelayed(world, primaries.tree);
      for (const host of TREE_HOSTS) {
        expect([host, await sql(lab, host, LEFT, { port: TREE })]).toEqual([host, ""]);
        expect([host, await sql(lab, host, WITHOUT_CERTIFICATE, { port: TREE })]).toEqual([host, "0"]);
      }
      for (const host of ["pg1", "pg2", "pg3"])
        expect([host, await sql(lab, host, WITHOUT_CERTIFICATE)]).toEqual([host, "0"]);
      must(await world.preview(["--expect-no-changes"]));
    };

    test("a preview says what begins where; up makes both, and then nothing is left to do", async (world) => {
      const { lab } = world;
      world.edit((inventory) => twoTopologies(inventory, lab.host(OUTSIDER).address));
      for (const cluster of ["main", "tree"]) must(await npmRun(world, "ca", cluster));
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)).toEqual(
        expect.arrayContaining([
          "cluster main: it is new and begins on pg1, from which pg2 will be cloned; pg3 gets the witness",
          "cluster tree: it is new and begins on pg4, from which pg1, pg2, pg3 will be cloned",
        ]),
      );
      await isWhole(world, { main: "pg1", tree: OUTSIDER });
      const cloned = world.stack.actions().filter(({ why }) => why.startsWith("clone t3"));
      expect(cloned.map(({ why }) => why)).toEqual(["clone t3 from t2, which t3 follows"]);
      const rows = "n1<- primary 100 east, n2<n1 standby 100 west, n3<n1 witness 0 east";
      for (const host of ["pg1", "pg2"]) expect([host, await registered(world, host)]).toEqual([host, rows]);
      await witnessKnows(world, rows);
      expect(await registered(world, OUTSIDER, TREE)).toBe(
        "t1<- primary 100 default, t2<t1 standby 100 default, t3<t2 standby 100 default, t4<t1 standby 0 default",
      );
      expect(await sender(world, "pg3")).toBe(OUTSIDER);
      for (const host of ["pg1", "pg2", OUTSIDER]) {
        expect(await sql(lab, host, "show recovery_min_apply_delay", { port: TREE })).toBe("0");
      }
    });

    test("a site that sees nobody of the primary's site promotes nobody; repmgrd moves who lost its upstream", async (world) => {
      const { lab } = world;
      await Promise.all([lab.poweroff("pg1"), lab.poweroff("pg3")]);
      await until("n2 has decided", seconds(60), async () => {
        const log = await sh(lab, "pg2", "journalctl -u repmgrd-main --no-pager -o cat | tail -n 40");
        return log.includes('no nodes from the primary location "east" visible') || log;
      });
      expect(await role(lab, "pg2")).toBe("standby");
      await follows(world, "pg2", OUTSIDER);
      await Promise.all([lab.poweron("pg1"), lab.poweron("pg3")]);
      await awaitHealthy(lab, ["pg1", "pg2"]);
      expect(await role(lab, "pg2")).toBe("standby");
    });

    test("the review shows who follows the wrong node, and up moves it back and leaves no slot behind", async (world) => {
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /cluster tree: pg2: detached: it streams from .*, not from t2: follow t2/,
      );
      await isWhole(world, { main: "pg1", tree: OUTSIDER });
    });

    test("the primary's host loses power: the other site takes over, because the witness lost it, too", async (world) => {
      const { lab } = world;
      await lab.poweroff("pg1");
      expect(await awaitPrimary(lab, ["pg2"])).toBe("pg2");
      await until("the witness follows", seconds(60), async () => {
        const rows = await registered(world, "pg3");
        return rows.includes("n3<n2 witness") || rows;
      });
      // The tree's repmgrd moves t3 away from pg1, too; on a busy machine it had done so after up had looked.
      await follows(world, "pg2", OUTSIDER);
      await lab.poweron("pg1");
      await until("pg1 answers and the start guard has decided", seconds(60), async () => {
        const state = await sh(lab, "pg1", "systemctl show -p ActiveState --value postgresql-main");
        return state === "failed" || `postgresql-main is ${state}`;
      });
      await isWhole(world, { main: "pg2", tree: OUTSIDER });
    });

    test("the tree's primary dies, and the witness's data are lost: up repairs both", async (world) => {
      const { lab } = world;
      await sh(lab, OUTSIDER, `kill -9 $(head -n 1 ${dataOf("tree")}/postmaster.pid)`);
      await sh(lab, "pg3", `systemctl stop postgresql-main; rm -rf ${DATA}`);
      expect(await awaitPrimary(lab, ["pg1", "pg2", "pg3"], TREE)).toBe("pg1");
      await isWhole(world, { main: "pg2", tree: "pg1" });
      await witnessKnows(world, "n1<n2 standby 100 east, n2<- primary 100 west, n3<n2 witness 0 east");
    });

    test("the witness is refused while it is needed; a cascading standby goes with its slot; a new node is known to the witness at once", async (world) => {
      const { lab } = world;
      const nodesOf = (inventory: InventoryFile, cluster: string): object =>
        inventory.postgresql_clusters[cluster]?.nodes as object;
      world.edit((inventory) => Reflect.deleteProperty(nodesOf(inventory, "main"), "n3"));
      const refused = await world.preview();
      expect(refused.code).not.toBe(0);
      expect(refused.output).toMatch(/automatic failover would split the brain: 'n2' is the only standby/);
      world.edit((inventory) => {
        const nodes = { ...structuredClone(SITES), n4: { id: 4, host: OUTSIDER, location: "west" } };
        Object.assign(inventory.postgresql_clusters.main as object, { nodes });
        Reflect.deleteProperty(nodesOf(inventory, "tree"), "t3");
      });
      must(await world.up(["--skip-preview"]));
      expect(await registered(world, "pg3")).toContain("n4<n2 standby");
      expect(world.stack.actions().map(({ why }) => why)).toContainEqual(
        expect.stringMatching(/^n3 hears of n4 at once/),
      );
      expect(
        await sql(lab, "pg1", "select count(*) from pg_replication_slots where slot_name = 'repmgr_slot_3'", {
          port: TREE,
        }),
      ).toBe("0");
      expect(await registered(world, "pg1", TREE)).not.toContain("t3");
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
