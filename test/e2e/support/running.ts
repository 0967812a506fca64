import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { until } from "../../../lab/wait";
import { must } from "../../../lab/run";
import type { Finished } from "../../../scripts/childProcess";
import { projectRoot } from "../../../scripts/projectRoot";
import { seconds } from "./deadlines";
import type { World } from "./world";

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** A `pulumi up` that is under way, in a process group of its own, as a shell starts it at a terminal. */
export class RunningUp {
  readonly ended: Promise<Finished>;
  private output = "";
  private hasEnded = false;
  private readonly begun: number;

  private constructor(
    private readonly world: World,
    private readonly child: ChildProcess,
  ) {
    this.begun = world.stack.actions().length;
    const collect = (text: string): void => {
      this.output += text;
      appendFileSync(world.pulumiLog, text);
    };
    child.stdout?.setEncoding("utf8").on("data", collect);
    child.stderr?.setEncoding("utf8").on("data", collect);
    this.ended = new Promise((resolve) => {
      // Not "close": what a killed CLI leaves behind holds its output open.
      child.on("exit", (code) => {
        this.hasEnded = true;
        setImmediate(() => resolve({ code: code ?? 128, stdout: "", output: this.output }));
      });
    });
  }

  static start(world: World): RunningUp {
    const { stack, cli } = world;
    const args = ["up", "--yes", "--non-interactive", "--skip-preview", "--stack", "e2e"];
    appendFileSync(world.pulumiLog, `\n=== up at ${new Date().toISOString()}\n`);
    const child = spawn(cli.bin, [...args, "--config-file", stack.configFile], {
      cwd: projectRoot(),
      env: { ...process.env, ...stack.environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    return new RunningUp(world, child);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("pulumi was not started");
    return this.child.pid;
  }

  /** Everything pulumi has said so far. */
  get said(): string {
    return this.output;
  }

  /** Returns when an action whose why is like that has begun, on that host if one is named. */
  async reaches(moment: RegExp, on?: string): Promise<void> {
    await until(
      `up comes to ${String(moment)} on ${on ?? "any host"}`,
      seconds(120),
      () => {
        const seen = this.world.stack.actions().slice(this.begun);
        if (seen.some(({ why, host }) => moment.test(why) && (on ?? host) === host)) return true;
        if (this.hasEnded)
          throw new Error(`up ended before it came to ${String(moment)}:\n${this.output.slice(-3_000)}`);
        return seen.at(-1)?.why ?? "no action yet";
      },
      5,
    );
  }

  /** As the terminal does at Ctrl-C. */
  interrupt(): void {
    process.kill(-this.pid, "SIGINT");
  }

  /** Those of its processes that are logged in to a host: the provider that works, not one that was never given work. */
  async workers(host: string): Promise<Process[]> {
    const { address } = this.world.lab.host(host);
    const connections = await must(["ss", "-Htnp", "dst", address]);
    return this.processes().filter(({ pid }) => connections.includes(`pid=${pid},`));
  }

  /** The CLI and all processes below it. */
  processes(): Process[] {
    return family(this.pid);
  }
}

/** All processes below one, itself included. */
export function family(root: number): Process[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = read(`/proc/${entry}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const all = [root];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all.map((pid) => ({ pid, command: read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() }));
}

/** Whether it still runs: the same pid with the same command line. */
export function isAlive({ pid, command }: Process): boolean {
  return read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() === command;
}

/** Empty when it ended between our two looks. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
