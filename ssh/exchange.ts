import { constants } from "node:os";
import type { ClientChannel } from "ssh2";
import { DeadlineExceeded, Unreachable, where } from "./errors";
import { FramedOutput } from "./output";
import { KILL_AFTER_MS, type RemoteRun } from "./remoteCommand";
import { isPasswordRefused, startError } from "./sudoRefusal";
import type { HostConnection, RunRequest, RunResult } from "./types";

/** How long after the deadline the host is given to confirm that the script was ended there. */
const CONFIRM_MS = KILL_AFTER_MS + 2000;
/** Exit status of timeout(1) when it had to end its command. */
const TIMED_OUT = 124;

interface Ended {
  readonly code: number | null;
  readonly signal: string | undefined;
}

/** timeout(1) may have ended it; when it has to kill, it goes down with its command. */
function wasStopped({ code, signal }: Ended): boolean {
  return code === TIMED_OUT || code === 128 + constants.signals.SIGKILL || signal === "SIGKILL";
}

/** One run on an open channel, from the first byte sent to its result. */
export class Exchange {
  private readonly stdout: FramedOutput;
  private readonly stderr: FramedOutput;
  private readonly startedAt = Date.now();
  /** Of the clock that nobody sets. */
  private readonly began = performance.now();
  private ended: Ended | undefined;
  private hasAllOutput = false;
  private finish: (lostBecause: string | undefined) => void = () => undefined;

  constructor(
    private readonly host: HostConnection,
    private readonly request: RunRequest,
    private readonly remote: RemoteRun,
    private readonly password: string | undefined,
  ) {
    this.stdout = new FramedOutput(remote.marker);
    this.stderr = new FramedOutput(remote.marker);
  }

  /**
   * Sends the script and waits for its end.
   * @throws DeadlineExceeded, SudoRefused, Unreachable (lost: the outcome is unknown)
   */
  over(channel: ClientChannel): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(this.deadlineError());
        channel.close();
      }, this.request.deadlineMs + CONFIRM_MS);
      channel.on("exit", (code: number | null, signal?: string) => (this.ended = { code, signal }));
      // A channel that is gone tells so through close; what it adds as an error is of no use to anybody.
      channel.on("error", () => undefined);
      channel.stderr.on("data", (chunk: Buffer) => this.onStderr(chunk, channel));
      channel.on("data", (chunk: Buffer) => this.onStdout(chunk, channel));
      this.finish = (lostBecause) => {
        clearTimeout(timer);
        this.result(lostBecause).then(resolve, reject);
      };
      channel.on("end", () => (this.hasAllOutput = true));
      channel.on("close", () => this.finish(undefined));
      if (this.password === undefined) channel.end(this.remote.input);
      else channel.write(`${this.password}\n`);
    });
  }

  /** The connection is gone; what has not arrived by now never will. */
  abandon(because: string): void {
    this.finish(because);
  }

  /** With a password only it is sent first: the rest must not become the next guess if sudo refuses it. */
  private onStdout(chunk: Buffer, channel: ClientChannel): void {
    const hadBegun = this.stdout.hasBegun;
    this.stdout.push(chunk);
    const begins = this.stdout.hasBegun && !hadBegun;
    if (begins && this.password !== undefined) channel.end(this.remote.input);
  }

  private onStderr(chunk: Buffer, channel: ClientChannel): void {
    this.stderr.push(chunk);
    const isGuessing = this.password !== undefined && !this.stdout.hasBegun;
    if (isGuessing && isPasswordRefused(this.stderr.noise)) channel.end();
  }

  // async, so that what it throws becomes a rejection; it waits for nothing.
  private async result(lostBecause: string | undefined): Promise<RunResult> {
    const isCut = lostBecause !== undefined && !this.hasAllOutput;
    if (this.ended === undefined || isCut) throw this.lostError(lostBecause ?? "the session was closed");
    const { code, signal } = this.ended;
    if (wasStopped(this.ended) && performance.now() - this.began >= this.request.deadlineMs) throw this.deadlineError();
    if (!this.stdout.hasBegun) {
      throw startError(this.host, this.request.what, { code, stdout: this.stdout.noise, stderr: this.stderr.noise });
    }
    const signalNumber = signal === undefined ? 0 : constants.signals[signal as NodeJS.Signals];
    const { startedAt, stdout, stderr } = this;
    return { startedAt, code: code ?? 128 + signalNumber, stdout: stdout.text, stderr: stderr.text };
  }

  private lastLine(): string {
    const line = this.stderr.lastLine ?? this.stdout.lastLine;
    if (line === undefined) return "It printed nothing";
    if (this.request.printsSecrets === true)
      return "What it printed is not shown, since passwords are among what it reads";
    const secrets = (this.request.stdin ?? "").split("\n").filter((secret) => secret.length >= 4);
    const clean = secrets.reduce((text, secret) => text.replaceAll(secret, "***"), line);
    return `Last line it printed: ${clean}`;
  }

  private lostError(because: string): Unreachable {
    const began = this.stdout.hasBegun ? `${this.lastLine()}.` : "Whether the command was started is not known.";
    const latest = `If it still runs there, it is ended at its deadline of ${this.request.deadlineMs} ms.`;
    const message = `${where(this.host)}: the connection was lost (${because}) while trying to ${this.request.what}; the command's outcome is unknown. ${began} ${latest} Run the same again: it looks at the host first.`;
    return new Unreachable(this.host, "lost", message);
  }

  private deadlineError(): DeadlineExceeded {
    const { what, deadlineMs } = this.request;
    const fate =
      this.ended === undefined
        ? "the host did not confirm that it was ended"
        : wasStopped(this.ended)
          ? "it was ended there"
          : `it ended (exit status ${this.ended.code}), but something it started still holds its output`;
    const message = `${where(this.host)}: could not ${what} within ${deadlineMs} ms; ${fate}. ${this.lastLine()}.`;
    return new DeadlineExceeded(this.host, what, deadlineMs, message);
  }
}
