import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { projectRoot } from "../../scripts/projectRoot";
import { until } from "../../lab/wait";
import { seconds } from "./support/deadlines";
import { awaitHealthy, roles, rowArrives } from "./support/oracle";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const isFull = process.env.REPMGR_PULUMI_FULL === "1";

/** The actions that are under way when everything is killed, in the order in which ups come to them. */
const MOMENTS: readonly RegExp[] = [
  /initdb/,
  ...(isFull ? [/^settings: /, /start PostgreSQL of n1/] : []),
  /clone n[23]/,
  /register it as standby/,
  ...(isFull ? [/create role app/] : []),
];

/** All processes below one, itself included. */
function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It ended between our two looks.
    }
  }
  const all = [pid];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all;
}

/** Starts an up and kills CLI, language host and provider at once when an action of that kind begins. */
async function killedAt(world: World, moment: RegExp): Promise<void> {
  const { stack, cli } = world;
  const begun = stack.actions().length;
  const args = [
    "up",
    "--yes",
    "--non-interactive",
    "--skip-preview",
    "--stack",
    "e2e",
    "--config-file",
    stack.configFile,
  ];
  const child = spawn(cli.bin, args, {
    cwd: projectRoot(),
    env: { ...process.env, ...stack.environment },
    stdio: "ignore",
  });
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await until(
    `up comes to ${String(moment)}`,
    seconds(180),
    () => {
      const seen = stack.actions().slice(begun);
      if (seen.some(({ why }) => moment.test(why))) return true;
      if (child.exitCode !== null)
        throw new Error(`up ended with ${child.exitCode} before it came to ${String(moment)}`);
      return seen.at(-1)?.why ?? "no action yet";
    },
    5,
  );
  for (const pid of family(child.pid ?? -1)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Its parent was faster.
    }
  }
  await gone;
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
