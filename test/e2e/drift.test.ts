import { awaitHealthy, role, rowArrives, sh } from "./support/oracle";
import { driftGroup } from "./support/driftGroup";
import { GROUPS, OWN } from "./support/driftRows";
import { consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** --full does one thing at a time: then nothing can hide behind another. */
const groups = GROUPS.flatMap((rows) => {
  const isSplit = process.env.REPMGR_PULUMI_FULL === "1" && rows.every(({ shows }) => Object.keys(shows).length > 0);
  return isSplit && !rows.some(({ what }) => what.includes("slot")) ? rows.map((row) => [row]) : [rows];
});

suite(
  "drift",
  () => World.deployed(),
  ({ test }) => {
    test("a person has things of their own on the hosts", async ({ lab }) => {
      await sh(lab, OWN.host, OWN.how);
    });

    groups.forEach((rows, index) => {
      const title = rows.length === 1 ? (rows[0]?.what ?? "") : `group ${index + 1}, ${rows.length} things at once`;
      // A repair may restart a standby, never the primary.
      driftGroup(test, title, rows, ["pg1"]);
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
