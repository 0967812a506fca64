import { spawn } from "node:child_process";
import type { Lab } from "../../../lab";

/**
 * Asks one node the same thing twenty times a second, past everything that is tested, until it is stopped.
 * @returns ends it; returns every line that was answered, in order, without repetitions in a row
 */
export function watchSql(lab: Lab, host: string, database: string, query: string): () => string[] {
  const psql = `runuser -u postgres -- env -C / psql -XAtq ${database}`;
  const [program, ...args] = lab.execArgv(host, psql) as [string, ...string[]];
  // A group of its own: what runs inside the host outlives the command that entered it.
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "ignore"], detached: true });
  const seen: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line !== "" && line !== seen.at(-1)) seen.push(line);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${query} \\watch 0.05\n`);
  return () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended with the server it asked.
    }
    child.stdout.destroy();
    return seen;
  };
}
