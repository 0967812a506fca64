import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, utils, type AuthContext, type Connection, type ServerChannel, type Session } from "ssh2";
import type { HostConnection } from "../../ssh/types";

export interface SshServerOptions {
  /** Private host keys in OpenSSH or PEM format; default: one new ed25519 key. */
  readonly hostKeys?: readonly string[];
  /** Refuse every login. */
  readonly refuseAuth?: boolean;
  /** Sessions allowed at once on a connection, as MaxSessions of sshd. */
  readonly maxSessions?: number;
  /** Count a session as open for so long after it was closed; milliseconds. */
  readonly lingerMs?: number;
  /** Cut a connection when it has sent this many bytes of output. */
  readonly dropAfterBytes?: number;
  /** Cut a connection when this many commands were started on it. */
  readonly dropAfterCommands?: number;
  /** Answer each request for a command this much later; milliseconds. */
  readonly delayMs?: number;
  /** Close the first so many connections before saying anything. */
  readonly dropConnections?: number;
  /** Command the login shell runs first: a banner, a refusal to go on. */
  readonly loginProfile?: string;
  /** Shell text of a `sudo` put first on the login shell's PATH. */
  readonly sudo?: string;
  readonly port?: number;
}

/** A key pair for one test run. */
export function newKey(type: "ed25519" | "rsa" | "ecdsa" = "ed25519"): { private: string; public: string } {
  for (;;) {
    const pair =
      type === "rsa"
        ? utils.generateKeyPairSync("rsa", { bits: 2048 })
        : type === "ecdsa"
          ? utils.generateKeyPairSync("ecdsa", { bits: 256 })
          : utils.generateKeyPairSync("ed25519");
    // ssh2 drops leading zero bytes of a key now and then, and cannot read the result itself.
    if (!(utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/** The error of something that must fail. @throws Error when it does not */
export async function failureOf(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  const failure = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof Error) return failure as Error & Record<string, unknown>;
  throw new Error("it did not fail");
}

/**
 * An SSH server on 127.0.0.1 that runs the received command lines with /bin/sh in a scratch directory,
 * and writes down what it was asked.
 */
export class SshServer {
  /** Its working directory, HOME, and with bin/ the first entry of PATH. Removed by close(). */
  readonly scratch = mkdtempSync(join(tmpdir(), "ssh-server-"));
  /** Key that logs in. */
  readonly clientKey = newKey();
  readonly clientKeyFile = join(this.scratch, "client_key");
  /** Command lines, in order of arrival. */
  readonly commands: string[] = [];
  /** Connections accepted, including those that never logged in. */
  connections = 0;
  port = 0;
  /** Attempts to log in. */
  logins = 0;
  /** Most sessions that were open on one connection at the same time. */
  mostSessions = 0;
  readonly hostKeys: readonly { private: string; public: string }[];

  private readonly allowed = [this.clientKey.public];
  private readonly ssh: Server;
  private readonly server = createServer({ noDelay: true }, (socket) => this.accept(socket));
  private readonly sockets = new Set<Socket>();
  private readonly children = new Set<ChildProcess>();
  private isClosed = false;

  private constructor(private readonly options: SshServerOptions) {
    this.hostKeys = options.hostKeys?.map((text) => ({ private: text, public: publicPart(text) })) ?? [newKey()];
    mkdirSync(join(this.scratch, "bin"));
    writeFileSync(this.clientKeyFile, this.clientKey.private, { mode: 0o600 });
    if (options.sudo !== undefined) this.program("sudo", options.sudo);
    const hostKeys = this.hostKeys.map((key) => key.private);
    this.ssh = new Server({ hostKeys }, (connection) => this.serve(connection));
  }

  static async start(options: SshServerOptions = {}): Promise<SshServer> {
    const server = new SshServer(options);
    await new Promise<void>((resolve, reject) => {
      server.server.on("error", reject);
      server.server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    server.port = (server.server.address() as AddressInfo).port;
    return server;
  }

  /** How to reach it. */
  host(over: Partial<HostConnection> = {}): HostConnection {
    return {
      name: "n1",
      address: "127.0.0.1",
      port: this.port,
      user: "admin",
      keyFile: this.clientKeyFile,
      agent: false,
      hostKeys: this.hostKeys.map((key) => key.public),
      knownHostsFile: join(this.scratch, "known_hosts"),
      sudo: "none",
      ...over,
    };
  }

  /** Puts a program first on the PATH of the login shell. */
  program(name: string, text: string): void {
    const path = join(this.scratch, "bin", name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  /** Lets one more public key log in. */
  allow(publicKey: string): void {
    this.allowed.push(publicKey);
  }

  /** Cuts all connections, as a host does that loses power: no goodbye. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Stops reading and answering without closing anything, as a host behind a cut link. */
  freeze(): void {
    for (const socket of this.sockets) {
      socket.pause();
      socket.write = () => true;
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const child of this.children) {
      child.kill("SIGKILL");
      // What the command started may live on and hold them open.
      for (const stream of child.stdio) stream?.destroy();
    }
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.scratch, { recursive: true, force: true });
  }

  private accept(socket: Socket): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.sockets.delete(socket));
    if (this.connections <= (this.options.dropConnections ?? 0)) socket.destroy();
    else this.ssh.injectSocket(socket);
  }

  private serve(connection: Connection): void {
    const state = { sessions: 0, commands: 0, bytes: 0 };
    connection.on("error", () => undefined);
    connection.on("authentication", (context) => this.authenticate(context));
    connection.on("session", (accept, reject) => {
      if (state.sessions >= (this.options.maxSessions ?? 10)) {
        reject();
        return;
      }
      state.sessions++;
      this.mostSessions = Math.max(this.mostSessions, state.sessions);
      this.session(accept(), state);
    });
    connection.on("tcpip", (accept, reject, info) => {
      const socket = connect(info.destPort, info.destIP);
      socket.once("error", reject);
      socket.once("connect", () => {
        const channel = accept();
        channel.on("error", () => undefined);
        socket.pipe(channel).pipe(socket);
      });
    });
  }

  private authenticate(context: AuthContext): void {
    this.logins++;
    if (context.method !== "publickey") {
      context.reject(["publickey"]);
      return;
    }
    const allowed = this.allowed
      .map((text) => utils.parseKey(text))
      .flatMap((key) => (key instanceof Error ? [] : [key]));
    const key = allowed.find((candidate) => candidate.getPublicSSH().equals(context.key.data));
    const isSigned = !context.signature || key?.verify(context.blob as Buffer, context.signature, context.hashAlgo);
    if (key && isSigned === true && !this.options.refuseAuth) context.accept();
    else context.reject(["publickey"]);
  }

  private session(session: Session, state: { sessions: number; commands: number; bytes: number }) {
    session.on("close", () => {
      if (this.options.lingerMs === undefined) state.sessions--;
      else setTimeout(() => state.sessions--, this.options.lingerMs);
    });
    session.on("exec", (accept, _reject, info) => {
      this.commands.push(info.command);
      setTimeout(() => {
        // Whoever cut the connection may have closed the server since: its directory is gone.
        if (this.isClosed) return;
        const channel = accept();
        const child = this.runShell(info.command, channel);
        child.stdout?.on("data", (chunk: Buffer) => {
          state.bytes += chunk.length;
          if (state.bytes > (this.options.dropAfterBytes ?? Infinity)) this.cut();
        });
        if (++state.commands >= (this.options.dropAfterCommands ?? Infinity)) this.cut();
      }, this.options.delayMs ?? 0);
    });
  }

  private runShell(command: string, channel: ServerChannel): ChildProcess {
    const profile = this.options.loginProfile ? `${this.options.loginProfile}\n` : "";
    const child = spawn("/bin/sh", ["-c", profile + command], {
      cwd: this.scratch,
      env: { PATH: `${this.scratch}/bin:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: this.scratch, LANG: "C.UTF-8" },
    });
    this.children.add(child);
    channel.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    child.on("close", (code, signal) => {
      this.children.delete(child);
      if (signal) channel.exit(signal.replace(/^SIG/, ""));
      else channel.exit(code ?? 255);
      channel.end();
    });
    return child;
  }
}

function publicPart(privateKey: string): string {
  const key = utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}
