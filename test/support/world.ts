import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Executor } from "../../actions/executor";
import { ActionLog, type LoggedAction } from "../../actions/log";
import { FactLoader } from "../../facts/loader";
import type { World } from "../../providers/lifecycle";
import { SshPool } from "../../ssh/pool";
import type { HostConnection, RunRequest, RunResult, Shell } from "../../ssh/types";
import type { SshServer } from "./sshServer";

/** When the connection goes down at an action: before it did anything, or after all of it but its answer. */
export type Cut = "before" | "after";

/** Everything below the lifecycle, for real: pool, fact loader, executor and action log, on the scratch server. */
export class ScratchWorld implements World, Shell {
  readonly pool = new SshPool({ secrets: () => undefined });
  readonly facts = new FactLoader(this);
  /** Every run as it was sent, probes and actions. */
  readonly sent: RunRequest[] = [];
  private readonly logFile: string;
  private cutAt: { action: number; how: Cut } | undefined;

  constructor(private readonly server: SshServer) {
    this.logFile = join(server.scratch, "actions.jsonl");
  }

  /** The connection goes down at the action with this number, counted from now on, from 0. */
  cut(action: number, how: Cut): void {
    this.cutAt = { action, how };
  }

  /** Whether a cut was asked for and never happened, because there are no so many actions. */
  isWhole(): boolean {
    const isWhole = this.cutAt !== undefined;
    this.cutAt = undefined;
    return isWhole;
  }

  /** The log of what may have changed the host, since the last call. */
  takeLog(): LoggedAction[] {
    if (!existsSync(this.logFile)) return [];
    const lines = readFileSync(this.logFile, "utf8").trim().split("\n");
    rmSync(this.logFile);
    return lines.map((line) => JSON.parse(line) as LoggedAction);
  }

  open(host: HostConnection): Promise<void> {
    return this.pool.open(host);
  }

  async run(host: HostConnection, request: RunRequest): Promise<RunResult> {
    this.sent.push(request);
    // Where the tests do not run as root, the place of the batch's answers must be another.
    const script =
      process.getuid?.() === 0 ? request.script : `repmgr_pulumi_run='${this.server.scratch}'\n${request.script}`;
    const isProbe = request.what.startsWith("read the facts");
    if (this.cutAt === undefined || isProbe || this.cutAt.action-- > 0)
      return this.pool.run(host, { ...request, script });
    const { how } = this.cutAt;
    this.cutAt = undefined;
    const marker = join(this.server.scratch, "cut-here");
    rmSync(marker, { force: true });
    const signal = `: >${marker}; sleep 0.2`;
    const broken = how === "before" ? `${signal}; exit 9\n${script}` : `( ${script}\n)\n${signal}`;
    const outcome = this.pool.run(host, { ...request, script: broken });
    const watch = setInterval(() => {
      if (existsSync(marker)) this.server.cut();
    }, 5);
    return outcome.finally(() => clearInterval(watch));
  }

  /** What who runs a preview is told. */
  readonly said: string[] = [];
  say = (line: string): void => void this.said.push(line);
  claims = () => [];
  /** Hosts that the inventory calls lost. */
  readonly lost = new Set<string>();
  isLost = (host: string): boolean => this.lost.has(host);
  /** Hosts whose login may become postgres only. */
  readonly restricted = new Set<string>();
  isRestricted = (host: string): boolean => this.restricted.has(host);
  review = () => ({ ask: this.asking(false) });
  fresh = () => ({ ask: this.asking(true) });
  apply: World["apply"] = (resource, _reach, actions) =>
    new Executor(this, this.facts, new ActionLog(this.logFile), (name) => this.server.host({ name })).apply(
      resource,
      actions,
    );

  close(): Promise<void> {
    return this.pool.close();
  }

  private asking(fresh: boolean): ReturnType<World["review"]>["ask"] {
    return (host, probe) => this.facts.ask(this.server.host({ name: host }), probe, fresh);
  }
}
