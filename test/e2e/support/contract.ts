import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LoggedAction } from "../../../actions/log";
import { firewallRuleKind } from "../../../providers/firewallRule";
import type { BaseInputs, Kind } from "../../../providers/kind";
import { InitFailed, Lifecycle, type Properties } from "../../../providers/lifecycle";
import { pgClusterKind } from "../../../providers/pgCluster";
import { pgInstanceKind } from "../../../providers/pgInstance";
import { pgPackagesKind } from "../../../providers/pgPackages";
import { preflightKind } from "../../../providers/preflight";
import { repmgrNodeKind } from "../../../providers/repmgrNode";
import { systemdUnitKind } from "../../../providers/systemdUnit";
import { programGraph } from "../../program/programGraph";
import { type Cut, type Cutter, CutWorld } from "./cutWorld";
import { SECRETS } from "./secrets";
import type { Wire } from "./wire";
import type { World } from "./world";

type AnyKind = Kind<BaseInputs, unknown, object>;
type Verb = "create" | "update" | "delete";

const KINDS = new Map(
  [preflightKind, pgPackagesKind, firewallRuleKind, pgInstanceKind, systemdUnitKind, repmgrNodeKind, pgClusterKind].map(
    (kind) => [kind.name, kind as unknown as AnyKind],
  ),
);

/** More runs than any resource has actions: who needs them does not converge. */
const MOST_RUNS = 60;

/** A resource as the program asks for it, with what a run left of it in state. */
export interface Resource {
  readonly name: string;
  readonly kind: AnyKind;
  inputs: Properties;
  state?: Properties;
}

/** All resources of an inventory in the order in which the program makes them, with the inputs that it gives them. */
export async function resourcesOf(world: World): Promise<Resource[]> {
  const graph = await programGraph(world.inventory, SECRETS);
  return [...graph.values()].flatMap(({ name, inputs }) => {
    const kind = KINDS.get(name.split(" ")[0] ?? "");
    return kind === undefined ? [] : [{ name, kind, inputs: bare(inputs) as Properties }];
  });
}

/** As the provider gets them: without the marks of secrets. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  if (entries.some(([key]) => key === "4dabf18193072939515e22adb298388d")) return bare((value as Properties).value);
  return Object.fromEntries(entries.map(([key, inner]) => [key, bare(inner)]));
}

/** Drives resources through the real lifecycle on real hosts, cut at every action once for each way of cutting. */
export class Contract {
  /** "PgInstance create dropped" to the number of actions at which it was cut; each time it came to its end later. */
  readonly points = new Map<string, number>();
  private readonly done = new Set<string>();

  constructor(
    private readonly world: World,
    private readonly wires: ReadonlyMap<string, Wire>,
  ) {}

  /** Makes a resource, or changes it to its inputs. @returns once it is as wanted, and a further run sends nothing */
  async converge(resource: Resource, cut: Cut | undefined): Promise<void> {
    const { kind, inputs } = resource;
    const verb = resource.state === undefined ? "create" : "update";
    let hasFailed = false;
    const outs = await this.untilDone(resource, verb, cut, async (lifecycle) => {
      try {
        // The engine remembers an init-failed resource and updates it; of a killed run it remembers nothing.
        if (verb === "update" || hasFailed) return (await lifecycle.update(kind, inputs)).outs;
        return (await lifecycle.create(kind, inputs)).outs;
      } catch (error) {
        if (cut === "dropped") hasFailed = await this.expectSaved(resource, error);
        throw error;
      }
    });
    resource.state = outs;
    await this.expectQuiet(resource, (lifecycle) => lifecycle.create(kind, inputs));
  }

  /** Deletes a resource, and what is gone once more. */
  async remove(resource: Resource, cut: Cut | undefined): Promise<void> {
    const { kind, state = resource.inputs } = resource;
    await this.untilDone(resource, "delete", cut, (lifecycle) => lifecycle.delete(kind, state));
    await this.expectQuiet(resource, (lifecycle) => lifecycle.delete(kind, state));
    delete resource.state;
  }

  /** What the next review finds of a resource. */
  read(resource: Resource): ReturnType<Lifecycle["read"]> {
    const { kind, state = resource.inputs } = resource;
    return this.session(undefined, (lifecycle) => lifecycle.read(kind, kind.id(state as never), state));
  }

  check(resource: Resource): Promise<string[]> {
    return this.session(undefined, async (lifecycle) => {
      const failures = await lifecycle.check(resource.kind, resource.state ?? {}, resource.inputs);
      return failures.map(({ reason }) => reason);
    });
  }

  /** What changed hosts since the last call. */
  takeLog(): LoggedAction[] {
    if (!existsSync(this.log)) return [];
    const lines = readFileSync(this.log, "utf8").trim().split("\n");
    rmSync(this.log);
    return lines.map((line) => JSON.parse(line) as LoggedAction);
  }

  private get log(): string {
    return join(this.world.state, "actions.jsonl");
  }

  private async untilDone<T>(
    { name, kind }: Resource,
    verb: Verb,
    cut: Cut | undefined,
    run: (lifecycle: Lifecycle) => Promise<T>,
  ): Promise<T> {
    let last = "";
    for (let runs = 0; runs < MOST_RUNS; runs++) {
      const cutter: Cutter = (host, why) => {
        const key = `${name} ${verb} ${cut ?? ""} ${host} ${why}`;
        if (cut === undefined || this.done.has(key)) return undefined;
        this.done.add(key);
        const point = `${kind.name} ${verb} ${cut}`;
        this.points.set(point, (this.points.get(point) ?? 0) + 1);
        return cut;
      };
      let isCut: string | undefined;
      try {
        return await this.session(cutter, run, (seen) => (isCut = seen));
      } catch (error) {
        if (isCut === undefined) throw error;
        last = `${isCut}: ${String(error)}`;
      }
    }
    throw new Error(`${name} ${verb}: not done after ${MOST_RUNS} runs, last cut at ${last}`);
  }

  /** @throws what the work threw, and when it was cut without noticing */
  private async session<T>(
    cutter: Cutter | undefined,
    work: (lifecycle: Lifecycle) => Promise<T>,
    tell: (cut: string | undefined) => void = () => undefined,
  ): Promise<T> {
    const inventory = join(this.world.state, "inventory.yml");
    const session = new CutWorld({ inventory, log: this.log, wires: this.wires }, cutter);
    try {
      const result = await work(new Lifecycle(session));
      if (session.cut !== undefined) throw new Error(`the cut at "${session.cut}" went unnoticed`);
      return result;
    } finally {
      tell(session.cut);
      await session.close();
    }
  }

  /** A create or update that was cut after something was sent is saved with its reasons, and can be looked at. */
  private async expectSaved({ name, kind, inputs }: Resource, error: unknown): Promise<boolean> {
    if (!(error instanceof InitFailed))
      throw new Error(`${name}: not saved as begun: ${String(error)}`, { cause: error });
    expect(error.reasons.join()).toContain(kind.id(inputs as never));
    expect(error.properties.__provider).toBe(inputs.__provider);
    const { id } = await this.session(undefined, (lifecycle) => lifecycle.read(kind, error.id, error.properties));
    expect(["", error.id]).toContain(id);
    return true;
  }

  private async expectQuiet({ name }: Resource, again: (lifecycle: Lifecycle) => Promise<unknown>): Promise<void> {
    this.takeLog();
    await this.session(undefined, again);
    expect([name, this.takeLog()]).toEqual([name, []]);
  }
}
