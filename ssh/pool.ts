import { randomBytes } from "node:crypto";
import { Credentials } from "./auth";
import { connectSocket, dial, type DialLimits } from "./dial";
import { Unreachable, where } from "./errors";
import { Link, NotStarted, type LinkLimits } from "./link";
import { remoteRun } from "./remoteCommand";
import type { HostConnection, RunRequest, RunResult, SecretLookup, Shell } from "./types";

/** What happened on the wire; never holds a script, its input or its output. */
export interface SshEvent {
  readonly host: string;
  readonly event: "connect" | "run";
  readonly what?: string;
  readonly ms: number;
}

export interface SshPoolOptions {
  readonly secrets: SecretLookup;
  readonly log?: (event: SshEvent) => void;
  /** Over the defaults; for hosts that are unusually slow, and tests. */
  readonly limits?: Partial<SshLimits>;
}

export type SshLimits = DialLimits & LinkLimits;

const LIMITS: SshLimits = {
  connectMs: 5_000,
  handshakeMs: 15_000,
  attempts: 3,
  pauseMs: 200,
  sessions: 4,
  keepaliveMs: 4_000,
  keepaliveCount: 3,
  openMs: 10_000,
};

/** How often a run whose connection ended before it was sent is sent over a new one. */
const FRESH_LINKS = 3;
const LONGEST_DEADLINE_MS = 2 ** 31 - 10_000;

function keyOf(host: HostConnection): string {
  const own = `${host.name} ${host.user}@${host.address}:${host.port}`;
  return host.jump ? `${own} through ${keyOf(host.jump)}` : own;
}

function checkRequest(request: RunRequest): void {
  const { what, script, deadlineMs } = request;
  if (script.includes("\0")) throw new Error(`the script to ${what} holds a NUL, which no shell can read`);
  if (!(deadlineMs >= 1 && deadlineMs <= LONGEST_DEADLINE_MS)) {
    throw new RangeError(`the deadline to ${what} is ${deadlineMs} ms; wanted: 1 to ${LONGEST_DEADLINE_MS}`);
  }
}

function notStarted(host: HostConnection, { what }: RunRequest, why: string): Unreachable {
  return new Unreachable(host, "lost", `${where(host)}: ${why} before it was possible to ${what}. Nothing was run.`);
}

/**
 * Runs scripts on hosts as root: one connection a host, dialled when first needed and shared by all runs, also by
 * those that ask while it is being dialled. Idle connections do not keep the process alive.
 */
export class SshPool implements Shell {
  private readonly links = new Map<string, Promise<Link>>();
  private readonly dialled = new Map<string, number>();
  private readonly credentials: Credentials;
  private isClosed = false;
  private readonly limits: SshLimits;
  private readonly log: (event: SshEvent) => void;

  constructor(options: SshPoolOptions) {
    this.credentials = new Credentials(options.secrets);
    this.limits = { ...LIMITS, ...options.limits };
    this.log = options.log ?? (() => undefined);
  }

  /** Connections made so far, by the host's name. */
  get connections(): ReadonlyMap<string, number> {
    return this.dialled;
  }

  /** See Shell.open. */
  async open(host: HostConnection): Promise<void> {
    if (!this.isClosed) await this.link(host);
  }

  /** See Shell.run. @throws SudoRefused, too, when the login works and sudo does not */
  async run(host: HostConnection, request: RunRequest): Promise<RunResult> {
    checkRequest(request);
    const password = this.sudoPassword(host);
    const token = randomBytes(12).toString("hex");
    const remote = remoteRun(host.sudo, token, request.script, request.stdin ?? "", request.deadlineMs);
    for (let attempt = 1; ; attempt++) {
      if (this.isClosed) throw notStarted(host, request, "the connection was closed on this side");
      const link = await this.link(host);
      const startedAt = Date.now();
      try {
        return await link.run(request, remote, password);
      } catch (error) {
        if (!(error instanceof NotStarted)) throw error;
        if (attempt >= FRESH_LINKS) {
          throw notStarted(host, request, `the connection was lost ${attempt} times (${error.message})`);
        }
      } finally {
        this.log({ host: host.name, event: "run", what: request.what, ms: Date.now() - startedAt });
      }
    }
  }

  /** Ends all connections for good; runs still going on, and any asked for later, end with an error. */
  async close(): Promise<void> {
    this.isClosed = true;
    const links = [...this.links.values()];
    this.links.clear();
    await Promise.all(links.map((link) => link.then((open) => open.close()).catch(() => undefined)));
  }

  private sudoPassword(host: HostConnection): string | undefined {
    if (host.sudo !== "password") return undefined;
    if (host.sudoPasswordSecret !== undefined) {
      return this.credentials.secret(host, host.sudoPasswordSecret, "sudo password");
    }
    const message = `${where(host)}: sudo wants a password and the inventory names no secret with it. Give the host a sudo_password_secret.`;
    throw new Unreachable(host, "auth", message);
  }

  private link(host: HostConnection): Promise<Link> {
    const key = keyOf(host);
    const existing = this.links.get(key);
    if (existing) return existing;
    const forget = () => {
      if (this.links.get(key) === dialling) this.links.delete(key);
    };
    const dialling = this.dial(host, forget);
    this.links.set(key, dialling);
    dialling.catch(forget);
    return dialling;
  }

  private async dial(host: HostConnection, forget: () => void): Promise<Link> {
    const startedAt = Date.now();
    const link = host.jump ? await this.dialThrough(host, host.jump, forget) : await this.dialDirectly(host, forget);
    this.dialled.set(host.name, (this.dialled.get(host.name) ?? 0) + 1);
    this.log({ host: host.name, event: "connect", ms: Date.now() - startedAt });
    return link;
  }

  private async dialDirectly(host: HostConnection, forget: () => void): Promise<Link> {
    const open = () => connectSocket(host, this.limits.connectMs);
    const dialled = await dial(host, open, this.credentials, this.limits);
    return new Link(host, dialled, dialled.stream, this.limits, forget);
  }

  private async dialThrough(host: HostConnection, jump: HostConnection, forget: () => void): Promise<Link> {
    const below = await this.link(jump);
    below.ref();
    try {
      const dialled = await dial(host, () => below.forward(host), this.credentials, this.limits);
      return new Link(host, dialled, below, this.limits, forget);
    } catch (error) {
      below.unref();
      throw error;
    }
  }
}
