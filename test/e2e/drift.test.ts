import { run } from "../../lab/run";
import { isFull } from "./support/fullOnly";
import { awaitHealthy, role, rowArrives, sh } from "./support/oracle";
import { BY_CONTENT, declareContent, TABLES } from "./support/driftByContent";
import { driftGroup } from "./support/driftGroup";
import type { Row } from "./support/driftRow";
import { GROUPS, OWN } from "./support/driftRows";
import { consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** --full does one thing at a time: then nothing can hide behind another. */
const split = (rows: readonly Row[]): (readonly Row[])[] => {
  const isSplit = isFull && rows.every(({ shows }) => Object.keys(shows).length > 0);
  return isSplit && !rows.some(({ what }) => what.includes("slot")) ? rows.map((row) => [row]) : [rows];
};

suite(
  "drift",
  () => World.deployed(),
  ({ test }) => {
    test("a person has things of their own on the hosts", async ({ lab }) => {
      await sh(lab, OWN.host, OWN.how);
    });

    const shown = (rows: readonly Row[], name: string): void => {
      const title = rows.length === 1 ? (rows[0]?.what ?? "") : `${name}, ${rows.length} things at once`;
      // A repair may restart a standby, never the primary.
      driftGroup(test, title, rows, ["pg1"]);
    };

    GROUPS.flatMap(split).forEach((rows, index) => shown(rows, `group ${index + 1}`));

    test("everything inside the database is declared, with checks and a setting of the kernel", async (world) => {
      await sh(world.lab, TABLES.host, TABLES.how);
      world.edit(declareContent);
      must(await world.up(["--skip-preview"]));
    });

    split(BY_CONTENT).forEach((rows) => shown(rows, "what is inside the database, and beside it"));

    test("the application logs in with its password", async (world) => {
      const env = { ...process.env, PGPASSFILE: world.passFile() };
      const { stdout, stderr } = await run(["psql", "-XAtc", "select 1", await world.connection()], { env });
      expect([stdout.trim(), stderr.trim()]).toEqual(["1", ""]);
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
