import { SshProxy } from "../../lab/sshProxy";
import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { isFull } from "./support/fullOnly";
import { seconds } from "./support/deadlines";
import { converges, LEFTOVERS, setting, tells } from "./support/incident";
import { awaitPrimary, sh, sql } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, World } from "./support/world";

const SEEDS = Array.from({ length: isFull ? 30 : 3 }, (_, index) => index + 1);
/** An up that restarts three servers sends and receives about as much on each connection. */
const MOST_BYTES = 150_000;

/** Evenly spread from 0 to 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

suite(
  "SSH is dropped at random points of a change that restarts every server",
  () => World.deployed(),
  ({ test }) => {
    let proxies: SshProxy[] = [];
    let writer: Writer | undefined;

    afterAll(async () => {
      writer?.stop();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    });

    /** Every connection goes through a proxy from now on. */
    async function interpose(world: World, next: () => number): Promise<void> {
      await Promise.all(proxies.map((proxy) => proxy.close()));
      const limits = (): number => Math.round(4_000 + next() * MOST_BYTES);
      proxies = await Promise.all(HOSTS.map((host) => SshProxy.open(world.lab.host(host).address, limits)));
    }

    for (const seed of SEEDS) {
      test(`seed ${seed}`, async (world) => {
        await interpose(world, random(seed));
        if (writer === undefined) {
          writer = new Writer(await world.connection(), world.passFile());
          writer.start();
        }
        setting(world, "max_connections", 100 + seed);
        const up = await world.up(["--skip-preview"]);
        const drops = proxies.flatMap((proxy) => proxy.drops.map(({ afterBytes }) => afterBytes));
        expect(drops.length).toBeGreaterThan(0);
        if (up.code !== 0)
          tells(
            up,
            /pg\d \(\S+@198\.18\.\d+\.\d+:22\): [^]*(connection was lost|ended the connection before the login)/,
          );
        process.stdout.write(`seed ${seed}: dropped after ${drops.join(", ")} bytes; up ended with ${up.code}\n`);
        proxies.forEach((proxy) => proxy.calm());
        await converges(world, HOSTS, { move: true });
        for (const host of HOSTS) {
          expect(await sql(world.lab, host, "show max_connections")).toBe(String(100 + seed));
          expect(await sh(world.lab, host, LEFTOVERS)).toBe("");
        }
      });
    }

    test("no row that was acknowledged meanwhile is lost, and repmgrd watches everywhere", async ({ lab }) => {
      await until("the application writes", seconds(30), () => (writer?.acknowledged.length ?? 0) > 40 || "few rows");
      writer?.stop();
      const rows = await sql(lab, await awaitPrimary(lab, HOSTS), "select id from tick", { database: "app" });
      const kept = new Set(rows.split("\n").map(Number));
      expect(writer?.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
      const status = await sh(lab, "pg1", "repmgr -f /etc/repmgr/main/repmgr.conf service status --csv", "postgres");
      // The seventh column: whether repmgrd is paused.
      expect(status.split("\n").map((line) => line.split(",")[6])).toEqual(["0", "0", "0"]);
    });
  },
);
