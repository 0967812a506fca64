import { randomBytes } from "node:crypto";
import type { HostConnection, Shell } from "../ssh/types";
import { filesScript } from "./file";
import type { Asked, Probe, ProbeAnswer } from "./probe";

/** How long the first question to a host waits for company, so that one script carries them all. */
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

  private async flush(hostName: string): Promise<void> {
    const pending = this.waiting.get(hostName);
    this.waiting.delete(hostName);
    if (pending === undefined) return;
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
 * The answers' directory is named after the process, so that one whose script was killed is known by that and goes.
 */
function batchScript(probes: readonly Probe<unknown>[], boundary: string): string {
  const answer = (number: string, what: string): string => `"$work/${number}.${what}"`;
  const alone = probes.flatMap(({ script, file }, index) =>
    file === undefined
      ? [
          `( ${script}\n) >${answer(`${index}`, "out")} 2>${answer(`${index}`, "err")}; echo $? >${answer(`${index}`, "code")}`,
        ]
      : [],
  );
  const files = probes.flatMap(({ file: path }, number) => (path === undefined ? [] : [{ number, path }]));
  const together = files.length === 0 ? [] : [filesScript(answer, files)];
  const asked = [...alone, ...together].map((script) => `{ ${script}; } </dev/null &`);
  return `work=/run/repmgr-pulumi.$$
for left in /run/repmgr-pulumi.*; do kill -0 "\${left##*.}" 2>/dev/null || rm -rf "$left"; done
rm -rf "$work"
mkdir -m 700 "$work" || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT PIPE TERM
${asked.join("\n")}
wait
i=0
while [ $i -lt ${probes.length} ]; do
  read -r code <"$work/$i.code"
  printf '%s %s %s\\n' '${boundary}' $i "$code"
  cat "$work/$i.out"
  printf %s '${boundary}'
  if [ -s "$work/$i.err" ]; then cat "$work/$i.err"; fi
  echo '${boundary}'
  i=$((i + 1))
done
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
