import { connect, type Socket } from "node:net";
import { Stopped } from "../actions/stop";

/** What of a server of node:http2 is used here. */
interface StreamServer {
  on(event: "stream", listener: (stream: unknown, headers: Record<string, unknown>) => void): unknown;
}

const CANCEL_PATH = "/pulumirpc.ResourceProvider/Cancel";
const RETRY_MS = 100;

/**
 * Tells when no more work is wanted: the signal's reason is a Stopped. Without it a provider process whose CLI was
 * killed would go on changing hosts, and one whose user pressed Ctrl-C would finish a clone of many hours first.
 * @param address of the engine, "127.0.0.1:41235"; undefined where there is none, as in tests
 */
export function watchEngine(address: string | undefined): AbortSignal {
  const stopping = new AbortController();
  const [, host, port] = /^(\S+):(\d+)$/.exec(address ?? "") ?? [];
  if (host === undefined || port === undefined) return stopping.signal;
  whenGone(host, Number(port), () => stopping.abort(new EngineGone()));
  whenCancelled(() => stopping.abort(new Stopped("pulumi was told to cancel (Ctrl-C)")));
  return stopping.signal;
}

/** The process that asked for the work is dead; nobody takes its results, and this process has to end. */
export class EngineGone extends Stopped {
  constructor() {
    super("the pulumi process that asked for it is gone");
  }
}

/**
 * The engine listens as long as it lives, and its end closes what is connected to it. It also closes what says nothing
 * for two minutes, so only a refused connection is the proof.
 */
function whenGone(host: string, port: number, tell: () => void): void {
  const socket: Socket = connect(port, host).unref();
  let refused = false;
  socket.on("error", (error: NodeJS.ErrnoException) => (refused = error.code === "ECONNREFUSED"));
  socket.on("close", () => {
    if (refused) tell();
    else setTimeout(() => whenGone(host, port, tell), RETRY_MS).unref();
  });
  socket.resume();
}

/**
 * The SDK answers the engine's Cancel without a word to its providers (cmd/dynamic-provider, ResourceProviderService), and
 * does not export its server; it is found among the process's open handles. Where it is not found, Ctrl-C waits for
 * the end of what has begun.
 */
function whenCancelled(tell: () => void): void {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?: () => object[] };
  const servers = handles?.call(process).filter((handle) => handle.constructor.name === "Http2Server") ?? [];
  for (const server of servers as unknown as StreamServer[]) {
    server.on("stream", (_stream, headers) => {
      if (headers[":path"] === CANCEL_PATH) tell();
    });
  }
}
