import { readFileSync } from "node:fs";
import { Executor } from "../../../actions/executor";
import { ActionLog } from "../../../actions/log";
import { loadHosts } from "../../../config/loadHosts";
import { loadNodes } from "../../../config/loadNodes";
import { FactLoader } from "../../../facts/loader";
import type { Ctx } from "../../../providers/kind";
import type { World } from "../../../providers/lifecycle";
import { SshPool } from "../../../ssh/pool";
import type { HostConnection, RunRequest, RunResult, Shell } from "../../../ssh/types";
import { SECRETS } from "./secrets";
import { Wire } from "./wire";

/**
 * How an action is cut: "dropped": the connection goes down while it runs, so that it may or may not have been done, and
 * the run goes on to tell so. "stopped": everything ends right after it, as after a SIGKILL: nothing more is sent at all.
 */
export type Cut = "dropped" | "stopped";

/** Asked before each action that may change a host. */
export type Cutter = (host: string, why: string) => Cut | undefined;

/** The exec request, the framing of SSH and the frame of the script: what goes to a host besides script and input. */
const OVERHEAD_BYTES = 1_100;
/** How long a connection lives on after the script was sent: before, while and after the host runs it. */
const MOMENTS_MS = [0, 15, 120];

interface Session {
  /** Paths of the inventory and of the action log. */
  readonly inventory: string;
  readonly log: string;
}

/** A session of the provider process, as openSession makes one, whose actions can be cut; through wires to real hosts. */
export class CutWorld implements World, Shell {
  /** What was cut and how, if anything: the session's work is then to be done again in a new one. */
  cut: { readonly how: Cut; readonly at: string } | undefined;
  private isKilled = false;
  private readonly pool = new SshPool({ secrets: (name) => (SECRETS as Record<string, string>)[name] });
  private readonly facts = new FactLoader(this);
  private readonly connections: ReadonlyMap<string, HostConnection>;
  private static drops = 0;

  private constructor(
    private readonly of: Session,
    private readonly wires: ReadonlyMap<string, Wire>,
    private readonly cutter: Cutter,
  ) {
    this.connections = new Map([...loadHosts(of.inventory)].map(([name, host]) => [name, this.through(name, host)]));
  }

  static async open(of: Session, cutter: Cutter = () => undefined): Promise<CutWorld> {
    const hosts = [...loadHosts(of.inventory).values()];
    const wires = hosts.map(async ({ name, address, port }) => [name, await Wire.open(address, port)] as const);
    return new CutWorld(of, new Map(await Promise.all(wires)), cutter);
  }

  open = (host: HostConnection): Promise<void> => this.pool.open(host);
  say = () => undefined;
  claims = () => loadNodes(this.of.inventory);
  isLost = (): boolean => false;
  isRestricted = (): boolean => false;
  review = () => this.ctx(false);
  fresh = () => this.ctx(true);
  apply: World["apply"] = (resource, _reach, actions) =>
    new Executor(this, this.facts, new ActionLog(this.of.log), (host) => this.connection(host)).apply(
      resource,
      actions,
    );

  async run(host: HostConnection, request: RunRequest): Promise<RunResult> {
    if (this.isKilled) throw new Error("this session was killed");
    const isProbe = request.what.startsWith("read the facts");
    const cut = isProbe || this.cut !== undefined ? undefined : this.cutter(host.name, request.what);
    if (cut === undefined) return this.pool.run(host, request);
    this.cut = { how: cut, at: `${host.name}: ${request.what}` };
    return cut === "dropped" ? this.dropped(host, request) : this.stopped(host, request);
  }

  async close(): Promise<void> {
    // A killed process says no goodbye.
    if (this.isKilled) for (const wire of this.wires.values()) wire.cut();
    await this.pool.close();
    await Promise.all([...this.wires.values()].map((wire) => wire.close()));
  }

  private async dropped(host: HostConnection, request: RunRequest): Promise<RunResult> {
    const size = Buffer.byteLength(request.script) + Buffer.byteLength(request.stdin ?? "") + OVERHEAD_BYTES;
    const moment = MOMENTS_MS[CutWorld.drops++ % MOMENTS_MS.length] ?? 0;
    const cut = this.wire(host.name).cutAfter(size, moment);
    const outcome = await this.pool.run(host, request).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    if ("error" in outcome) throw outcome.error;
    // The host was faster than the cut; its answer is lost all the same.
    await Promise.race([cut, new Promise((resolve) => setTimeout(resolve, 2 * moment))]);
    this.wire(host.name).cut();
    throw new Error(`${host.name}: the connection was lost with the answer of an action that was done`);
  }

  private async stopped(host: HostConnection, request: RunRequest): Promise<RunResult> {
    await this.pool.run(host, request).catch(() => undefined);
    this.isKilled = true;
    throw new Error("this session was killed");
  }

  private ctx(fresh: boolean): Ctx {
    return { ask: (host, probe) => this.facts.ask(this.connection(host), probe, fresh) };
  }

  private connection(host: string): HostConnection {
    const found = this.connections.get(host);
    if (found === undefined) throw new Error(`${host} is not in the inventory`);
    return found;
  }

  private wire(host: string): Wire {
    const wire = this.wires.get(host);
    if (wire === undefined) throw new Error(`there is no wire to ${host}`);
    return wire;
  }

  private through(name: string, host: HostConnection): HostConnection {
    const lines = readFileSync(host.knownHostsFile, "utf8").split("\n");
    const hostKeys = lines
      .map((line) => line.split(" "))
      .filter(([names]) => names?.split(",").includes(host.address) === true)
      .map(([, type, key]) => `${type} ${key}`);
    return { ...host, address: "127.0.0.1", port: this.wire(name).port, hostKeys };
  }
}
