import { join } from "node:path";
import { ensureLabPackages, Lab, labHome, labProblem } from "../lab";
import { endChildren } from "../scripts/childProcess";
import { ensurePulumi } from "../scripts/pulumiCli";
import { bareHosts } from "./hosts";
import { Stacks } from "./stacks";

const began = Date.now();
/** Of the benchmarks' lab, with the stacks on it. */
export const dir = join(labHome(), "bench");

export function say(line: string): void {
  console.log(`[${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

export function openStacks(secrets: Readonly<Record<string, string>>): Promise<Stacks> {
  return ensurePulumi(say).then((cli) => new Stacks(cli, dir, secrets));
}

/**
 * Runs a benchmark on bare hosts, takes them down and ends the process.
 * @param name what somebody types, for the message of who finds the lab in use
 * @param work measures and prints; false when a limit is missed
 */
export function onLab(name: string, work: (lab: Lab) => Promise<boolean>): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      console.log(`\n${signal}: ending what was started`);
      endChildren("SIGTERM");
      void Lab.open(dir)
        .down()
        .finally(() => process.exit(130));
    });
  }
  measured(name, work).then(
    (holds) => process.exit(holds ? 0 : 1),
    (error: unknown) => {
      console.error(`\nbenchmark failed: ${error instanceof Error ? error.message : String(error)}`);
      process.exit(1);
    },
  );
}

async function measured(name: string, work: (lab: Lab) => Promise<boolean>): Promise<boolean> {
  const problem = labProblem();
  if (problem !== undefined) throw new Error(`the benchmark needs real hosts, and nothing was changed: ${problem}`);
  const lab = Lab.open(dir);
  lab.claim(name);
  await ensureLabPackages(say);
  try {
    await bareHosts(lab);
    return await work(lab);
  } finally {
    await lab.down();
  }
}
