import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { must, run } from "./run";

/** Local ports of the proxies' own connections, which are not redirected; below those that the kernel chooses. */
const OWN_PORTS = { first: 20_000, last: 29_999 } as const;

/** What happened to one connection. */
export interface Drop {
  readonly afterBytes: number;
}

/**
 * A TCP proxy before one host's sshd that cuts connections in the middle. Whatever this machine sends to the host's port
 * 22 goes through it; hosts among each other do not see it.
 */
export class SshProxy {
  readonly drops: Drop[] = [];
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = OWN_PORTS.first + Math.floor(Math.random() * (OWN_PORTS.last - OWN_PORTS.first));

  /** @param bytesFor how many bytes, both ways together, a new connection lasts; undefined: it is not cut */
  private constructor(
    private readonly address: string,
    private bytesFor: () => number | undefined,
  ) {}

  static async open(address: string, bytesFor: () => number | undefined): Promise<SshProxy> {
    const proxy = new SshProxy(address, bytesFor);
    const server = createServer({ noDelay: true }, (socket) => proxy.accept(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    proxy.server = server;
    const { port } = server.address() as AddressInfo;
    await must(["nft", "-f", "-"], { stdin: redirection(address, port) });
    return proxy;
  }

  /** From now on nothing is cut. */
  calm(): void {
    this.bytesFor = () => undefined;
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    await run(["nft", "delete", "table", "ip", tableOf(this.address)]);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server?.close(resolve));
  }

  private accept(client: Socket): void {
    const host = connect({ host: this.address, port: 22, noDelay: true, localPort: this.nextPort() });
    const limit = this.bytesFor();
    let bytes = 0;
    for (const [from, to] of [
      [client, host],
      [host, client],
    ] as const) {
      this.sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (limit === undefined || bytes < limit) to.write(chunk);
        else this.drop([client, host], bytes);
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }

  private nextPort(): number {
    this.port = this.port === OWN_PORTS.last ? OWN_PORTS.first : this.port + 1;
    return this.port;
  }

  private drop(ends: readonly Socket[], afterBytes: number): void {
    if (ends.some((end) => end.destroyed)) return;
    this.drops.push({ afterBytes });
    for (const end of ends) end.resetAndDestroy();
  }
}

/** The table that turns connections to an address, or to those that begin so, to the proxy. */
export const tableOf = (address: string): string => `repmgr_proxy_${address.replaceAll(".", "_")}`;

/** Only for what this machine itself sends. */
function redirection(address: string, port: number): string {
  const table = `table ip ${tableOf(address)}`;
  return `${table}
delete ${table}
${table} {
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr ${address} tcp dport 22 tcp sport != ${OWN_PORTS.first}-${OWN_PORTS.last} redirect to :${port}
  }
}
`;
}
