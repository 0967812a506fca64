import { connect } from "node:net";
import type { HostImage } from "./image";
import type { RunOptions, RunResult } from "./run";
import type { HostState } from "./state";

/** What a host of the lab can do, whatever it is made of. */
export interface Machine {
  readonly name: string;
  readonly address: string;
  isRunning(): boolean;
  /** Starts booting; ready() tells when it is done. */
  start(image: HostImage, state: HostState): Promise<void>;
  /** @param reachable false for a host whose link is cut: then the port is not looked at */
  ready(reachable: boolean): Promise<void>;
  /** @throws Error when the host is off, or the command outlives its deadline */
  guest(command: string | readonly string[], user: string, options: RunOptions): Promise<RunResult>;
  /** What this machine has to run for a command inside the host. @throws Error when the host is off */
  guestCommand(command: string | readonly string[], user: string): string[];
  /** Pulls the plug: no process of the host gets another instruction. */
  kill(): Promise<void>;
  /** Shuts down as `poweroff` on the host does; pulls the plug on what is left after deadlineMs. */
  stop(deadlineMs: number): Promise<void>;
  /** Forgets the disk. The host must be off. */
  erase(): void;
}

/** Looks at port 22 once. */
export function bannerSeen(address: string): Promise<true | string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22 });
    const end = (seen: true | string): void => {
      socket.destroy();
      resolve(seen);
    };
    socket.setTimeout(2_000, () => end("port 22 says nothing"));
    socket.once("data", (data) => end(data.toString("latin1").startsWith("SSH-") || "port 22 is not sshd"));
    socket.once("error", (error) => end(`port 22: ${error.message}`));
    socket.once("end", () => end("port 22 closes at once"));
  });
}
