import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { NodeSSH } from "node-ssh";
import type { AnyAuthMethod, Client } from "ssh2";
import type { Credentials, Login } from "./auth";
import { Unreachable, sshCommand, where } from "./errors";
import { knownKeys, offeredAlgorithms, refusalOf } from "./hostKeys";
import type { HostConnection } from "./types";

/** Times and counts of dialling; milliseconds. */
export interface DialLimits {
  /** For the TCP connection. */
  readonly connectMs: number;
  /** From the TCP connection to the login's success; slow name lookups and PAM are in it. */
  readonly handshakeMs: number;
  readonly attempts: number;
  /** Before the second attempt; doubled before each further one. */
  readonly pauseMs: number;
}

/** A host that answered and let us in. */
export interface Dialled<Stream extends Duplex = Duplex> {
  readonly ssh: NodeSSH;
  readonly client: Client;
  /** What it goes over. */
  readonly stream: Stream;
}

/** A failure that may be over in a moment: sshd restarts, or drops the start of a connection under load. */
class Passing extends Error {
  constructor(readonly unreachable: Unreachable) {
    super(unreachable.message);
  }
}

type LevelledError = Error & { level?: string; code?: string | number };

function dialError(host: HostConnection, error: NodeJS.ErrnoException): Error {
  const next = `Is it on, is sshd running there, is the port let in? \`nc -vz ${host.address} ${host.port}\``;
  const message = `${where(host)}: cannot be dialled: ${error.message}. ${next}`;
  const unreachable = new Unreachable(host, "dial", message);
  return ["ECONNREFUSED", "ECONNRESET", "EAI_AGAIN"].includes(error.code ?? "")
    ? new Passing(unreachable)
    : unreachable;
}

/** Opens a TCP connection. @throws Unreachable (dial, timeout) */
export function connectSocket(host: HostConnection, connectMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const timer = setTimeout(() => {
      socket.destroy();
      const message = `${where(host)}: no answer within ${connectMs} ms. Is the host on, is its address right? \`ping -c1 ${host.address}\``;
      reject(new Unreachable(host, "timeout", message));
    }, connectMs);
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(dialError(host, error));
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.connect(host.port, host.address);
  });
}

/** Offers one login after the other and remembers what the server still asks for. */
class LoginAttempts {
  private tried = 0;
  private accepts: readonly string[] = [];

  constructor(private readonly logins: readonly Login[]) {}

  readonly handler = (accepts: string[] | null, _partial: boolean | null, next: (m: AnyAuthMethod | false) => void) => {
    if (accepts) this.accepts = accepts;
    next(this.logins[this.tried++]?.method ?? false);
  };

  error(host: HostConnection, said: string): Unreachable {
    const tried = this.logins.slice(0, Math.max(1, this.tried)).map((login) => login.label);
    const accepts = this.accepts.length > 0 ? ` (it accepts: ${this.accepts.join(", ")})` : "";
    const message = `${where(host)}: login refused${accepts}: ${said}. Tried: ${tried.join(", then ")}. Try \`${sshCommand(host, "true")}\`; \`ssh-copy-id\` puts a key there.`;
    return new Unreachable(host, "auth", message);
  }
}

function handshakeError(
  host: HostConnection,
  error: LevelledError,
  attempts: LoginAttempts,
  limits: DialLimits,
): Error {
  const said = error.message;
  if (error.level === "client-authentication" || error.level === "agent" || /authentication failures/.test(said)) {
    return attempts.error(host, said);
  }
  if (error.level === "client-timeout") {
    const message = `${where(host)}: answers, but the login was not done within ${limits.handshakeMs} ms. Try \`${sshCommand(host, "true")}\`.`;
    return new Unreachable(host, "timeout", message);
  }
  const message = `${where(host)}: ended the connection before the login: ${said}. Is it an SSH server? \`ssh-keyscan -p ${host.port} ${host.address}\``;
  const unreachable = new Unreachable(host, "refused", message);
  return /no matching/.test(said) ? unreachable : new Passing(unreachable);
}

/** Speaks SSH over an open stream, up to the login. @throws Unreachable, HostKeyUnknown, HostKeyChanged, Passing */
async function handshake<Stream extends Duplex>(
  host: HostConnection,
  stream: Stream,
  logins: readonly Login[],
  limits: DialLimits,
): Promise<Dialled<Stream>> {
  const known = await knownKeys(host);
  const { NodeSSH } = await import("node-ssh");
  const ssh = new NodeSSH();
  const attempts = new LoginAttempts(logins);
  let refusal: Unreachable | undefined;
  const connecting = ssh.connect({
    sock: stream,
    username: host.user,
    readyTimeout: limits.handshakeMs,
    algorithms: { serverHostKey: offeredAlgorithms(known) },
    hostVerifier: (blob: Buffer) => {
      refusal = refusalOf(host, known, blob);
      return refusal === undefined;
    },
    authHandler: attempts.handler as never,
  });
  // node-ssh takes its own error listener off after the login; an error without one would end the process.
  const client = ssh.connection;
  client?.on("error", () => undefined);
  try {
    await connecting;
  } catch (error) {
    stream.destroy();
    throw refusal ?? handshakeError(host, error as LevelledError, attempts, limits);
  }
  if (!client) throw handshakeError(host, new Error("the connection was closed"), attempts, limits);
  return { ssh, client, stream };
}

/**
 * Dials a host: a stream to it, its key, the login. Only failures that may be over in a moment are tried again;
 * never a refused login or key.
 * @param open opens a stream to the host, directly or through another
 * @throws Unreachable, HostKeyUnknown, HostKeyChanged
 */
export async function dial<Stream extends Duplex>(
  host: HostConnection,
  open: () => Promise<Stream>,
  credentials: Credentials,
  limits: DialLimits,
): Promise<Dialled<Stream>> {
  const logins = await credentials.logins(host);
  for (let attempt = 1; ; attempt++) {
    try {
      return await handshake(host, await open(), logins, limits);
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      if (attempt >= limits.attempts) throw error.unreachable;
      await new Promise((resolve) => setTimeout(resolve, limits.pauseMs * 2 ** (attempt - 1)));
    }
  }
}
