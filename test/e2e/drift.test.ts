import { equal } from "../../providers/canonical";
import { awaitHealthy, postmaster, role, rowArrives, sh } from "./support/oracle";
import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import type { Row } from "./support/driftRow";
import { GROUPS, OWN } from "./support/driftRows";
import { type Change, changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** --full does one thing at a time: then nothing can hide behind another. */
const groups = GROUPS.flatMap((rows) => {
  const isSplit = process.env.REPMGR_PULUMI_FULL === "1" && rows.every(({ shows }) => Object.keys(shows).length > 0);
  return isSplit && !rows.some(({ what }) => what.includes("slot")) ? rows.map((row) => [row]) : [rows];
});

async function isRepaired({ lab }: World, { host, what, repaired }: Row): Promise<void> {
  await until(`it is undone that ${what}`, seconds(15), async () => {
    const { code, stdout, stderr } = await lab.exec(host, repaired);
    return code === 0 || `${stdout}${stderr}`.trim() || `exit status ${code}`;
  });
}

/** Exactly these properties of exactly these resources, as "resource property". */
function expected(rows: readonly Row[]): string[] {
  const all = rows.flatMap(({ resource, shows }) => Object.keys(shows).map((property) => `${resource} ${property}`));
  return [...new Set(all)].sort();
}

function isShown({ resource, shows }: Row, changes: readonly Change[]): void {
  for (const [property, wanted] of Object.entries(shows)) {
    const change = changes.find((c) => c.resource === resource && c.property === property);
    const { found } = change ?? { found: "nothing" };
    const isRight = typeof wanted === "function" ? (wanted as (v: unknown) => boolean)(found) : equal(found, wanted);
    expect({ resource, property, found, isRight }).toEqual({ resource, property, found, isRight: true });
    expect(change?.wanted).not.toEqual(found);
  }
}

suite(
  "drift",
  () => World.deployed(),
  ({ test }) => {
    test("a person has things of their own on the hosts", async ({ lab }) => {
      await sh(lab, OWN.host, OWN.how);
    });

    groups.forEach((rows, index) => {
      const title = rows.length === 1 ? (rows[0]?.what ?? "") : `group ${index + 1}, ${rows.length} things at once`;
      describe(title, () => {
        let changes: Change[] = [];
        let started: string[] = [];

        test("is done by hand", async ({ lab }) => {
          for (const { host, how } of rows) await sh(lab, host, how);
          started = await Promise.all(HOSTS.map((host) => postmaster(lab, host)));
        });

        test("a preview changes nothing, and shows exactly that", async (world) => {
          const logged = world.stack.actions().length;
          const { stdout } = must(await world.preview(["--json"]));
          expect(world.stack.actions()).toHaveLength(logged);
          changes = changesOf(stdout);
          expect([...new Set(changes.map(({ resource, property }) => `${resource} ${property}`))].sort()).toEqual(
            expected(rows),
          );
          expect(consequencesOf(stdout)).not.toContainEqual(expect.stringContaining("nothing to do"));
        });

        for (const row of rows) {
          test(`it shows what was found: ${row.what}`, () => {
            isShown(row, changes);
            return Promise.resolve();
          });
        }

        test("up repairs exactly that", async (world) => {
          const logged = world.stack.actions().length;
          must(await world.up(["--skip-preview"]));
          for (const row of rows) await isRepaired(world, row);
          const acted = world.stack.actions().slice(logged);
          const allowed = rows.flatMap(({ resource, alsoActs }) => [resource, alsoActs]);
          expect(acted.filter(({ resource }) => !allowed.includes(resource))).toEqual([]);
          const [primary] = await Promise.all(HOSTS.map((host) => postmaster(world.lab, host)));
          expect(primary).toBe(started[0]);
        });
      });
    });

    test("the person's own is as it was; nobody was promoted, rows arrive", async ({ lab }) => {
      await sh(lab, OWN.host, OWN.isThere);
      expect(await role(lab, "pg1")).toBe("primary");
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
    });

    test("the next preview is clean", async (world) => {
      const { stdout } = must(await world.preview(["--json", "--expect-no-changes"]));
      expect(consequencesOf(stdout)).toEqual(["cluster main: nothing to do; n1 is primary on timeline 1"]);
    });
  },
);
