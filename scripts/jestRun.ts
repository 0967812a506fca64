import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./projectRoot";

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface JestRequest {
  readonly projects: readonly string[];
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** An existing folder: gets the output and the results. */
  readonly logs: string;
  /** Ends jest and everything it started. */
  readonly stop: AbortSignal;
}

interface Results {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

const END_DEADLINE_MS = 10_000;

/** Runs some of jest's projects with its output shown and kept; a suite that cannot be loaded counts as a failed test. */
export async function runJest(request: JestRequest): Promise<Totals> {
  const name = request.projects.join("-");
  const results = join(request.logs, `${name}.json`);
  const code = await spawnJest(request, name, [
    ...["--selectProjects", ...request.projects, "--passWithNoTests"],
    ...["--json", `--outputFile=${results}`, ...request.args],
  ]);
  return readTotals(results, code);
}

export function add(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** jest may fail without a failed test (a leak, a crash, no result file); that must not end as success. */
export function readTotals(file: string, code: number): Totals {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  const results = JSON.parse(readFileSync(file, "utf8")) as Results;
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  return {
    passed: results.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

function spawnJest(request: JestRequest, name: string, args: readonly string[]): Promise<number> {
  const colour = process.stderr.isTTY ? { FORCE_COLOR: "1" } : {};
  const child = spawn(process.execPath, [require.resolve("jest/bin/jest"), ...args], {
    cwd: projectRoot(),
    env: { ...colour, ...request.env },
    // A process group of its own, to end jest's workers and their pulumi together with it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kept = createWriteStream(join(request.logs, `${name}.log`));
  // On stdout jest only says where the results lie.
  child.stdout.pipe(kept, { end: false });
  child.stderr.pipe(kept, { end: false });
  child.stderr.pipe(process.stderr, { end: false });
  const end = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  let killer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    end("SIGTERM");
    killer = setTimeout(() => end("SIGKILL"), END_DEADLINE_MS);
  };
  request.stop.addEventListener("abort", stop, { once: true });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(killer);
      request.stop.removeEventListener("abort", stop);
      kept.end();
      resolve(code ?? 1);
    });
  });
}
