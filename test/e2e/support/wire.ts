import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A way to a host's sshd that can be cut at a chosen byte, as a link does that goes down: no goodbye to either side. */
export class Wire {
  /** Bytes that went to the host so far. */
  sent = 0;
  private readonly sockets = new Set<Socket>();
  private cutAt: { readonly sent: number; readonly afterMs: number; readonly done: () => void } | undefined;

  private constructor(private readonly server: Server) {}

  static async open(address: string, port = 22): Promise<Wire> {
    const server = createServer({ noDelay: true });
    const wire = new Wire(server);
    server.on("connection", (socket) => wire.join(socket, connect({ host: address, port, noDelay: true })));
    await new Promise<void>((resolve, reject) => {
      server.on("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return wire;
  }

  /** On 127.0.0.1. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Cuts every connection once so many more bytes have gone to the host, and a moment has passed. */
  cutAfter(bytes: number, afterMs: number): Promise<void> {
    return new Promise((done) => {
      this.cutAt = { sent: this.sent + bytes, afterMs, done };
    });
  }

  cut(): void {
    this.cutAt?.done();
    this.cutAt = undefined;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private join(client: Socket, host: Socket): void {
    for (const [from, to] of [
      [client, host],
      [host, client],
    ] as const) {
      this.sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
    host.pipe(client);
    client.on("data", (chunk: Buffer) => {
      host.write(chunk);
      this.sent += chunk.length;
      const { cutAt } = this;
      if (cutAt === undefined || this.sent < cutAt.sent) return;
      this.cutAt = undefined;
      setTimeout(() => {
        cutAt.done();
        this.cut();
      }, cutAt.afterMs);
    });
  }
}
