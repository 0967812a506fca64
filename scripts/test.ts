import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBase, ensureLabPackages, Lab, labProblem } from "../lab";
import { projectRoot } from "./projectRoot";
import { endChildren } from "./childProcess";
import { add, runJest, type Totals } from "./jestRun";
import { ensurePulumi } from "./pulumiCli";

/** A first deploy on a slow machine, with time to spare; tests of the lab carry their own shorter deadlines. */
const E2E_TIMEOUT_MS = 900_000;

interface Run {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logs: string;
  readonly stop: AbortSignal;
}

const started = Date.now();
const say = (line: string): void => {
  console.log(`[${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}`);
};

async function main(): Promise<number> {
  const given = process.argv.slice(2);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) say(`${signal}: ending the tests and taking the lab down`);
      stopping.abort();
      endChildren();
    });
  }
  const logs = join(projectRoot(), "logs", `test-${new Date().toISOString().replace(/[:.]/g, "-")}`);
  mkdirSync(logs, { recursive: true });
  const env = { ...process.env, ...(given.includes("--full") ? { REPMGR_PULUMI_FULL: "1" } : {}) };
  const run: Run = { args: given.filter((arg) => arg !== "--full"), env, logs, stop: stopping.signal };
  let totals = await runJest({ ...run, projects: ["unit", "contract", "program"] });
  if (!stopping.signal.aborted) totals = add(totals, await endToEnd(run));
  say(`logs: ${logs}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  if (stopping.signal.aborted) return 130;
  return totals.failed === 0 ? 0 : 1;
}

async function endToEnd(run: Run): Promise<Totals> {
  const suites = e2eSuites();
  if (suites.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const problem = labProblem();
  if (problem !== undefined) {
    say(`${suites.length} suites cannot run here (${suites.join(", ")}): ${problem}`);
    return { passed: 0, failed: 0, skipped: suites.length };
  }
  try {
    const cli = await ensurePulumi(say);
    return await onLabs({ ...run, env: { ...run.env, ...cli.env } });
  } catch (error) {
    say(`the e2e suites did not run: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: suites.length };
  }
}

/**
 * On labs of their own, so that one a person keeps for a demo is left alone; their snapshots stay for the next time. Two,
 * because a suite waits more than it works: for a failover to be noticed, a host to boot, a timeout to pass.
 */
async function onLabs(run: Run): Promise<Totals> {
  await ensureLabPackages(say);
  await ensureBase(say);
  const first = process.env.REPMGR_PULUMI_LAB ?? join(projectRoot(), ".lab", "test");
  const labs = [first, `${first}-2`].map((directory) => Lab.open(directory));
  for (const lab of labs) lab.claim("npm test");
  try {
    return await runJest({
      ...run,
      projects: ["e2e"],
      args: [`--maxWorkers=${labs.length}`, `--testTimeout=${E2E_TIMEOUT_MS}`, ...run.args],
      // process.env again: claim has just named the session in it.
      env: {
        ...{ ...process.env, ...run.env },
        ...{ REPMGR_PULUMI_LABS: JSON.stringify(labs.map(({ dir }) => dir)), REPMGR_PULUMI_LOGS: run.logs },
      },
    });
  } finally {
    for (const lab of labs) {
      await lab.down();
      lab.release();
    }
  }
}

function e2eSuites(): string[] {
  return readdirSync(join(projectRoot(), "test", "e2e"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.replace(/\.test\.ts$/, ""));
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
