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
    } catch (error) {
      const failures = [error, ...(await this.failureOf(resource, action.after))];
      throw new Error(failures.map((e) => (e instanceof Error ? e.message : String(e))).join("\nand then: "), {
        cause: error,
      });
    }
    await this.apply(resource, action.after);
  }

  private async failureOf(resource: string, actions: readonly Action[]): Promise<unknown[]> {
    try {
      await this.apply(resource, actions);
      return [];
    } catch (error) {
      return [error];
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

/** A lost connection ends stdin early, with nothing to tell that from its end; so the size is checked before the rename. */
function putFileScript({ path, content, owner, mode, check, verify }: PutFile): string {
  const size = Buffer.byteLength(content);
  return `target=${sh(path)}
mkdir -p "$(dirname "$target")"
umask 077
new=$(mktemp "$target.XXXXXX")
trap 'rm -f "$new"' EXIT
cat >"$new"
got=$(wc -c <"$new")
[ "$got" -eq ${size} ] || { echo "$got of ${size} bytes arrived" >&2; exit 1; }
chown ${sh(owner)} "$new"
chmod ${sh(mode)} "$new"
${check === undefined ? "" : `set -- "$new"\n${check}`}
sync "$new"
${verify === undefined ? 'mv -f "$new" "$target"' : verifiedMove(verify)}
if command -v restorecon >/dev/null; then restorecon "$target"; fi
`;
}

/** Keeps the old file until the new one is accepted; a cut in between leaves the new one, which the next run judges again. */
function verifiedMove(verify: string): string {
  return `old=$(mktemp "$target.XXXXXX")
trap 'rm -f "$new" "$old"' EXIT
had=; if [ -e "$target" ]; then cp -p "$target" "$old"; had=1; fi
mv -f "$new" "$target"
if ! ( ${verify}
); then
  if [ "$had" ]; then mv -f "$old" "$target"; else rm -f "$target"; fi
  echo "the file before it is back in its place" >&2
  exit 1
fi`;
}
