import type { Duplex } from "node:stream";
import type { ClientChannel } from "ssh2";
import type { Dialled } from "./dial";
import { Unreachable, sshCommand, where } from "./errors";
import { Exchange } from "./exchange";
import { Keepalive, type KeepaliveLimits } from "./keepalive";
import type { RemoteRun } from "./remoteCommand";
import { Sessions } from "./sessions";
import type { HostConnection, RunRequest, RunResult } from "./types";

/** Times and counts of an open connection; milliseconds. */
export interface LinkLimits extends KeepaliveLimits {
  /** Sessions open at once; sshd allows 10 on a connection by default, and others may use some. */
  readonly sessions: number;
  /** For a session to be opened, and how long a server that refuses even a single one is asked again. */
  readonly openMs: number;
}

const GOODBYE_MS = 500;
/** A session that has ended here may not have ended on the server yet: so long a refusal may be due to that. */
const LINGER_MS = 100;
const FIRST_PAUSE_MS = 4;

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
  private readonly keepalive: Keepalive;
  private readonly onceClosed = new Set<() => void>();
  private uses = 0;
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
    this.keepalive = new Keepalive(
      (answered) => this.ask(answered),
      limits,
      (because) => this.dead(because),
    );
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
      const exchange = new Exchange(this.host, request, remote, password);
      const onClosed = () => exchange.abandon(this.closedBecause ?? "closed");
      this.onceClosed.add(onClosed);
      try {
        return await exchange.over(channel);
      } finally {
        this.onceClosed.delete(onClosed);
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
      if (!this.isOpen) {
        fail(new Error(this.closedBecause));
        return;
      }
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
    this.dialled.stream.destroy();
  }

  private closed(because: string): void {
    if (this.closedBecause !== undefined) return;
    this.closedBecause = this.lastError ?? because;
    this.keepalive.stop();
    this.sessions.end(new NotStarted(this.closedBecause));
    for (const tell of [...this.onceClosed]) tell();
    this.onClosed();
  }

  /** Any answer will do, and a server must answer this request whatever it thinks of it (RFC 4254, 4). */
  private ask(answered: () => void): void {
    try {
      this.dialled.client.unforwardIn("localhost", 0, answered);
    } catch (error) {
      this.closed(String(error));
    }
  }

  private dead(because: string): void {
    this.closed(because);
    this.dialled.stream.destroy();
  }

  /** A host that was powered off while nothing ran would otherwise be noticed only after the script was sent. */
  private async confirmAlive(): Promise<void> {
    if (this.sessions.running > 0 && this.isOpen) return;
    if (await this.keepalive.confirm()) return;
    this.dead("the host did not answer");
    throw new NotStarted(this.closedBecause);
  }

  /**
   * Takes a session and opens it. A server that allows fewer than we thought is asked again when one of ours has ended.
   * @throws NotStarted, Unreachable; no session is held then
   */
  private async openSession(command: string): Promise<ClientChannel> {
    await this.sessions.take();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
      try {
        return await this.exec(command);
      } catch (error) {
        const isAlone = this.sessions.running === 1;
        const isPatient = pauseMs <= (isAlone ? this.limits.openMs : LINGER_MS);
        if (!isRefusal(error) || (isAlone && !isPatient)) {
          this.sessions.release();
          throw isRefusal(error) ? this.refusedError(error) : error;
        }
        if (isPatient && (isAlone || this.sessions.sinceReleaseMs < LINGER_MS)) {
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        } else {
          this.sessions.refused();
          await this.sessions.take(true);
          pauseMs = FIRST_PAUSE_MS / 2;
        }
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
      if (!this.isOpen) {
        onClosed();
        return;
      }
      this.onceClosed.add(onClosed);
      try {
        this.dialled.client.exec(command, (error, channel) => {
          if (error) settle(() => reject(isRefusal(error) ? error : this.refusedError(error)));
          else settle(() => resolve(channel));
        });
      } catch (error) {
        this.closed(String(error));
      }
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
