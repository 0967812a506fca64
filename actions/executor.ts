import type { FactLoader } from "../facts/loader";
import { isRestricted } from "../ssh/restricted";
import { rootOnce } from "../ssh/sudoRefusal";
import type { HostConnection, Shell } from "../ssh/types";
import type { ActionLog } from "./log";
import { type Action, type Bracket, type MakeFile, type PutFile, rootOnly, type Run, type WaitFor } from "./action";
import { putFileFailure, putFileScript } from "./putFile";
import { NEVER, Stopped, untilGivenUp } from "./stop";

const RUN_DEADLINE_MS = 60_000;
const POLL_MS = 150;
/** How long an action that has begun may take after a stop: most are done in a moment, a clone is not. */
const GRACE_MS = 10_000;

/** What an Executor takes besides. */
export interface ExecutorOptions {
  /** Aborted when no more work is wanted; its reason is a Stopped. */
  readonly stop?: AbortSignal;
  /** Default 10 000. */
  readonly graceMs?: number;
}

/** An action that did not do what it was planned for. Carries no stdin, so no secret. */
export class ActionFailed extends Error {
  constructor(
    readonly action: Action,
    detail: string,
  ) {
    super(`${action.host}: ${detail}\n  while: ${action.why}`);
    this.name = "ActionFailed";
  }
}

/** Something was to be done that needs root, where the login may become postgres only. Nothing was sent. */
export class NeedsRoot extends Error {
  constructor({ host, why }: Action) {
    super(`${host}: it needs root, and the login may become postgres only: ${why}. ${rootOnce(host)}`);
    this.name = "NeedsRoot";
  }
}

/** Carries planned actions out, in order, and writes each one that may change a host to the action log first. */
export class Executor {
  constructor(
    private readonly shell: Shell,
    private readonly facts: FactLoader,
    private readonly log: ActionLog,
    private readonly connectionOf: (host: string) => HostConnection,
    private readonly options: ExecutorOptions = {},
  ) {}

  /**
   * @throws NeedsRoot before anything is done
   * @throws ActionFailed, Stopped, Unreachable, DeadlineExceeded; the actions before it have been done, none after it
   */
  async apply(resource: string, actions: readonly Action[]): Promise<void> {
    const [first] = rootOnly(actions, (host) => isRestricted(this.connectionOf(host)));
    if (first !== undefined) throw new NeedsRoot(first);
    return this.carryOut(resource, actions, this.options.stop ?? NEVER);
  }

  private async carryOut(resource: string, actions: readonly Action[], stop: AbortSignal): Promise<void> {
    for (const action of actions) {
      if (stop.aborted) throw stoppedBefore(action, stop);
      if (action.do === "waitFor") {
        await this.wait(action, stop);
        continue;
      }
      if (action.do === "bracket") {
        await this.bracket(resource, action, stop);
        continue;
      }
      this.log.write({ resource, host: action.host, do: action.do, why: action.why });
      const work = action.do === "run" ? this.run(action) : this.putFile(action);
      try {
        await untilGivenUp(work, stop, this.options.graceMs ?? GRACE_MS, () => stoppedWithin(action, stop));
      } finally {
        this.facts.forget(action.host);
      }
    }
  }

  private async run(action: Run): Promise<void> {
    const { code, said } = await this.send(action, action);
    if (code !== 0) throw new ActionFailed(action, `exit status ${code}: ${said}`);
  }

  private async putFile(given: PutFile | MakeFile): Promise<void> {
    const action: PutFile = given.do === "putFile" ? given : { ...given, do: "putFile", content: await given.make() };
    const { code, said } = await this.send(action, { script: putFileScript(action), stdin: action.content });
    if (code !== 0) throw new ActionFailed(action, putFileFailure(code, action) ?? `exit status ${code}: ${said}`);
  }

  private async send(
    { host, why }: Action,
    { script, stdin, deadlineMs }: Pick<Run, "script" | "stdin" | "deadlineMs">,
  ): Promise<{ code: number; said: string }> {
    const { code, stdout, stderr } = await this.shell.run(this.connectionOf(host), {
      what: `do this: ${why}`,
      script: `set -e\n${script}`,
      ...(stdin === undefined ? {} : { stdin }),
      deadlineMs: deadlineMs ?? RUN_DEADLINE_MS,
    });
    return { code, said: (stderr.trim() || stdout.trim()).slice(-2_000) || "(no output)" };
  }

  /** What comes after is owed whatever happens: a stop does not keep repmgrd from being unpaused. */
  private async bracket(resource: string, action: Bracket, stop: AbortSignal): Promise<void> {
    try {
      await this.carryOut(resource, action.before, stop);
      await this.carryOut(resource, action.body, stop);
    } catch (error) {
      const failures = [error, ...(await this.failureOf(resource, action.after))];
      throw new Error(failures.map((e) => (e instanceof Error ? e.message : String(e))).join("\nand then: "), {
        cause: error,
      });
    }
    await this.carryOut(resource, action.after, NEVER);
  }

  private async failureOf(resource: string, actions: readonly Action[]): Promise<unknown[]> {
    try {
      await this.carryOut(resource, actions, NEVER);
      return [];
    } catch (error) {
      return [error];
    }
  }

  private async wait(action: WaitFor, stop: AbortSignal): Promise<void> {
    const deadline = Date.now() + action.deadlineMs;
    for (;;) {
      const lacking = await action.look((host, probe) => this.facts.ask(this.connectionOf(host), probe, true));
      if (lacking === undefined) return;
      if (stop.aborted) throw stoppedBefore(action, stop);
      if (Date.now() > deadline) {
        throw new ActionFailed(action, `not reached within ${action.deadlineMs / 1000} s; last seen: ${lacking}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function reasonOf(stop: AbortSignal): string {
  const reason: unknown = stop.reason;
  return reason instanceof Error ? reason.message : String(reason);
}

function stoppedBefore(action: Action, stop: AbortSignal): Stopped {
  const message = `${action.host}: stopped: ${reasonOf(stop)}\n  before: ${action.why}\n  Type "pulumi up" to go on.`;
  return new Stopped(message);
}

function stoppedWithin(action: Run | PutFile | MakeFile, stop: AbortSignal): Stopped {
  return new Stopped(
    `${action.host}: stopped: ${reasonOf(stop)}\n  while: ${action.why}\n  It may go on on the host. ` +
      `Type "pulumi up" to go on: it looks at the host first.`,
  );
}
