import { until } from "../../../lab/wait";
import { equal } from "../../../providers/canonical";
import { seconds } from "./deadlines";
import type { Row } from "./driftRow";
import { awaitWatched, postmaster, sh } from "./oracle";
import { type Change, changesOf, consequencesOf, plansOf } from "./previewSteps";
import type { Suite } from "./suite";
import { must, type World } from "./world";

/**
 * The tests of rows that are done, shown and repaired together.
 * @param goOn hosts whose PostgreSQL is not restarted by the repair
 */
export function driftGroup(test: Suite["test"], title: string, rows: readonly Row[], goOn: readonly string[]): void {
  describe(title, () => {
    let changes: Change[] = [];
    let plans: Record<string, string> = {};
    let started: string[] = [];
    const postmasters = ({ lab }: World): Promise<string[]> => Promise.all(goOn.map((host) => postmaster(lab, host)));

    test("is done by hand", async (world) => {
      // A repmgrd that still looks for its upstream after the repair before would meet what is done here.
      await awaitWatched(world.lab, ["pg2", "pg3"], 1);
      for (const { host, how } of rows) await sh(world.lab, host, how);
      started = await postmasters(world);
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
      plans = plansOf(stdout);
    });

    for (const row of rows) {
      test(`it shows what was found: ${row.what}`, () => {
        isShown(row, changes);
        expect(plans[row.resource] ?? "").toContain(row.will ?? "");
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
      expect(await postmasters(world)).toEqual(started);
    });
  });
}

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
