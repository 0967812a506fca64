import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Lab, labProblem } from "../lab";
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
    return await onLab({ ...run, env: { ...run.env, ...cli.env } });
  } catch (error) {
    say(`the e2e suites did not run: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: suites.length };
  }
}

/** On a lab of its own, so that one a person keeps for a demo is left alone; its snapshots stay for the next time. */
async function onLab(run: Run): Promise<Totals> {
  const directory = process.env.REPMGR_PULUMI_LAB ?? join(projectRoot(), ".lab", "test");
  const lab = Lab.open(directory);
  lab.claim("npm test");
  try {
    return await runJest({
      ...run,
      projects: ["e2e"],
      args: ["--maxWorkers=1", `--testTimeout=${E2E_TIMEOUT_MS}`, ...run.args],
      // process.env again: claim has just named the session in it.
      env: { ...process.env, ...run.env, REPMGR_PULUMI_LAB: directory, REPMGR_PULUMI_LOGS: run.logs },
    });
  } finally {
    await lab.down();
    lab.release();
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
