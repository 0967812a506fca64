import { spawn } from "node:child_process";

export interface RunOptions {
  readonly stdin?: string;
  readonly deadlineMs?: number;
  /** Called with each line of either stream as it comes. */
  readonly onLine?: (line: string) => void;
  readonly env?: NodeJS.ProcessEnv;
  /** What to call this run in errors; default the command line. */
  readonly what?: string;
  /** Its children are killed with it, when the deadline passes, and when this process is told to end, or ends. */
  readonly ownGroup?: boolean;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEFAULT_DEADLINE_MS = 60_000;

function lines(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const parts = (rest + chunk).split(/\r?\n/);
    rest = parts.pop() ?? "";
    parts.forEach(onLine);
  };
}

const groups = new Set<number>();
let isWatched = false;

/** However this process ends, short of a SIGKILL: what it has begun, such as an image, is of no use to anybody. */
function endGroupsWithUs(): void {
  if (isWatched) return;
  isWatched = true;
  process.once("exit", endGroups);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const end = (): void => {
      endGroups();
      if (process.listenerCount(signal) > 1) return;
      // Nobody else wants to do something first, so it does what it does without us.
      process.removeListener(signal, end);
      process.kill(process.pid, signal);
    };
    process.on(signal, end);
  }
}

function endGroups(): void {
  for (const group of groups) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {
      // It has ended a moment ago.
    }
  }
}

/**
 * Runs a program without a shell and returns whatever exit code it ends with (128 + signal as a shell counts).
 * @throws Error when it cannot be started, or did not end within deadlineMs (default 60 s; it is killed then)
 */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv as [string, ...string[]];
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  return new Promise((resolve, reject) => {
    const { env = process.env, ownGroup: detached = false, what = argv.join(" ") } = options;
    // Before there is a child: whoever ended us in between would leave it alone.
    if (detached) endGroupsWithUs();
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env, detached });
    const { pid } = child;
    if (detached && pid !== undefined) groups.add(pid);
    const settle = (): void => {
      clearTimeout(timer);
      if (pid !== undefined) groups.delete(pid);
    };
    const out = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      const feed = options.onLine && lines(options.onLine);
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        out[stream] += chunk;
        feed?.(chunk);
      });
    }
    const timer = setTimeout(() => {
      if (pid !== undefined) process.kill(detached ? -pid : pid, "SIGKILL");
      reject(new Error(`${what}: no end within ${deadlineMs} ms; last output: ${tail(out)}`));
    }, deadlineMs);
    child.on("error", (error) => {
      settle();
      reject(new Error(`cannot run ${program}: ${error.message}`, { cause: error }));
    });
    child.on("close", (code) => {
      settle();
      resolve({ code: code ?? 137, ...out });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
  });
}

function tail(out: { stdout: string; stderr: string }): string {
  return (out.stderr.trim() || out.stdout.trim() || "none").slice(-1000);
}

/** Like run, and any exit code but 0 is an error that carries the end of what the program said. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0)
    throw new Error(`${options.what ?? argv.join(" ")}: exit code ${result.code}: ${tail(result)}`);
  return result.stdout;
}
