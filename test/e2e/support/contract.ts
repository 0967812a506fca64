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
export async function resourcesOf(
  world: World,
  secrets: Readonly<Record<string, string>> = SECRETS,
): Promise<Resource[]> {
  const graph = await programGraph(world.inventory, secrets);
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

/** "by turns": each action is cut in one of the two ways. */
export type Cuts = Cut | "by turns";

type Seen = CutWorld["cut"];

/** Drives resources through the real lifecycle on real hosts, cut once at every action. */
export class Contract {
  /** "PgInstance create dropped" to the number of actions at which it was cut; each time it came to its end later. */
  readonly points = new Map<string, number>();
  private readonly done = new Set<string>();

  constructor(
    private readonly world: World,
    private readonly cuts: Cuts,
  ) {}

  /** Makes a resource, or changes it to its inputs. @returns once it is as wanted, and a further run sends nothing */
  async converge(resource: Resource): Promise<void> {
    const { kind, inputs } = resource;
    const verb = resource.state === undefined ? "create" : "update";
    let isSaved = false;
    const run = async (lifecycle: Lifecycle): Promise<Properties> => {
      // The engine remembers an init-failed resource and updates it; of a killed run it remembers nothing.
      if (verb === "update" || isSaved) return (await lifecycle.update(kind, inputs)).outs;
      return (await lifecycle.create(kind, inputs)).outs;
    };
    resource.state = await this.untilDone(resource, verb, run, async (error, { how }) => {
      if (how === "dropped") isSaved = await this.expectSaved(resource, error);
    });
    await this.expectQuiet(resource, (lifecycle) => lifecycle.create(kind, inputs));
  }

  /** Deletes a resource, and what is gone once more. */
  async remove(resource: Resource): Promise<void> {
    const { kind, state = resource.inputs } = resource;
    await this.untilDone(resource, "delete", (lifecycle) => lifecycle.delete(kind, state));
    await this.expectQuiet(resource, (lifecycle) => lifecycle.delete(kind, state));
    delete resource.state;
  }

  /**
   * Makes a resource up to each of its actions in turn, and deletes what there is of it each time, whole or not.
   * @param expectGone looks at the hosts after each deletion
   */
  async makeAndUnmake(resource: Resource, expectGone: () => Promise<void>): Promise<void> {
    const { kind, inputs } = resource;
    for (let last = 0, isWhole = false; !isWhole; last++) {
      let actions = 0;
      let cut: Seen;
      const cutter: Cutter = () => (actions++ === last ? "stopped" : undefined);
      const create = (lifecycle: Lifecycle): Promise<unknown> => lifecycle.create(kind, inputs);
      await this.session(resource, cutter, create, (seen) => (cut = seen)).catch((error: unknown) => {
        if (cut === undefined) throw error;
      });
      isWhole = cut === undefined;
      await this.session(resource, undefined, (lifecycle) => lifecycle.delete(kind, inputs));
      await this.expectQuiet(resource, (lifecycle) => lifecycle.delete(kind, inputs));
      await expectGone();
      this.count(`${kind.name} create, then delete`);
    }
  }

  /** What the next review finds of a resource. */
  read(resource: Resource): ReturnType<Lifecycle["read"]> {
    const { kind, state = resource.inputs } = resource;
    return this.session(resource, undefined, (lifecycle) => lifecycle.read(kind, kind.id(state as never), state));
  }

  check(resource: Resource): Promise<string[]> {
    return this.session(resource, undefined, async (lifecycle) => {
      const { failures } = await lifecycle.check(resource.kind, resource.state ?? {}, resource.inputs);
      return failures.map(({ reason }) => reason);
    });
  }

  /** What changed hosts for a resource since the last call. */
  takeLog(resource: Resource): LoggedAction[] {
    const log = this.logOf(resource);
    if (!existsSync(log)) return [];
    const lines = readFileSync(log, "utf8").trim().split("\n");
    rmSync(log);
    return lines.map((line) => JSON.parse(line) as LoggedAction);
  }

  private logOf({ name }: Resource): string {
    return join(this.world.state, `${name.replace(" ", "-")}.jsonl`);
  }

  private async untilDone<T>(
    resource: Resource,
    verb: Verb,
    run: (lifecycle: Lifecycle) => Promise<T>,
    afterCut: (error: unknown, cut: NonNullable<Seen>) => Promise<void> = () => Promise.resolve(),
  ): Promise<T> {
    const { name, kind } = resource;
    let last = "";
    for (let runs = 0; runs < MOST_RUNS; runs++) {
      const cutter: Cutter = (host, why) => this.cutOnce(`${kind.name} ${verb}`, `${name} ${verb} ${host} ${why}`);
      let cut: Seen;
      try {
        return await this.session(resource, cutter, run, (seen) => (cut = seen));
      } catch (error) {
        if (cut === undefined) throw error;
        await afterCut(error, cut);
        last = `${cut.at}: ${String(error)}`;
      }
    }
    throw new Error(`${name} ${verb}: not done after ${MOST_RUNS} runs, last cut at ${last}`);
  }

  private cutOnce(point: string, action: string): Cut | undefined {
    if (this.done.has(action)) return undefined;
    const turn = this.done.size % 2 === 0 ? "dropped" : "stopped";
    const how = this.cuts === "by turns" ? turn : this.cuts;
    this.done.add(action);
    this.count(`${point} ${how}`);
    return how;
  }

  private count(point: string): void {
    this.points.set(point, (this.points.get(point) ?? 0) + 1);
  }

  /** @throws what the work threw, and when it was cut without noticing */
  private async session<T>(
    resource: Resource,
    cutter: Cutter | undefined,
    work: (lifecycle: Lifecycle) => Promise<T>,
    tell: (cut: Seen) => void = () => undefined,
  ): Promise<T> {
    const inventory = join(this.world.state, "inventory.yml");
    const session = await CutWorld.open({ inventory, log: this.logOf(resource) }, cutter);
    try {
      const result = await work(new Lifecycle(session));
      if (session.cut !== undefined) throw new Error(`the cut at "${session.cut.at}" went unnoticed`);
      return result;
    } finally {
      tell(session.cut);
      await session.close();
    }
  }

  /** A create or update that was cut after something was sent is saved with its reasons, and can be looked at. */
  private async expectSaved(resource: Resource, error: unknown): Promise<boolean> {
    const { name, kind, inputs } = resource;
    if (!(error instanceof InitFailed))
      throw new Error(`${name}: not saved as begun: ${String(error)}`, { cause: error });
    expect(error.reasons.join()).toContain(kind.id(inputs as never));
    expect(error.properties.__provider).toBe(inputs.__provider);
    const { id } = await this.session(resource, undefined, (lifecycle) =>
      lifecycle.read(kind, error.id, error.properties),
    );
    expect(["", error.id]).toContain(id);
    return true;
  }

  private async expectQuiet(resource: Resource, again: (lifecycle: Lifecycle) => Promise<unknown>): Promise<void> {
    this.takeLog(resource);
    await this.session(resource, undefined, again);
    expect([resource.name, this.takeLog(resource)]).toEqual([resource.name, []]);
  }
}
