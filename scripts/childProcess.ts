import { spawn } from "node:child_process";

/** A finished child process; `output` is stdout and stderr in the order they came. */
export interface Finished {
  /** Exit status; 128 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

export interface ChildRequest {
  /** What it is for, in the words an error message shall use. */
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly deadlineMs: number;
  /** The only way a secret may travel; without it stdin is empty. */
  readonly stdin?: string;
  /** Called with every piece of output as it comes; without it the output is only collected. */
  readonly onOutput?: (text: string) => void;
}

// Children lead a process group of their own, so that a deadline also ends what they started (go starts compilers,
// npm starts shells). The terminal's Ctrl-C then reaches only us, and we have to pass it on.
const groups = new Set<number>();

/** Ends every process group started by runChild that is still alive. */
export function endChildren(signal: NodeJS.Signals = "SIGTERM"): void {
  for (const pid of groups) signalGroup(pid, signal);
}

/**
 * Runs a command to its end and collects what it prints.
 * @throws Error when it cannot be started, or has not ended within deadlineMs; the message tells its last line
 */
export function runChild(request: ChildRequest): Promise<Finished> {
  const child = spawn(request.command, [...request.args], {
    cwd: request.cwd,
    env: request.env,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined).end(request.stdin ?? "");
  let stdout = "";
  let output = "";
  const collect = (text: string): void => {
    output += text;
    request.onOutput?.(text);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    collect(text);
  });
  child.stderr.setEncoding("utf8").on("data", collect);
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (pid !== undefined) signalGroup(pid, "SIGKILL");
    }, request.deadlineMs);
    const settle = (): void => {
      clearTimeout(timer);
      if (pid !== undefined) groups.delete(pid);
    };
    child.on("error", (error) => {
      settle();
      reject(new Error(`${request.what}: ${request.command} cannot be started: ${error.message}`));
    });
    child.on("close", (code) => {
      settle();
      if (late) reject(lateError(request, output));
      else resolve({ code: code ?? 128, stdout, output });
    });
  });
}

/** The last line of a text that is not blank, for an error message. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").pop()?.trim() ?? "";
}

function lateError(request: ChildRequest, output: string): Error {
  const seen = lastLine(output);
  const seconds = Math.round(request.deadlineMs / 1000);
  return new Error(`${request.what}: not done after ${seconds} s; last output: ${seen === "" ? "none" : seen}`);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group ended by itself between our look and the signal.
  }
}
