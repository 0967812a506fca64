import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { isFull } from "./support/fullOnly";
import { seconds } from "./support/deadlines";
import { awaitPrimary, role, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";
import { WriteProbe } from "./support/writeProbe";

const OLD = "pg1";
const OTHERS = ["pg2", "pg3"];
/** Before the failover, and as many after it. */
const PREVIEWS = isFull ? 25 : 3;

/** Reviews of a cluster that an application writes to all the time: nothing differs, so nothing may be shown. */
async function reviewsAreClean(world: World, primary: string): Promise<void> {
  const logged = world.stack.actions().length;
  for (let count = 0; count < PREVIEWS; count++) {
    const { stdout } = must(await world.preview(["--json", "--expect-no-changes"]));
    expect(consequencesOf(stdout)).toEqual([
      expect.stringContaining(`nothing to do; ${primary} is primary on timeline`),
    ]);
  }
  expect(world.stack.actions()).toHaveLength(logged);
}

suite(
  "the primary's host loses power",
  () => World.deployed(),
  ({ test }) => {
    const running: { stop(): void }[] = [];
    let writer: Writer;
    let probes = new Map<string, WriteProbe>();
    let cutAt = 0;
    let heir = "";

    afterAll(() => {
      for (const one of running) one.stop();
    });

    test("an application writes", async (world) => {
      const { lab } = world;
      await sql(lab, OLD, "set role app; create table asked (at timestamptz default clock_timestamp())", {
        database: "app",
      });
      const passFile = world.passFile();
      probes = new Map(
        HOSTS.map((host) => {
          const url = `postgresql://app@${lab.host(host).address}:5432/app?application_name=probe`;
          return [host, new WriteProbe(url, passFile)] as const;
        }),
      );
      probes.forEach((probe) => probe.start());
      writer = new Writer(await world.connection(), passFile);
      running.push(writer, ...probes.values());
      writer.start();
      await until("the application writes", seconds(30), () => writer.acknowledged.length > 40 || writer.lastError);
    });

    test(`${PREVIEWS} reviews under write load show nothing`, (world) => reviewsAreClean(world, "n1"));

    test("a standby takes over and the application writes again", async ({ lab }) => {
      cutAt = Date.now();
      await lab.poweroff(OLD);
      heir = await awaitPrimary(lab, OTHERS);
      const rows = writer.acknowledged.length;
      await until(
        "the application writes again",
        seconds(60),
        () => writer.acknowledged.length > rows + 20 || writer.lastError,
      );
      process.stdout.write(`writes were refused for ${writer.longestGapMs(cutAt)} ms\n`);
    });

    test("the old primary's host comes back: its PostgreSQL refuses to start beside the new one", async ({ lab }) => {
      await lab.poweron(OLD);
      await until("the start guard has decided", seconds(60), async () => {
        const state = await sh(lab, OLD, "systemctl show -p ActiveState --value postgresql-main");
        return state === "failed" || `postgresql-main is ${state}`;
      });
      const said = await sh(lab, OLD, "journalctl -q -b -o cat -u postgresql-main");
      expect(said).toMatch(/would be a second one|was promoted meanwhile/);
      expect(said).toContain("Type: pulumi up");
      expect(await role(lab, OLD)).toBe("down");
    });

    test("the preview says what happened to the node and what up would do", async (world) => {
      const { stdout } = must(await world.preview(["--json"]));
      const shown = changesOf(stdout).map(
        ({ resource, property, found }) => `${resource} ${property}: ${String(found)}`,
      );
      expect(shown).toEqual([
        expect.stringMatching(/^RepmgrNode pg1\/main state: down: was primary on timeline 1/) as string,
        // Beside a PostgreSQL that is down there is nothing to watch.
        "SystemdUnit pg1/repmgrd-main.service running: false",
      ]);
      const lines = consequencesOf(stdout);
      expect(lines.filter((line) => line.includes("rejoin it as a standby"))).toHaveLength(1);
      expect(lines.join("\n")).not.toMatch(/restart|refused/);
      expect(await role(world.lab, heir)).toBe("primary");
    });

    test("up brings it back as a standby, and the new primary stays", async (world) => {
      must(await world.up());
      expect(await role(world.lab, heir)).toBe("primary");
      expect(await role(world.lab, OLD)).toBe("standby");
      await rowArrives(
        world.lab,
        heir,
        HOSTS.filter((host) => host !== heir),
        { database: "app" },
      );
    });

    test(`${PREVIEWS} reviews after the failover show nothing`, (world) =>
      reviewsAreClean(world, heir.replace("pg", "n")));

    test("at no moment did two nodes take writes", () => {
      probes.forEach((probe) => probe.stop());
      const spans = [...probes]
        .map(([host, { accepted }]) => ({ host, first: accepted[0], last: accepted.at(-1) }))
        .flatMap(({ host, first, last }) => (first === undefined || last === undefined ? [] : [{ host, first, last }]))
        .sort((a, b) => a.first - b.first);
      expect(spans.map(({ host }) => host)).toEqual([OLD, heir]);
      expect(spans[0]?.last).toBeLessThan(spans[1]?.first ?? 0);
      return Promise.resolve();
    });

    test("no acknowledged row is lost but those of the last second, which asynchronous replication risks", async ({
      lab,
    }) => {
      writer.stop();
      const kept = new Set((await sql(lab, heir, "select id from tick", { database: "app" })).split("\n").map(Number));
      const lost = writer.acknowledged.filter(({ id }) => !kept.has(id));
      process.stdout.write(`rows acknowledged: ${writer.acknowledged.length}, of these lost: ${lost.length}\n`);
      expect(writer.acknowledged.length).toBeGreaterThan(100);
      for (const { at } of lost) expect(cutAt - at).toBeLessThan(1_000);
    });
  },
);
