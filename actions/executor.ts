import type { FactLoader } from "../facts/loader";
import { sh } from "../ssh/quote";
import type { HostConnection, Shell } from "../ssh/types";
import type { ActionLog } from "./log";
import type { Action, Bracket, PutFile, Run, WaitFor } from "./action";

const RUN_DEADLINE_MS = 60_000;
const POLL_MS = 150;

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

/** Carries planned actions out, in order, and writes each one that may change a host to the action log first. */
export class Executor {
  constructor(
    private readonly shell: Shell,
    private readonly facts: FactLoader,
    private readonly log: ActionLog,
    private readonly connectionOf: (host: string) => HostConnection,
  ) {}

  /** @throws ActionFailed, Unreachable, DeadlineExceeded; the actions before it have been done, none after it */
  async apply(resource: string, actions: readonly Action[]): Promise<void> {
    for (const action of actions) {
      if (action.do === "waitFor") {
        await this.wait(action);
        continue;
      }
      if (action.do === "bracket") {
        await this.bracket(resource, action);
        continue;
      }
      this.log.write({ resource, host: action.host, do: action.do, why: action.why });
      try {
        await (action.do === "run" ? this.run(action) : this.putFile(action));
      } finally {
        this.facts.forget(action.host);
      }
    }
  }

  private async run(action: Run): Promise<void> {
    const result = await this.shell.run(this.connectionOf(action.host), {
      what: action.why,
      script: `set -e\n${action.script}`,
      ...(action.stdin === undefined ? {} : { stdin: action.stdin }),
      deadlineMs: action.deadlineMs ?? RUN_DEADLINE_MS,
    });
    if (result.code !== 0) {
      const said = (result.stderr.trim() || result.stdout.trim()).slice(-2_000);
      throw new ActionFailed(action, `exit status ${result.code}: ${said || "(no output)"}`);
    }
  }

  private async putFile(action: PutFile): Promise<void> {
    await this.run({
      do: "run",
      host: action.host,
      why: action.why,
      stdin: action.content,
      script: putFileScript(action),
    });
  }

  private async bracket(resource: string, action: Bracket): Promise<void> {
    try {
      await this.apply(resource, action.before);
      await this.apply(resource, action.body);
    } finally {
      await this.apply(resource, action.after);
    }
  }

  private async wait(action: WaitFor): Promise<void> {
    const deadline = Date.now() + action.deadlineMs;
    for (;;) {
      const lacking = await action.look((host, probe) => this.facts.ask(this.connectionOf(host), probe, true));
      if (lacking === undefined) return;
      if (Date.now() > deadline) {
        throw new ActionFailed(action, `not reached within ${action.deadlineMs / 1000} s; last seen: ${lacking}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function putFileScript({ path, owner, mode, check }: PutFile): string {
  return `target=${sh(path)}
mkdir -p "$(dirname "$target")"
umask 077
new=$(mktemp "$target.XXXXXX")
trap 'rm -f "$new"' EXIT
cat >"$new"
chown ${sh(owner)} "$new"
chmod ${sh(mode)} "$new"
${check === undefined ? "" : `set -- "$new"\n${check}`}
sync "$new"
mv -f "$new" "$target"
if command -v restorecon >/dev/null; then restorecon "$target"; fi
`;
}
