import { seconds } from "./support/deadlines";
import { denials, LOG_ALL } from "./support/denials";
import { describeInFull } from "./support/fullOnly";
import { GUEST } from "./support/inventory";
import { awaitHealthy, roles, rowArrives } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const PORT = 5433;
const DATA = "/data/pg/main";
const SPACE = "/data/space";

const GUEST_AND_CONTAINERS = [
  [GUEST, "selinux"],
  ["pg3", "debian13"],
] as const;

/** One standby is the guest; nothing of it is where the policy expects it. */
function aside(world: World["inventory"]): void {
  const main = world.postgresql_clusters.main as Record<string, unknown>;
  Object.assign(main, {
    port: PORT,
    data_directory: DATA,
    nodes: {
      n1: { id: 1, host: GUEST },
      n2: { id: 2, host: "pg2", role: "primary" },
      n3: { id: 3, host: "pg3" },
    },
    tablespaces: { space: { directory: SPACE } },
    // On a guest a login takes a second, and repmgrd that looks every second takes the half of a processor.
    repmgr: { options: { monitor_interval_secs: 4, reconnect_attempts: 5, reconnect_interval: 4 } },
    databases: { app: { owner: "app", extensions: ["hstore"], tablespace: "space" } },
  });
}

/** As root on the guest, where everything takes its time. @throws Error with its output when it fails */
async function onGuest({ lab }: World, command: string): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(GUEST, command, { deadlineMs: seconds(120) });
  if (code !== 0) throw new Error(`${GUEST}: ${command}: exit status ${code}: ${(stdout + stderr).trim()}`);
  return stdout.trim();
}

/** One primary, two standbys that stream, and a row that arrives on both. */
async function isWhole({ lab }: World, primary: string): Promise<void> {
  await awaitHealthy(lab, HOSTS, "main", PORT);
  const standbys = HOSTS.filter((host) => host !== primary);
  expect(await roles(lab, HOSTS, PORT)).toEqual({
    [primary]: "primary",
    ...Object.fromEntries(standbys.map((host) => [host, "standby"])),
  });
  await rowArrives(lab, primary, standbys, { port: PORT, database: "app" });
}

/** Every process of the server there. */
async function isConfined(world: World): Promise<void> {
  expect(await onGuest(world, "getenforce")).toBe("Enforcing");
  const domains = await onGuest(world, "ps -o label= -C postgres | cut -d : -f 3 | sort -u");
  expect(domains).toBe("postgresql_t");
}

describeInFull("selinux", "its guest is emulated and takes ten minutes")("SELinux that enforces", () => {
  suite(
    "selinux",
    () => World.mixed(GUEST_AND_CONTAINERS, aside),
    ({ test }) => {
      /** What Debian's own units are refused, with no cluster there. */
      let distribution: ReadonlySet<string>;

      const newDenials = async ({ lab }: World): Promise<string[]> => {
        const seen = await denials(lab, GUEST);
        return seen.filter(({ what }) => !distribution.has(what)).map(({ line }) => line);
      };

      test("the guest enforces, and what it refuses before there is a cluster is told apart", async (world) => {
        await onGuest(world, LOG_ALL);
        expect(await onGuest(world, "getenforce")).toBe("Enforcing");
        distribution = new Set((await denials(world.lab, GUEST)).map(({ what }) => what));
        process.stderr.write(`selinux: refused without a cluster:\n  ${[...distribution].sort().join("\n  ")}\n`);
      });

      test("the first up makes a guest and two containers one cluster, on a port and in directories of its own", async (world) => {
        must(await world.up(["--skip-preview"]));
        await isWhole(world, "pg2");
        await isConfined(world);
        const labels = await onGuest(world, `stat -c %C ${DATA} ${DATA}/base ${SPACE} | cut -d : -f 3`);
        expect(labels.split("\n")).toEqual(["postgresql_db_t", "postgresql_db_t", "postgresql_db_t"]);
        expect(await onGuest(world, "semanage port -l | grep ^postgresql_port_t")).toMatch(/\b5433\b/);
        expect(await newDenials(world)).toEqual([]);
      });

      test("the next preview finds nothing to do", async (world) => {
        must(await world.preview(["--expect-no-changes"]));
        await isConfined(world);
        expect(await newDenials(world)).toEqual([]);
      });
    },
  );
});
