import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import type { InventoryFile } from "./support/inventory";
import { DATA } from "./support/layout";
import { awaitHealthy, postmaster, role, rowArrives, sh, sql } from "./support/oracle";
import { leftovers } from "./support/leftovers";
import { suite } from "./support/suite";
import { HOSTS, must, OUTSIDER, World } from "./support/world";

const FOUR = [...HOSTS, OUTSIDER];

/** What may happen on a host because a node was added or removed elsewhere; nothing of it is a restart. */
const OF_A_NEIGHBOUR: readonly RegExp[] = [
  /^open 5432\/tcp to 198\.18\.\d+\.14\/32/,
  /^close 5432\/tcp, .* to 198\.18\.\d+\.14\/32/,
  /^\/etc\/repmgr\/main\/(event|failover-validation|fence|promote|start-guard), which postgresql-main\.service runs, has another text$/,
  /^the nodes log in to each other with the password kept in \/etc\/repmgr\/main\/pgpass$/,
  /^who may connect: \d+ rules from the topology and the inventory$/,
  /^load the configuration without a restart: pg_hba\.conf$/,
];

type Nodes = Record<string, object>;
const nodes = (inventory: InventoryFile): Nodes => inventory.postgresql_clusters.main?.nodes as Nodes;
const n4 = { id: 4, host: OUTSIDER };

suite(
  "nodes come and go",
  () => World.deployed(),
  ({ test }) => {
    let before: string[] = [];
    const starts = ({ lab }: World): Promise<string[]> =>
      Promise.all(
        HOSTS.map(async (host) => {
          const daemon = await sh(lab, host, "systemctl show -p MainPID --value repmgrd-main");
          return `${await postmaster(lab, host)} ${daemon}`;
        }),
      );
    const done = async ({ stack }: World, work: () => Promise<unknown>): Promise<{ host: string; why: string }[]> => {
      const begun = stack.actions().length;
      await work();
      return stack.actions().slice(begun);
    };

    test("a fourth node is cloned, and touches only what it must on the other three", async (world) => {
      before = await starts(world);
      world.edit((inventory) => {
        inventory.hosts[OUTSIDER] = { address: world.lab.host(OUTSIDER).address };
        nodes(inventory).n4 = n4;
      });
      const actions = await done(world, async () => must(await world.up(["--skip-preview"])));
      const others = actions.filter(({ host }) => host !== OUTSIDER).map(({ host, why }) => `${host}: ${why}`);
      expect(others.filter((line) => !OF_A_NEIGHBOUR.some((what) => what.test(line.replace(/^\w+: /, ""))))).toEqual(
        [],
      );
      for (const host of HOSTS) expect(others.filter((line) => line.startsWith(host))).toHaveLength(8);
      expect(await starts(world)).toEqual(before);
      await awaitHealthy(world.lab, FOUR);
      await rowArrives(world.lab, "pg1", ["pg2", "pg3", "pg4"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("removed, it is stopped, unregistered, without a slot, and no peer lets it in; its data stay", async (world) => {
      const { lab } = world;
      world.edit((inventory) => Reflect.deleteProperty(nodes(inventory), "n4"));
      const actions = await done(world, async () => must(await world.up(["--skip-preview"])));
      const own = /n4 leaves the cluster|the slot of n4/;
      const others = actions.filter(({ host, why }) => host !== OUTSIDER && !own.test(why));
      expect(others.filter(({ why }) => !OF_A_NEIGHBOUR.some((what) => what.test(why)))).toEqual([]);
      expect(await sh(lab, OUTSIDER, leftovers("main", 5432))).toBe("");
      expect(await sh(lab, OUTSIDER, `cat ${DATA}/PG_VERSION`)).toBe("17");
      const address = lab.host(OUTSIDER).address;
      const mentions = `grep -rlF ${address} /etc/repmgr ${DATA}/pg_hba.conf; firewall-cmd --list-rich-rules | grep -F ${address}; true`;
      for (const host of HOSTS) expect([host, await sh(lab, host, mentions)]).toEqual([host, ""]);
      expect(await sql(lab, "pg1", "select string_agg(slot_name, ',' order by 1) from pg_replication_slots")).toBe(
        "repmgr_slot_2,repmgr_slot_3",
      );
      expect(await sql(lab, "pg1", "select count(*) from repmgr.nodes", { database: "repmgr" })).toBe("3");
      expect(await starts(world)).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("under another name the node is refused; taken out and added again it has its data at once", async (world) => {
      const { lab } = world;
      world.edit((inventory) => {
        Reflect.deleteProperty(nodes(inventory), "n3");
        nodes(inventory).db3 = { id: 5, host: "pg3" };
        nodes(inventory).n4 = n4;
      });
      const [preview, up] = [await world.preview(), await refusedUp(world)];
      for (const { output } of [preview, up])
        expect(output).toMatch(/n3 on pg3 cannot be called db3: .*Keep its name; or/);
      expect(preview.code).not.toBe(0);
      expect(await starts(world)).toEqual(before);
      world.edit((inventory) => Reflect.deleteProperty(nodes(inventory), "db3"));
      must(await world.up(["--skip-preview"]));
      expect(await role(lab, "pg3")).toBe("down");
      await sql(lab, "pg1", "insert into proof default values", { database: "app" });
      world.edit((inventory) => (nodes(inventory).db3 = { id: 5, host: "pg3" }));
      const actions = await done(world, async () => must(await world.up(["--skip-preview"])));
      expect(actions.filter(({ why }) => /clone|initdb/.test(why))).toEqual([]);
      await awaitHealthy(lab, FOUR);
      await rowArrives(lab, "pg1", ["pg3", "pg4"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a node whose host is gone for good is removed without it, but not while it is seen to live", async (world) => {
      const { lab } = world;
      world.edit((inventory) => {
        Object.assign(inventory.hosts[OUTSIDER] as object, { lost: true });
        Reflect.deleteProperty(nodes(inventory), "n4");
      });
      const refusal = await refusedUp(world);
      expect(refusal.output).toMatch(
        /the inventory says that pg4 is lost, and n4 on it is connected to the primary n1/,
      );
      await lab.poweroff(OUTSIDER);
      await until("the primary gives the connection of n4 up", seconds(60), async () => {
        const walSenders = "select count(*) from pg_stat_replication where application_name = 'n4'";
        return (await sql(lab, "pg1", walSenders)) === "0" || "n4 is still connected";
      });
      const actions = await done(world, async () => must(await world.up(["--skip-preview"])));
      expect(actions.filter(({ host }) => host === OUTSIDER)).toEqual([]);
      const known = "select string_agg(node_name, ',' order by node_name) from repmgr.nodes";
      expect(await sql(lab, "pg1", known, { database: "repmgr" })).toBe("db3,n1,n2");
      expect(await sql(lab, "pg1", "select count(*) from pg_replication_slots where slot_name = 'repmgr_slot_4'")).toBe(
        "0",
      );
      must(await world.preview(["--expect-no-changes"]));
      world.edit((inventory) => Reflect.deleteProperty(inventory.hosts, OUTSIDER));
      must(await world.preview(["--expect-no-changes"]));
    });

    /** An up that ends with an error before it has begun anything. */
    async function refusedUp(world: World): Promise<{ output: string }> {
      let refused = { code: 0, output: "" };
      const actions = await done(world, async () => (refused = await world.up(["--skip-preview"])));
      expect(actions).toEqual([]);
      expect(refused.code).not.toBe(0);
      return refused;
    }
  },
);
