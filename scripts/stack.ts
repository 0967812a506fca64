import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lastLine, runChild, type Finished } from "./childProcess";
import type { PulumiCli } from "./pulumiCli";

export interface StackRequest {
  readonly cli: PulumiCli;
  /** Folder of Pulumi.yaml. */
  readonly project: string;
  /** PULUMI_BACKEND_URL; default: the folder `state`. */
  readonly backend?: string;
  /** Folder that holds backend, passphrase, stack configuration and action log; made when missing, 0700. */
  readonly state: string;
  readonly name: string;
  /** Path of the inventory, relative to the project. */
  readonly inventory: string;
  /** Stack secrets by name; made up once for those that are undefined. */
  readonly secrets: Readonly<Record<string, string | undefined>>;
}

const DEADLINE_MS = 15 * 60_000;

/** A stack on a local file backend of its own, driven through the CLI as a person would. */
export class LocalStack {
  private constructor(
    private readonly request: StackRequest,
    /** To be laid over process.env for a pulumi command typed by hand. */
    readonly environment: Readonly<Record<string, string>>,
  ) {}

  get name(): string {
    return this.request.name;
  }

  /** Every change that was made on a host, a line of JSON each. */
  get actionLog(): string {
    return join(this.request.state, "actions.jsonl");
  }

  /** Holds the stack's secrets, encrypted; beside the state, so that nothing secret enters the working tree. */
  get configFile(): string {
    return join(this.request.state, `Pulumi.${this.request.name}.yaml`);
  }

  /** Opens the stack and makes what is missing of it. */
  static async open(request: StackRequest): Promise<LocalStack> {
    mkdirSync(request.state, { recursive: true, mode: 0o700 });
    const passphrase = join(request.state, "passphrase");
    if (!existsSync(passphrase)) writeFileSync(passphrase, randomBytes(24).toString("base64url"), { mode: 0o600 });
    const stack = new LocalStack(request, {
      ...request.cli.env,
      PULUMI_BACKEND_URL: request.backend ?? `file://${request.state}`,
      PULUMI_CONFIG_PASSPHRASE_FILE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      REPMGR_PULUMI_ACTION_LOG: join(request.state, "actions.jsonl"),
    });
    await stack.configure();
    return stack;
  }

  /** Runs `pulumi ARGS` on this stack. @throws Error when it cannot be started or has not ended in time */
  pulumi(args: readonly string[], onOutput?: (text: string) => void): Promise<Finished> {
    // These know no --config-file, and write the salt of a new stack beside the Pulumi.yaml they find.
    const ofStack = args[0] === "stack" || args[0] === "cancel";
    return runChild({
      what: `pulumi ${args[0] ?? ""}`,
      command: this.request.cli.bin,
      args: [...args, "--stack", this.request.name, ...(ofStack ? [] : ["--config-file", this.configFile])],
      cwd: ofStack ? this.request.state : this.request.project,
      env: { ...process.env, ...this.environment },
      deadlineMs: DEADLINE_MS,
      ...(onOutput === undefined ? {} : { onOutput }),
    });
  }

  up(onOutput?: (text: string) => void, more: readonly string[] = []): Promise<Finished> {
    return this.pulumi(["up", "--yes", "--non-interactive", ...more], onOutput);
  }

  preview(onOutput?: (text: string) => void, more: readonly string[] = []): Promise<Finished> {
    return this.pulumi(["preview", "--diff", "--non-interactive", ...more], onOutput);
  }

  destroy(onOutput?: (text: string) => void): Promise<Finished> {
    return this.pulumi(["destroy", "--yes", "--non-interactive"], onOutput);
  }

  async outputs(): Promise<unknown> {
    return JSON.parse((await this.must(["stack", "output", "--json"])).stdout) as unknown;
  }

  /** The whole state as the backend keeps it. */
  async exported(): Promise<string> {
    return (await this.must(["stack", "export"])).stdout;
  }

  async secret(name: string): Promise<string> {
    return (await this.must(["config", "get", name])).stdout.trimEnd();
  }

  /** The lines of the action log, oldest first. */
  actions(): { resource: string; host: string; do: string; why: string }[] {
    if (!existsSync(this.actionLog)) return [];
    const lines = readFileSync(this.actionLog, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as { resource: string; host: string; do: string; why: string });
  }

  /** Forgets the stack and everything kept for it; hosts are not touched. */
  forget(): void {
    rmSync(this.request.state, { recursive: true, force: true });
  }

  async must(args: readonly string[]): Promise<Finished> {
    const done = await this.pulumi(args);
    if (done.code !== 0)
      throw new Error(`pulumi ${args.join(" ")}: exit status ${done.code}: ${lastLine(done.output)}`);
    return done;
  }

  private async configure(): Promise<void> {
    const { inventory, secrets, project, state } = this.request;
    copyFileSync(join(project, "Pulumi.yaml"), join(state, "Pulumi.yaml"));
    if (!existsSync(this.configFile)) {
      // Pulumi.yaml declares the inventory, so without it even "pulumi config" refuses to answer.
      writeFileSync(this.configFile, `config:\n  repmgr-pulumi:inventory: ${JSON.stringify(inventory)}\n`);
    }
    await this.must(["stack", "select", "--create"]);
    const have = JSON.parse((await this.must(["config", "--json"])).stdout) as Record<string, { value?: string }>;
    if (have["repmgr-pulumi:inventory"]?.value !== inventory)
      await this.must(["config", "set", "inventory", inventory]);
    for (const [secret, value] of Object.entries(secrets)) {
      if (have[`repmgr-pulumi:${secret}`] !== undefined) continue;
      await this.setSecret(secret, value ?? randomBytes(18).toString("base64url"));
    }
  }

  /** The value goes through stdin: a command line can be read by every user of this machine. */
  async setSecret(name: string, value: string): Promise<void> {
    const done = await runChild({
      what: `pulumi config set --secret ${name}`,
      command: this.request.cli.bin,
      args: ["config", "set", "--secret", name, "--stack", this.request.name, "--config-file", this.configFile],
      cwd: this.request.project,
      env: { ...process.env, ...this.environment },
      deadlineMs: DEADLINE_MS,
      stdin: value,
    });
    if (done.code !== 0) throw new Error(`pulumi config set --secret ${name}: ${lastLine(done.output)}`);
  }
}
