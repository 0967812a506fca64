import { createServer, type Socket } from "node:net";
import { AgentProtocol, utils, type ParsedKey } from "ssh2";

/** An ssh-agent on a Unix socket that holds the given private keys and counts what it signs. */
export class SshAgent {
  signatures = 0;

  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => {
    this.serve(socket);
  });

  private constructor(
    readonly path: string,
    private readonly keys: readonly ParsedKey[],
  ) {}

  static async start(path: string, privateKeys: readonly string[]): Promise<SshAgent> {
    const keys = privateKeys.map((text) => [utils.parseKey(text)].flat()[0] as ParsedKey);
    const agent = new SshAgent(path, keys);
    await new Promise<void>((resolve) => agent.server.listen(path, resolve));
    return agent;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    const protocol = new AgentProtocol(false);
    protocol.on("identities", (request) => {
      protocol.getIdentitiesReply(request, [...this.keys]);
    });
    protocol.on("sign", (request, publicKey, data, { hash }) => {
      const wanted = [publicKey].flat()[0] as ParsedKey;
      const key = this.keys.find((candidate) => candidate.getPublicSSH().equals(wanted.getPublicSSH()));
      this.signatures++;
      if (key) protocol.signReply(request, key.sign(data, hash));
      else protocol.failureReply(request);
    });
    socket.pipe(protocol).pipe(socket);
  }
}
