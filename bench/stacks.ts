import { cpSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { lastLine, runChild } from "../scripts/childProcess";
import { projectRoot } from "../scripts/projectRoot";
import type { PulumiCli } from "../scripts/pulumiCli";
import { LocalStack } from "../scripts/stack";
import { timed } from "./measure";

const INSTALL_DEADLINE_MS = 300_000;

/** The stacks that are compared: ours, and one of a program without resources; same CLI, backend, secrets, options. */
export class Stacks {
  constructor(
    private readonly cli: PulumiCli,
    /** Folder of the benchmark; holds inventory.yml. */
    private readonly dir: string,
    private readonly secrets: Readonly<Record<string, string>>,
  ) {}

  /** Ours, with nothing in its state. */
  async fresh(): Promise<LocalStack> {
    (await this.current()).forget();
    return this.current();
  }

  /** Ours, as the last up left it. */
  current(): Promise<LocalStack> {
    return this.open(projectRoot(), "state");
  }

  /** A program without resources as anybody has it: the SDK as npm installs it, without our stand-ins (vendor/). */
  async empty(): Promise<LocalStack> {
    // Outside this tree, or Node would find our stand-ins in a node_modules above.
    const program = join(tmpdir(), "repmgr-pulumi-empty-program");
    cpSync(join(projectRoot(), "bench", "empty"), program, { recursive: true });
    if (!existsSync(join(program, "node_modules", "@pulumi", "pulumi"))) await installSdk(program);
    return this.deployed(program, "empty");
  }

  /** The same program with the SDK as our program loads it. */
  emptyWithOurSdk(): Promise<LocalStack> {
    return this.deployed(join(projectRoot(), "bench", "empty"), "empty-lean");
  }

  private async deployed(program: string, state: string): Promise<LocalStack> {
    const stack = await this.open(program, state);
    await stack.must(["up", "--yes", "--skip-preview", "--non-interactive"]);
    return stack;
  }

  private open(project: string, state: string): Promise<LocalStack> {
    return LocalStack.open({
      cli: this.cli,
      project,
      state: join(this.dir, state),
      name: "bench",
      inventory: relative(projectRoot(), join(this.dir, "inventory.yml")),
      secrets: this.secrets,
    });
  }
}

async function installSdk(program: string): Promise<void> {
  const { code, output } = await runChild({
    what: "install the SDK of the empty program",
    command: "npm",
    args: ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    cwd: program,
    deadlineMs: INSTALL_DEADLINE_MS,
  });
  if (code !== 0) throw new Error(`npm install in ${program}: exit status ${code}: ${lastLine(output)}`);
}

/** Milliseconds. @throws Error with the end of the output when it fails */
export function timeUp(stack: LocalStack, withPreview: boolean): Promise<number> {
  return timed(() => succeed(stack, ["up", "--yes", "--non-interactive", ...(withPreview ? [] : ["--skip-preview"])]));
}

/** Milliseconds. @throws Error when the preview fails or has something to change */
export function timePreview(stack: LocalStack): Promise<number> {
  return timed(() => succeed(stack, ["preview", "--non-interactive", "--expect-no-changes"]));
}

async function succeed(stack: LocalStack, args: readonly string[]): Promise<void> {
  const { code, output } = await stack.pulumi(args);
  if (code === 0) return;
  throw new Error(`pulumi ${args.join(" ")}: exit status ${code}\n${output.trim().slice(-3_000) || lastLine(output)}`);
}
