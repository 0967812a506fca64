import { randomBytes } from "node:crypto";
import { RUN_DIRECTORY } from "../ssh/restricted";
import type { HostConnection, Shell } from "../ssh/types";
import type { Asked, Probe, ProbeAnswer } from "./probe";
import { ANSWERS, togetherScripts } from "./together";

/** How long the first question to a host waits for company at least, so that one script carries them all. */
const GATHER_MS = 4;
/** How old an answer may be for a review; plans never use an answer from before they asked. */
const REVIEW_AGE_MS = 30_000;
const BATCH_DEADLINE_MS = 60_000;

interface Known {
  readonly askedAt: number;
  /** As its probe reads it, once for all who ask: of a large answer that costs more than the way to the host. */
  readonly facts: Promise<unknown>;
}

interface Answered {
  readonly answer: ProbeAnswer;
  readonly asked: Asked;
}

interface Waiting {
  readonly probe: Probe<unknown>;
  readonly resolve: (answered: Answered) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks hosts. All questions that reach a host within a few milliseconds travel in one script; during a review
 * (read, check) equal questions of the last seconds are answered once, until something is written to that host.
 */
export class FactLoader {
  private readonly known = new Map<string, Map<string, Known>>();
  private readonly waiting = new Map<string, { host: HostConnection; queue: Waiting[] }>();

  constructor(private readonly shell: Shell) {}

  /**
   * @param fresh true before planning a change: only an answer to this very question, asked now, will do
   * @throws Unreachable, DeadlineExceeded from the shell; Error naming host and probe when the answer makes no sense
   */
  ask<T>(host: HostConnection, probe: Probe<T>, fresh: boolean): Promise<T> {
    const known = this.known.get(host.name)?.get(probe.key);
    const usable = known !== undefined && !fresh && Date.now() - known.askedAt < REVIEW_AGE_MS;
    // Equal keys are the same question (probe.ts), so the facts are of the type that this probe reads.
    return (usable ? known.facts : this.enqueue(host, probe)) as Promise<T>;
  }

  /** Forgets what is known of a host; called after every write to it. */
  forget(hostName: string): void {
    this.known.delete(hostName);
  }

  private enqueue(host: HostConnection, probe: Probe<unknown>): Promise<unknown> {
    const answer = new Promise<Answered>((resolve, reject) => {
      const pending = this.waiting.get(host.name) ?? { host, queue: [] };
      if (pending.queue.length === 0) {
        this.waiting.set(host.name, pending);
        setTimeout(() => void this.flush(host.name), GATHER_MS);
      }
      pending.queue.push({ probe, resolve, reject });
    });
    const ofHost = this.known.get(host.name) ?? new Map<string, Known>();
    this.known.set(host.name, ofHost);
    const facts = answer.then((got) => read(host, probe, got));
    ofHost.set(probe.key, { askedAt: Date.now(), facts });
    facts.catch(() => ofHost.delete(probe.key));
    return facts;
  }

  /** While the host is dialled, more questions may come. */
  private async flush(hostName: string): Promise<void> {
    const pending = this.waiting.get(hostName);
    if (pending === undefined) return;
    const dialled = await this.shell.open(pending.host).catch(asError);
    this.waiting.delete(hostName);
    if (dialled !== undefined) {
      pending.queue.forEach(({ reject }) => reject(dialled));
      return;
    }
    const probes = [...new Map(pending.queue.map((w) => [w.probe.key, w.probe])).values()];
    const boundary = `@@${randomBytes(9).toString("hex")}`;
    try {
      const result = await this.shell.run(pending.host, {
        what: `read the facts of ${hostName}`,
        script: batchScript(probes, boundary),
        printsSecrets: true,
        deadlineMs: BATCH_DEADLINE_MS,
      });
      const asked = { from: result.startedAt, to: Date.now() };
      const answers = splitAnswers(result.stdout, boundary);
      for (const { probe, resolve, reject } of pending.queue) {
        const answer = answers.get(probes.findIndex((p) => p.key === probe.key));
        if (answer !== undefined) resolve({ answer, asked });
        else reject(new Error(`${hostName}: no answer to "${probe.key}"; stderr: ${tail(result.stderr)}`));
      }
    } catch (error) {
      for (const { reject } of pending.queue) reject(error);
    }
  }
}

/** What was thrown, for who hands it on as a value. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function read(host: HostConnection, probe: Probe<unknown>, { answer, asked }: Answered): unknown {
  try {
    return probe.parse(answer, asked);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${host.name}: cannot read the answer to "${probe.key}": ${reason}; stderr: ${tail(answer.stderr)}`,
    );
  }
}

/**
 * One script that runs the probes side by side, each in a subshell, and frames exit status, stdout and stderr with the
 * boundary, which nobody on the host can know before. Not with lengths: output that is no UTF-8 has another one here.
 * One cat tells all answers: a process each would be half of all that a review starts on a host.
 * The answers' directory is named after the process, so that one whose script was killed is known by that and goes.
 */
function batchScript(probes: readonly Probe<unknown>[], boundary: string): string {
  const numbered = probes.map((probe, number) => ({ ...probe, number }));
  const alone = numbered.filter(({ together }) => together === undefined);
  const shared = ANSWERS.map((name) => `"$work/${name}"`);
  const parts = alone.map(({ number }) => `"$work/${number}.head" "$work/${number}.out" "$work/${number}.err"`);
  const begin = ({ number, script }: Probe<unknown> & { number: number }): string =>
    `printf %s '${boundary}' >"$work/${number}.err"
( ${script}
) </dev/null >"$work/${number}.out" 2>>"$work/${number}.err" & p${number}=$!`;
  return `work=${RUN_DIRECTORY}/repmgr-pulumi.$$
for left in ${RUN_DIRECTORY}/repmgr-pulumi.*; do kill -0 "\${left##*.}" 2>/dev/null || rm -rf "$left"; done
[ ! -e "$work" ] || rm -rf "$work"
mkdir -m 700 "$work" || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT PIPE TERM
answered() {
  printf '%s %s %s\\n' '${boundary}' "$1" "$2" >"$work/$1.head"
  echo '${boundary}' >>"$work/$1.err"
}
${shared.map((path) => `: >${path}`).join("\n")}
${alone.map(begin).join("\n")}
${togetherScripts(boundary, numbered)
  .map((script) => `( ${script}\n) </dev/null &`)
  .join("\n")}
${alone.map(({ number }) => `wait "$p${number}"; answered ${number} $?`).join("\n")}
wait
cat ${[...parts, ...shared].join(" ")}
`;
}

/** Inverse of batchScript; an answer that is not whole is none. */
export function splitAnswers(stdout: string, boundary: string): Map<number, ProbeAnswer> {
  const answers = new Map<number, ProbeAnswer>();
  const parts = stdout.split(boundary);
  for (let at = 1; at + 2 < parts.length; at += 3) {
    const [, index, code, out] = /^ (\d+) (\d+)\n([^]*)$/.exec(parts[at] ?? "") ?? [];
    if (index === undefined || code === undefined || out === undefined) break;
    answers.set(Number(index), { code: Number(code), stdout: out, stderr: parts[at + 1] ?? "" });
  }
  return answers;
}

function tail(text: string): string {
  return text.trim().slice(-400) || "(empty)";
}
