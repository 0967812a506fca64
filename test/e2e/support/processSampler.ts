import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 40;

/**
 * Every command line that runs on this machine while it is on. The lab's hosts are containers of this machine, so
 * their processes are seen here, too.
 */
export class ProcessSampler {
  readonly commandLines = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        if (line !== "") this.commandLines.add(line);
      } catch {
        // It ended between our two looks.
      }
    }
  }
}
