import { isFull } from "./support/fullOnly";
import { awaitHealthy, roles, rowArrives } from "./support/oracle";
import { RunningUp } from "./support/running";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** The actions that are under way when everything is killed, in the order in which ups come to them. */
const MOMENTS: readonly RegExp[] = [
  /initdb/,
  ...(isFull ? [/^settings: /, /start PostgreSQL of n1/] : []),
  /clone n[23]/,
  /register it as standby/,
  ...(isFull ? [/create role app/] : []),
];

/** Starts an up and kills CLI, language host and provider at once when an action of that kind begins. */
async function killedAt(world: World, moment: RegExp): Promise<void> {
  const up = RunningUp.start(world);
  await up.reaches(moment);
  for (const { pid } of up.processes()) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Its parent was faster.
    }
  }
  await up.ended;
}

suite(
  "an up that is killed",
  () => World.fresh(),
  ({ test }) => {
    for (const moment of MOMENTS) {
      test(`while ${moment.source}: the lock it leaves is removed with pulumi cancel`, async (world) => {
        await killedAt(world, moment);
        const blocked = await world.up(["--skip-preview"]);
        expect(blocked.code).not.toBe(0);
        expect(blocked.output).toMatch(/pulumi cancel/);
        must(await world.stack.pulumi(["cancel", "--yes"]));
      });
    }

    test("the next up finishes the work: one cluster, one primary, nothing twice", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
      expect(await roles(world.lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
      await rowArrives(world.lab, "pg1", ["pg2", "pg3"], { database: "app" });
    });

    test("and nothing is left to do", async (world) => {
      const { output } = must(await world.preview(["--expect-no-changes"]));
      expect(output).not.toMatch(/pending operation/);
    });
  },
);
