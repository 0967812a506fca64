import type { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Dialled } from "./dial";
import { Unreachable, sshCommand, where } from "./errors";
import { Exchange } from "./exchange";
import type { RemoteRun } from "./remoteCommand";
import { Sessions } from "./sessions";
import type { HostConnection, RunRequest, RunResult } from "./types";

/** Times and counts of an open connection; milliseconds. */
export interface LinkLimits {
  /** Sessions open at once; sshd allows 10 on a connection by default, and others may use some. */
  readonly sessions: number;
  /** Between two questions whether the host is still there. */
  readonly keepaliveMs: number;
  /** Unanswered questions before the host counts as gone. */
  readonly keepaliveCount: number;
  /** For a session to be opened, and how long a server that refuses even a single one is asked again. */
  readonly openMs: number;
}

const GOODBYE_MS = 500;

/** The connection ended before the run was sent, so it may safely go over another one. */
export class NotStarted extends Error {}

/** What is kept awake while a connection is in use: its socket, or the connection it goes through. */
export interface Wakeable {
  ref(): unknown;
  unref(): unknown;
}

/** One open connection to a host, shared by all runs on it. While nothing runs it does not keep the process alive. */
export class Link implements Wakeable {
  private readonly sessions: Sessions;
  private readonly keepalive: NodeJS.Timeout;
  private readonly onceClosed = new Set<() => void>();
  private uses = 0;
  private unanswered = 0;
  private heardAt = Date.now();
  private closedBecause: string | undefined;
  private lastError: string | undefined;

  constructor(
    private readonly host: HostConnection,
    private readonly dialled: Dialled,
    private readonly below: Wakeable,
    private readonly limits: LinkLimits,
    private readonly onClosed: () => void,
  ) {
    this.sessions = new Sessions(limits.sessions);
    // Not ssh2's own keepalive: its timer would keep the process alive.
    this.keepalive = setInterval(() => this.checkAlive(), limits.keepaliveMs).unref();
    dialled.client.on("error", (error) => (this.lastError = error.message));
    dialled.client.on("close", () => this.closed("the host closed it"));
    below.unref();
  }

  get isOpen(): boolean {
    return this.closedBecause === undefined;
  }

  ref(): void {
    if (this.uses++ === 0) this.below.ref();
  }

  unref(): void {
    if (--this.uses === 0) this.below.unref();
  }

  /** Runs one script. @throws NotStarted, Unreachable, DeadlineExceeded, SudoRefused */
  async run(request: RunRequest, remote: RemoteRun, password: string | undefined): Promise<RunResult> {
    this.ref();
    try {
      await this.confirmAlive();
      const channel = await this.openSession(remote.command);
      try {
        const exchange = new Exchange(this.host, request, remote, password);
        return await exchange.over(channel, () => this.closedBecause ?? this.lastError ?? "the session was closed");
      } finally {
        this.sessions.release();
      }
    } finally {
      this.unref();
    }
  }

  /** A stream to another host, through this one. @throws Unreachable (dial) naming both */
  forward(to: HostConnection): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        const message = `${where(to)}: cannot be dialled through ${where(this.host)}: ${error.message}. Try \`${sshCommand(this.host, `nc -vz ${to.address} ${to.port}`)}\`.`;
        reject(new Unreachable(to, "dial", message));
      };
      if (!this.isOpen) return fail(new Error(this.closedBecause));
      this.dialled.client.forwardOut("127.0.0.1", 0, to.address, to.port, (error, stream) =>
        error ? fail(error) : resolve(stream),
      );
    });
  }

  /** Says goodbye; runs still going on end with an error. */
  async close(): Promise<void> {
    const wasOpen = this.isOpen;
    this.closed("it was closed on this side");
    if (!wasOpen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GOODBYE_MS);
      this.dialled.client.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.dialled.ssh.dispose();
    });
    this.dialled.client.destroy();
  }

  private closed(because: string): void {
    if (this.closedBecause !== undefined) return;
    this.closedBecause = this.lastError ?? because;
    clearInterval(this.keepalive);
    this.sessions.end(new NotStarted(this.closedBecause));
    for (const tell of [...this.onceClosed]) tell();
    this.onClosed();
  }

  /** Any answer will do, and a server must answer this request whatever it thinks of it (RFC 4254, 4). */
  private ping(answered: () => void): void {
    this.dialled.client.unforwardIn("localhost", 0, () => {
      this.unanswered = 0;
      this.heardAt = Date.now();
      answered();
    });
  }

  private checkAlive(): void {
    if (!this.isOpen) return;
    if (++this.unanswered > this.limits.keepaliveCount) {
      this.lastError = `the host has not answered for ${this.limits.keepaliveCount * this.limits.keepaliveMs} ms`;
      this.closed(this.lastError);
      this.dialled.client.destroy();
      return;
    }
    this.ping(() => undefined);
  }

  /** A host that was powered off while nothing ran would otherwise be noticed only after the script was sent. */
  private async confirmAlive(): Promise<void> {
    if (!this.isOpen) throw new NotStarted(this.closedBecause);
    if (this.sessions.running > 0 || Date.now() - this.heardAt < this.limits.keepaliveMs / 2) return;
    const isAlive = await new Promise<boolean>((resolve) => {
      const settle = (answer: boolean) => () => {
        clearTimeout(timer);
        this.onceClosed.delete(onClosed);
        resolve(answer);
      };
      const onClosed = settle(false);
      const timer = setTimeout(onClosed, this.limits.keepaliveMs);
      this.onceClosed.add(onClosed);
      this.ping(settle(true));
    });
    if (isAlive && this.isOpen) return;
    this.closed("the host did not answer");
    this.dialled.client.destroy();
    throw new NotStarted(this.closedBecause);
  }

  /**
   * Takes a session and opens it. A server that allows fewer than we thought is asked again when one of ours has ended.
   * @throws NotStarted, Unreachable; no session is held then
   */
  private async openSession(command: string): Promise<ClientChannel> {
    const giveUpAt = Date.now() + this.limits.openMs;
    await this.sessions.take();
    for (let pauseMs = 10; ; pauseMs *= 2) {
      try {
        return await this.exec(command);
      } catch (error) {
        const isAlone = this.sessions.running === 1;
        if (isRefusal(error)) this.sessions.shrink();
        this.sessions.release();
        if (!isRefusal(error)) throw error;
        if (isAlone && Date.now() > giveUpAt) throw this.refusedError(error);
        // Alone: a session that has ended here may not have ended there yet.
        if (isAlone) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        await this.sessions.take(true);
      }
    }
  }

  /** Nothing of the script is sent before this succeeds. */
  private exec(command: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      const onClosed = () => settle(() => reject(new NotStarted(this.closedBecause)));
      const timer = setTimeout(() => {
        settle(() => reject(this.refusedError(new Error(`no session within ${this.limits.openMs} ms`))));
      }, this.limits.openMs);
      const settle = (how: () => void) => {
        clearTimeout(timer);
        this.onceClosed.delete(onClosed);
        how();
      };
      if (!this.isOpen) return onClosed();
      this.onceClosed.add(onClosed);
      this.dialled.client.exec(command, (error, channel) => {
        if (!error) return settle(() => resolve(channel));
        settle(() => reject(isRefusal(error) || !this.isOpen ? error : this.refusedError(error)));
      });
    });
  }

  private refusedError(error: Error): Unreachable {
    const message = `${where(this.host)}: the login works, but no command can be started: ${error.message}. Look at MaxSessions and ForceCommand in the host's sshd_config; try \`${sshCommand(this.host, "true")}\`.`;
    return new Unreachable(this.host, "refused", message);
  }
}

/** The server answered a request for a session with no; without a reason it is the connection that failed. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && typeof (error as Error & { reason?: unknown }).reason === "number";
}
