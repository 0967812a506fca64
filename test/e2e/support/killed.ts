import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { projectRoot } from "../../../scripts/projectRoot";
import { until } from "../../../lab/wait";
import { seconds } from "./deadlines";
import type { World } from "./world";

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

/** @param whys of the actions begun so far, the last one under way */
export type Moment = (whys: readonly string[]) => boolean;

/**
 * Starts an up or a destroy and kills CLI, language host and provider with SIGKILL at a moment.
 * @returns false when it came to its end before, without a failure
 * @throws Error when it failed before
 */
export async function killedAt(world: World, command: "up" | "destroy", moment: Moment): Promise<boolean> {
  const { stack, cli } = world;
  const begun = stack.actions().length;
  const skip = command === "up" ? ["--skip-preview"] : [];
  const args = [command, "--yes", "--non-interactive", ...skip, "--stack", "e2e", "--config-file", stack.configFile];
  const child = spawn(cli.bin, args, {
    cwd: projectRoot(),
    env: { ...process.env, ...stack.environment },
    stdio: "ignore",
  });
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const seen = { isKilled: false };
  await until(
    `${command} comes to its moment or its end`,
    seconds(180),
    () => {
      const whys = stack
        .actions()
        .slice(begun)
        .map(({ why }) => why);
      seen.isKilled = child.exitCode === null && moment(whys);
      return seen.isKilled || child.exitCode !== null || (whys.at(-1) ?? "no action yet");
    },
    5,
  );
  if (!seen.isKilled && child.exitCode !== 0)
    throw new Error(`${command} ended with ${child.exitCode} before its moment`);
  if (seen.isKilled) {
    for (const pid of family(child.pid ?? -1)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Its parent was faster.
      }
    }
  }
  await gone;
  return seen.isKilled;
}
