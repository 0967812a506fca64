import { seconds } from "./support/deadlines";
import type { InventoryFile } from "./support/inventory";
import { until } from "../../lab/wait";
import { tells } from "./support/incident";
import { DATA } from "./support/layout";
import { awaitPrimary, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { must, World } from "./support/world";

type Tree = Record<string, unknown>;
const main = (inventory: InventoryFile): { settings: Tree; databases: Record<string, Tree> } & Tree =>
  inventory.postgresql_clusters.main as never;
const shop = (inventory: InventoryFile): Record<"publications" | "slots", Record<string, Tree>> =>
  main(inventory).databases.shop as never;

let primary = "pg1";
const ask = (world: World, query: string, database = "shop"): Promise<string> =>
  sql(world.lab, primary, query, { database });

const SLOTS =
  "select string_agg(slot_name, ',' order by slot_name) from pg_replication_slots where slot_type = 'logical'";
const PUBLISHED =
  "select string_agg(tablename, ',' order by tablename) from pg_publication_tables where pubname = 'orders'";
const OWNERS = "select string_agg(pubname || ' ' || pubowner::regrole, ', ' order by pubname) from pg_publication";
const CHANGES = "select count(*) from pg_logical_slot_peek_changes('warehouse', null, null) where data like '%INSERT%'";

/** In a database of the same instance a subscription cannot make its slot itself: the program has made it. */
const SUBSCRIBE = `create schema sales; create table sales.orders (id int primary key, total int);
  create subscription copies connection 'dbname=shop' publication orders with (create_slot = false, slot_name = 'copies')`;

const GONE = (slot: string): RegExp =>
  new RegExp(
    `the logical slot ${slot} of shop is gone, .* type on n\\d, in the database shop: select pg_create_logical_`,
  );

async function arrives(world: World, id: number): Promise<void> {
  await ask(world, `insert into sales.orders values (${id}, 1)`);
  await until(`row ${id} arrives at the subscriber`, seconds(30), async () => {
    const seen = await ask(world, `select count(*) from sales.orders where id = ${id}`, "app");
    return seen === "1" || "it is not there";
  });
}

suite(
  "publications and logical slots",
  () => World.deployed(),
  ({ test }) => {
    test("what a publication names and is not there is refused with what to do, and all else is done", async (world) => {
      world.edit((inventory) => {
        main(inventory).settings.wal_level = "logical";
        main(inventory).rolling = { switch_back: true };
        main(inventory).databases.shop = {
          schemas: { sales: {} },
          publications: {
            orders: { tables: ["sales.orders"], publish: ["insert", "update"], owner: "app" },
            everything: { schemas: ["sales"] },
          },
          slots: { warehouse: { plugin: "test_decoding" }, copies: {} },
        };
      });
      const { code, output } = await world.up(["--skip-preview"]);
      expect(code).not.toBe(0);
      expect(output).toMatch(
        /publication orders of shop publishes sales.orders, and the database has no such table: make it there, then type: pulumi up/,
      );
      await ask(world, "create table sales.orders (id int primary key, total int)");
    });

    test("a preview tells of the restart for wal_level and of the slots that come after it", async (world) => {
      const { stdout } = must(await world.preview(["--json"]));
      const lines = consequencesOf(stdout);
      expect(lines).toContainEqual(
        expect.stringMatching(/^cluster main: pg1: rolling restart of .* \(because wal_level needs a restart\)$/),
      );
      expect(lines.at(-1)).toMatch(
        /nobody notices: .*create publication orders in shop; .*create logical slot warehouse \(test_decoding\) in shop/,
      );
    });

    test("up restarts node by node, then makes both, and a subscriber gets the rows that follow", async (world) => {
      must(await world.up(["--skip-preview"]));
      expect(await awaitPrimary(world.lab, ["pg1", "pg2", "pg3"])).toBe("pg1");
      expect(await ask(world, SLOTS)).toBe("copies,warehouse");
      await ask(world, SUBSCRIBE, "app");
      await arrives(world, 1);
      expect(await ask(world, CHANGES)).toBe("1");
    });

    test("the next preview is clean, and slots that others have made are left alone", async (world) => {
      await ask(world, "select pg_create_logical_replication_slot('someone', 'pgoutput')");
      await ask(world, "select pg_create_physical_replication_slot('backup')");
      must(await world.preview(["--expect-no-changes"]));
      must(await world.up(["--skip-preview"]));
      expect(
        await ask(world, "select count(*) from pg_replication_slots where slot_name in ('someone', 'backup')"),
      ).toBe("2");
      expect(await ask(world, SLOTS)).toBe("copies,someone,warehouse");
    });

    test("what somebody changes by hand is shown property by property, and only that is put right", async (world) => {
      await ask(
        world,
        `create table sales.other (id int primary key); alter publication orders add table sales.other;
         alter publication orders set (publish = 'insert'); alter publication orders owner to postgres;
         drop publication everything; select pg_drop_replication_slot('warehouse')`,
      );
      const { stdout } = must(await world.preview(["--json"]));
      const changes = changesOf(stdout);
      expect(changes.map(({ resource, property }) => `${resource} ${property}`).sort()).toEqual([
        "PgCluster main databases.publications",
        "PgCluster main databases.publications.owner",
        "PgCluster main databases.publications.publish",
        "PgCluster main databases.publications.tables",
        "PgCluster main databases.slots",
        "PgCluster main databases.slots.name",
        "PgCluster main databases.slots.plugin",
      ]);
      expect(changes[0]?.found).toContainEqual({
        ...{ name: "shop", extensions: [], schemas: [{ name: "sales" }] },
        publications: [
          { name: "orders", owner: "postgres", publish: ["insert"], tables: ["sales.orders", "sales.other"] },
        ],
        slots: [{ name: "copies", plugin: "pgoutput" }],
      });
      const lines = consequencesOf(stdout);
      expect(lines).toContainEqual(expect.stringMatching(GONE("warehouse")));
      expect(lines.at(-1)).toBe(
        "cluster main: nobody notices: pg1: publication orders in shop: no longer table sales.other, publish insert, update, not insert, " +
          "owner app, not postgres; create publication everything in shop",
      );
      tells(await world.up(["--skip-preview"]), GONE("warehouse"));
      expect(await ask(world, PUBLISHED)).toBe("orders");
      expect(await ask(world, OWNERS)).toBe("everything postgres, orders app");
      expect(await ask(world, SLOTS)).toBe("copies,someone");
      await ask(world, "select pg_create_logical_replication_slot('warehouse', 'test_decoding')");
      must(await world.up(["--skip-preview"]));
      await arrives(world, 2);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a lower wal_level is refused while there are logical slots, and no file is written", async (world) => {
      const before = structuredClone(world.inventory);
      world.edit((inventory) => {
        delete main(inventory).settings.wal_level;
        delete main(inventory).databases.shop;
      });
      const { code, output } = await world.up(["--skip-preview"]);
      expect(code).not.toBe(0);
      expect(output).toMatch(/wal_level cannot go from logical to replica while n1 has the logical slots/);
      expect(await sh(world.lab, "pg1", `grep wal_level ${DATA}/postgresql.conf`)).toContain("logical");
      world.edit((inventory) => Object.assign(inventory, before));
      must(await world.up(["--skip-preview"]));
    });

    test("a failover loses the slots: preview and up say so and make none, until who has seen to the readers has made them", async (world) => {
      await ask(world, "alter subscription copies disable", "app");
      await until("the standbys know that the subscriber waits", seconds(30), async () => {
        const query = "select subenabled from pg_subscription";
        const seen = await Promise.all(["pg2", "pg3"].map((host) => sql(world.lab, host, query)));
        return seen.every((enabled) => enabled === "f") || seen.join();
      });
      await sh(world.lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      primary = await awaitPrimary(world.lab, ["pg2", "pg3"]);
      const { stdout } = must(await world.preview(["--json"]));
      for (const slot of ["copies", "warehouse"])
        expect(consequencesOf(stdout)).toContainEqual(expect.stringMatching(GONE(slot)));
      await ask(world, "insert into sales.orders values (3, 1)");
      tells(await world.up(["--skip-preview"]), GONE("copies"), GONE("warehouse"));
      expect(await ask(world, "select count(*) from pg_replication_slots where slot_type = 'logical'")).toBe("0");
      await ask(world, "select pg_create_logical_replication_slot('copies', 'pgoutput')");
      await ask(world, "select pg_create_logical_replication_slot('warehouse', 'test_decoding')");
      must(await world.up(["--skip-preview"]));
      expect(await sql(world.lab, "pg1", "select count(*) from pg_replication_slots")).toBe("0");
      await ask(world, "alter subscription copies enable", "app");
      await arrives(world, 4);
      expect(await ask(world, CHANGES)).toBe("1");
      // What the guide says of the gap.
      expect(await ask(world, "select string_agg(id::text, ',' order by id) from sales.orders", "app")).toBe("1,2,4");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what is marked as removed is dropped once nobody reads from it, and only what was deployed", async (world) => {
      await ask(world, "create publication strange for all tables");
      world.edit((inventory) => {
        main(inventory).allow_drop = true;
        Object.assign(shop(inventory), {
          publications: { orders: { removed: true }, everything: { removed: true }, strange: { removed: true } },
          slots: { warehouse: { removed: true }, copies: { removed: true } },
        });
      });
      const busy = await world.up(["--skip-preview"]);
      expect(busy.code).not.toBe(0);
      expect(busy.output).toMatch(/slot copies of shop is not dropped: somebody reads from it/);
      expect(busy.output).toMatch(
        /publication strange of shop is marked as removed and exists, but this program has not deployed it/,
      );
      expect(await ask(world, "select string_agg(pubname, ',') from pg_publication")).toBe("strange");
      expect(await ask(world, SLOTS)).toBe("copies");
      await ask(world, "alter subscription copies disable", "app");
      await ask(world, "alter subscription copies set (slot_name = none)", "app");
      await ask(world, "drop subscription copies", "app");
      world.edit((inventory) => (shop(inventory).publications = { orders: { removed: true } }));
      must(await world.up(["--skip-preview"]));
      expect(await ask(world, SLOTS)).toBe("");
      expect(await ask(world, "select count(*) from pg_publication")).toBe("1");
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
