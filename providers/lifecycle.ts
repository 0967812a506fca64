import type { Action } from "../actions/action";
import { folded, unfold } from "./aside";
import { canonical, equal } from "./canonical";
import type { Claims } from "./claims";
import { Foresight } from "./foresight";
import { type BaseInputs, type Ctx, type Kind, NotSeen, Refused } from "./kind";
import { isAskedFor, leftLines, pendingOf, refuseLeft, split, unseenOf } from "./restrictedLogin";
import { STAMP, withoutStamp } from "./state";

/** The engine writes this for a value it does not know yet (pulumi sdk, runtime/rpc.ts). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** How often a plan may be made again because the first one uncovered more to do; each round must differ. */
const MAX_ROUNDS = 4;

/** What the lifecycle needs of the running process. */
export interface World {
  /** Answers may be some seconds old. */
  review(reach: BaseInputs["reach"]): Ctx;
  /** Every answer is asked for anew. */
  fresh(reach: BaseInputs["reach"]): Ctx;
  apply(resource: string, reach: BaseInputs["reach"], actions: readonly Action[]): Promise<void>;
  /** A line for who runs the preview. */
  say(line: string): void;
  /** The nodes of today's inventory. */
  claims(): Claims;
  /** Today's inventory says that the host's machine is gone for good. */
  isLost(host: string): boolean;
  /** The login there may become postgres only. */
  isRestricted(host: string, reach: BaseInputs["reach"]): boolean;
}

export type Properties = Record<string, unknown>;
type AnyKind = Kind<BaseInputs, unknown, object>;

/** Saved by the engine as "created, but not as wanted": refreshable, destroyable, and updated next time. */
export class InitFailed extends Error {
  readonly reasons: string[];
  constructor(
    readonly id: string,
    readonly properties: Properties,
    message: string,
  ) {
    super(message);
    this.reasons = [message];
  }
}

/** create, read, diff, update and delete for every kind; the only place that knows the engine's contract. */
export class Lifecycle {
  private readonly foresight: Foresight;
  /** Of what was looked at in this run, the inputs of the last one, by kind and id; a state that is refreshed no longer tells. */
  private readonly deployed = new Map<string, BaseInputs>();

  constructor(private readonly world: World) {
    this.foresight = new Foresight(world);
  }

  /** Asks the hosts only about inputs that can work at all. In a preview it tells, cluster by cluster, what up will mean. */
  async check(
    kind: AnyKind,
    olds: Properties,
    { foreseenFor, ...asked }: Properties,
  ): Promise<{ inputs: Properties; failures: { property: string; reason: string }[] }> {
    const known = { ...asked, ...echoed(kind, olds, asked), ...recalled(kind, olds, asked) };
    const news = { ...known, ...kind.inTheWordsOf?.(inputsOf(olds), inputsOf(known)) };
    const inputs = inputsOf(news);
    const failures = containsUnknown(news) ? [] : await this.failures(kind, olds, news);
    if (!Array.isArray(foreseenFor) || failures.length > 0) return { inputs: news, failures };
    const isAsked = isAskedFor(kind, this.before(kind, inputs, olds), inputsOf(known));
    const refusals = await this.foresight.foresee(kind, inputs, isAsked, foreseenFor as string[]);
    return { inputs: news, failures: refusals.map((reason) => ({ property: "", reason })) };
  }

  /** The inputs of the last run; undefined when there was none. */
  private before(kind: AnyKind, inputs: BaseInputs, olds: Properties): BaseInputs | undefined {
    return this.deployed.get(keyOf(kind, inputs)) ?? (Object.keys(olds).length === 0 ? undefined : inputsOf(olds));
  }

  private async failures(
    kind: AnyKind,
    olds: Properties,
    news: Properties,
  ): Promise<{ property: string; reason: string }[]> {
    const inputs = inputsOf(news);
    const invalid = [...movedData(kind, olds, news), ...kind.validate(inputs)];
    const reasons = invalid.length > 0 ? invalid : await this.preflight(kind, olds, inputs);
    return reasons.map((reason) => ({ property: "", reason }));
  }

  private restrictedIn({ reach }: BaseInputs): (host: string) => boolean {
    return (host) => this.world.isRestricted(host, reach);
  }

  /**
   * false where no managed input differs. Otherwise no word on changes: then the engine compares the inputs itself and
   * shows exactly the properties that differ; told "true", it would show every property and the outputs besides.
   */
  diff(kind: AnyKind, olds: Properties, news: Properties): { changes?: false; replaces: string[] } {
    const changed = [...kind.managed, "pending"].filter(
      (key) => containsUnknown(news[key]) || !equal(olds[key], news[key]),
    );
    if (changed.length === 0) return { changes: false, replaces: [] };
    return { replaces: moved(kind, olds, news).filter((key) => changed.includes(key)) };
  }

  async create(kind: AnyKind, news: Properties): Promise<{ id: string; outs: Properties }> {
    const inputs = inputsOf(news);
    // What was deployed and is gone from its host is made anew, too.
    const isAsked = isAskedFor(kind, this.deployed.get(keyOf(kind, inputs)), inputs);
    return { id: kind.id(inputs), outs: await this.converge(kind, inputs, news, isAsked) };
  }

  /** @param olds absent: nothing but what is there is to be put right */
  async update(kind: AnyKind, news: Properties, olds?: Properties): Promise<{ outs: Properties }> {
    const inputs = inputsOf(news);
    const isAsked = olds !== undefined && isAskedFor(kind, this.before(kind, inputs, olds), inputs);
    return { outs: await this.converge(kind, inputs, news, isAsked) };
  }

  /** An empty id tells the engine the resource is gone; said only on positive evidence. */
  async read(
    kind: AnyKind,
    id: string,
    olds: Properties,
  ): Promise<{ id: string; props?: Properties; inputs?: Properties }> {
    const inputs = inputsOf(olds);
    const kept = (values: object): Properties => folded(plain(values), olds);
    // Said to be absent it would be forgotten, and its peers would never be told.
    if (this.isLost(inputs))
      return { id, inputs: kept({ ...inputs, pending: [] }), props: plain({ ...olds, ...STAMP }) };
    const ctx = this.world.review(inputs.reach);
    this.deployed.set(keyOf(kind, inputs), inputs);
    kind.anticipate?.(ctx, inputs);
    const have = await kind.observe(ctx, inputs).catch(notSeen);
    // What the last run with full rights knew is kept, and said to be just that.
    if (have instanceof NotSeen) {
      const outputs: readonly string[] = kind.outputs ?? [];
      const known = Object.fromEntries(Object.entries(inputs).filter(([key]) => !outputs.includes(key)));
      const props = plain({ ...olds, pending: [], ...STAMP, unseen: [have.what] });
      return { id, inputs: kept({ ...known, pending: [] }), props };
    }
    if (kind.isAbsent(have)) return { id: "" };
    const { inputs: found, outputs } = kind.project(inputs, have);
    // What the engine gives us are the old outputs; what is only an output must not come back as an input.
    const isInput = ([key]: [string, unknown]): boolean => !(key in outputs);
    const seen = {
      ...Object.fromEntries(Object.entries(found).filter(isInput)),
      pending: pendingOf(kind, inputs, have, this.restrictedIn(inputs)),
    };
    return { id, inputs: kept(seen), props: kept({ ...seen, ...outputs, ...unseenOf(kind, inputs, have), ...STAMP }) };
  }

  async delete(kind: AnyKind, olds: Properties): Promise<void> {
    const inputs = inputsOf(olds);
    if (this.isLost(inputs) && kind.isKnownToPeers !== true) return;
    const have = await kind.observe(this.world.fresh(inputs.reach), inputs);
    const actions = kind.planDelete(have, inputs, this.world.claims());
    refuseLeft(split(actions, this.restrictedIn(inputs)).left);
    await this.world.apply(keyOf(kind, inputs), inputs.reach, actions);
  }

  private isLost(inputs: BaseInputs & { readonly host?: string }): boolean {
    return inputs.host !== undefined && this.world.isLost(inputs.host);
  }

  private async preflight(kind: AnyKind, olds: Properties, inputs: BaseInputs): Promise<string[]> {
    if (kind.preflight === undefined) return [];
    const before = Object.keys(olds).length === 0 ? undefined : inputsOf(olds);
    // A host that is no longer in the inventory may still hold what the change is about.
    return kind.preflight(this.world.review({ ...before?.reach, ...inputs.reach }), inputs, before);
  }

  /** @param isAsked the program wants it otherwise than it was deployed: then nothing of it may be left undone */
  private async converge(kind: AnyKind, inputs: BaseInputs, news: Properties, isAsked: boolean): Promise<Properties> {
    const ctx = this.world.fresh(inputs.reach);
    const name = keyOf(kind, inputs);
    let touched = false;
    let previous = "";
    try {
      for (let round = 0; round <= MAX_ROUNDS; round++) {
        const have = await kind.observe(ctx, inputs);
        const { able: actions, left } = split(planned(kind, inputs, have), this.restrictedIn(inputs));
        if (isAsked) refuseLeft(left);
        if (actions.length === 0) {
          const pending = leftLines(left);
          for (const line of pending) this.world.say(line);
          const { outputs } = kind.project(inputs, have);
          const settled = { ...inputs, pending, ...outputs, ...unseenOf(kind, inputs, have), ...STAMP };
          const kept = kind.memory === undefined ? settled : { ...settled, [kind.memory.key]: undefined };
          return folded(plain(kept), news);
        }
        const whys = actions.map((a) => `${a.host}: ${a.why}`).join("\n  ");
        if (whys === previous || round === MAX_ROUNDS) throw new Error(`done, and still left to do:\n  ${whys}`);
        previous = whys;
        touched = true;
        try {
          await this.world.apply(name, inputs.reach, actions);
        } catch (error) {
          const wait = kind.retryAfter?.(inputs, have, error) ?? [];
          if (wait.length === 0) throw error;
          await this.world.apply(name, inputs.reach, wait);
        }
      }
      throw new Error("unreachable");
    } catch (error) {
      const message = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      // Before the first write nothing exists of it; afterwards the engine must remember that something does (F8).
      if (!touched) throw new Error(message);
      throw new InitFailed(
        kind.id(inputs),
        { ...folded(plain({ ...inputs, ...STAMP }), news), __provider: news.__provider },
        message,
      );
    }
  }
}

/** What can be done is done, before what is refused is refused. */
function planned(kind: AnyKind, inputs: BaseInputs, have: unknown): Action[] {
  try {
    return kind.plan(inputs, have);
  } catch (error) {
    if (error instanceof Refused && error.besides.length > 0) return [...error.besides];
    throw error;
  }
}

function notSeen(error: unknown): NotSeen {
  if (error instanceof NotSeen) return error;
  throw error;
}

function keyOf(kind: AnyKind, inputs: BaseInputs): string {
  return `${kind.name} ${kind.id(inputs)}`;
}

/** What is still to come of another resource's output counts as it was, until that resource has been updated. */
function echoed({ echoes = [] }: AnyKind, olds: Properties, news: Properties): Properties {
  const known = (echoes as readonly string[]).filter((key) => containsUnknown(news[key]) && olds[key] !== undefined);
  return Object.fromEntries(known.map((key) => [key, olds[key]]));
}

function recalled({ memory }: AnyKind, olds: Properties, news: Properties): Properties {
  const known = memory?.recall(inputsOf(olds), inputsOf(news));
  return memory === undefined || known === undefined ? {} : { [memory.key]: known };
}

/** Data stays where it is: a new identity would silently begin an empty database beside the old one. */
function movedData(kind: AnyKind, olds: Properties, news: Properties): string[] {
  const { keepsData } = kind;
  if (keepsData === undefined || Object.keys(olds).length === 0) return [];
  return moved(kind, olds, news).map(
    (key) => `${key} of ${kind.name} cannot change from ${said(olds[key])} to ${said(news[key])}: ${keepsData}`,
  );
}

/** The identity that differs and is not carried over. */
function moved(kind: AnyKind, olds: Properties, news: Properties): string[] {
  const differs = kind.identity.filter((key) => containsUnknown(news[key]) || !equal(olds[key], news[key]));
  if (differs.length === 0 || kind.carries === undefined) return [...differs];
  const carried: readonly string[] = kind.carries(inputsOf(olds), inputsOf(news));
  return differs.filter((key) => !carried.includes(key));
}

function said(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "(none)");
}

function inputsOf(properties: Properties): BaseInputs {
  const { __provider: _, unseen: __, ...inputs } = unfold(withoutStamp(properties));
  return inputs as unknown as BaseInputs;
}

function plain(value: object): Properties {
  return canonical(value) as Properties;
}

function containsUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (value === null || typeof value !== "object") return false;
  return Object.values(value).some(containsUnknown);
}
