import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { conninfoValue, sqlLiteral } from "../../ssh/quote";
import { seconds } from "./support/deadlines";
import type { InventoryFile } from "./support/inventory";
import { BIN, DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWrites, postmaster, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { SECRETS } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

type Tree = Record<string, unknown>;
const main = (inventory: InventoryFile): Tree => inventory.postgresql_clusters.main as Tree;

/** Where the subscriber lives: an instance of its own, which no repmgr knows. */
const READER = "pg3";
const PORT = 5499;
const DIRECTORY = "/var/lib/postgresql-reader";
const COPIES =
  "select string_agg(slot_name, ',') from pg_replication_slots where synced and not temporary and invalidation_reason is null";

const ofReader = (world: World, query: string): Promise<string> =>
  sql(world.lab, READER, query, { port: PORT, socket: DIRECTORY });

/** It has no key, so that a row which comes twice is there twice; `arrived` counts them as they come. */
async function subscribe(world: World): Promise<void> {
  const { lab } = world;
  await sh(
    lab,
    READER,
    `install -d -o postgres -g postgres -m 0700 ${DIRECTORY}
cd / && runuser -u postgres -- ${BIN}/initdb -D ${DIRECTORY}/data -A trust >/dev/null
runuser -u postgres -- ${BIN}/pg_ctl -D ${DIRECTORY}/data -w -l ${DIRECTORY}/log -o '-p ${PORT} -k ${DIRECTORY} -c listen_addresses= -c wal_retrieve_retry_interval=500 -c fsync=off' start >/dev/null`,
  );
  const hosts = HOSTS.map((host) => lab.host(host).address).join(",");
  const source = `host=${hosts} port=5432 user=app password=${conninfoValue(SECRETS.app_password)} dbname=app target_session_attrs=read-write connect_timeout=2`;
  await ofReader(world, "create table tick (id bigint, at timestamptz, arrived bigserial)");
  await ofReader(
    world,
    `create subscription warehouse connection ${sqlLiteral(source)} publication ticks with (create_slot = false, copy_data = false, failover = true, slot_name = 'warehouse')`,
  );
}

async function awaitCopies(world: World, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    await until(`${host} has a copy of the slot`, seconds(60), async () => {
      const seen = await sql(world.lab, host, COPIES);
      return seen === "warehouse" || `copies: ${seen}`;
    });
  }
}

suite(
  "logical slots that fail over",
  () => World.deployed(),
  ({ test }) => {
    let writer: Writer;
    let primary = "pg1";
    const others = (): string[] => HOSTS.filter((host) => host !== primary);
    afterAll(() => writer.stop());

    /** What the primary has from the first row on that the reader got is what the reader has, once each and in order. */
    const nothingIsMissing = async (world: World): Promise<void> => {
      await awaitWrites(writer);
      const last = writer.acknowledged.at(-1)?.id ?? 0;
      await until(`row ${last} arrives at the reader`, seconds(60), async () => {
        const seen = Number(await ofReader(world, "select max(id) from tick"));
        return seen >= last || `${last - seen} rows short`;
      });
      const arrived = await ofReader(world, `select id from tick where id <= ${last} order by arrived`);
      const [first] = arrived.split("\n");
      const written = await sql(
        world.lab,
        primary,
        `select id from tick where id between ${first} and ${last} order by id`,
        {
          database: "app",
        },
      );
      expect(arrived).toBe(written);
    };

    test("up makes the slot; who has no copy of it yet is said by the preview", async (world) => {
      writer = new Writer(await world.connection(), world.passFile());
      writer.start();
      await awaitWrites(writer);
      world.edit((inventory) => {
        Object.assign(main(inventory), {
          settings: { ...(main(inventory).settings as Tree), wal_level: "logical" },
          clients: [world.lab.host("pg1").address.replace(/\d+$/, "0/24")],
          roles: { app: { password_secret: "app_password", replication: true } },
          databases: {
            app: {
              ...{ owner: "app", extensions: ["hstore"] },
              publications: { ticks: { tables: ["public.tick"] } },
              slots: { warehouse: { failover: true } },
            },
          },
        });
      });
      must(await world.up(["--skip-preview"]));
      primary = await awaitPrimary(world.lab, HOSTS);
      const { stdout } = must(await world.preview(["--json", "--expect-no-changes"]));
      expect(consequencesOf(stdout)).toContainEqual(
        expect.stringMatching(
          /n\d has no copy yet of the logical slot warehouse, which would be lost if n\d were promoted/,
        ),
      );
    });

    test("a reader gets every row, and both standbys copy its place", async (world) => {
      await subscribe(world);
      await awaitCopies(world, others());
      await nothingIsMissing(world);
    });

    test("after a failover the reader goes on where it was, with no word from anybody", async (world) => {
      await sh(world.lab, primary, `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      primary = await awaitPrimary(world.lab, others());
      await nothingIsMissing(world);
    });

    test("up brings the old primary back, and it copies the slot", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
      await awaitCopies(world, others());
      await until("readers wait for both standbys", seconds(30), async () => {
        const seen = await sql(world.lab, primary, "show synchronized_standby_slots");
        return seen.split(",").length === 2 || seen;
      });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a planned switchover keeps the place of the reader, and who was primary copies it", async (world) => {
      const [to = ""] = others();
      world.edit((inventory) => (main(inventory).preferred_primary = to.replace("pg", "n")));
      must(await world.up(["--skip-preview"]));
      expect(await awaitPrimary(world.lab, HOSTS)).toBe(to);
      primary = to;
      await nothingIsMissing(world);
      await awaitCopies(world, others());
    });

    test("a standby that was made to copy nothing is shown, and put right without a restart", async (world) => {
      const [standby = ""] = others();
      const before = await postmaster(world.lab, standby);
      const told = await sql(world.lab, standby, "show primary_conninfo");
      const without = told.replace(/ ?dbname=\w+/, "").replaceAll("'", "''");
      expect(without).not.toContain("dbname");
      await sql(world.lab, standby, `alter system set primary_conninfo = '${without}'`);
      await sql(world.lab, standby, "select pg_reload_conf()");
      const { stdout } = must(await world.preview(["--json"]));
      expect(changesOf(stdout).map(({ resource, found }) => `${resource} ${String(found)}`)).toEqual([
        expect.stringMatching(
          /^RepmgrNode .* it streams from n\d and copies no slots, because its primary_conninfo has no dbname$/,
        ),
      ]);
      must(await world.up(["--skip-preview"]));
      expect(await sql(world.lab, standby, "show primary_conninfo")).toContain("dbname=repmgr");
      expect(await postmaster(world.lab, standby)).toBe(before);
      await nothingIsMissing(world);
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
