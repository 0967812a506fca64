import type { Action } from "../actions/action";
import { Forecast, type Foreseen } from "./forecast";
import { type BaseInputs, type Kind, NotSeen, Refused } from "./kind";
import type { World } from "./lifecycle";
import { ofHosts, split, unseenRefusal } from "./restrictedLogin";

type AnyKind = Kind<BaseInputs, unknown, object>;

/** In a preview: what up will do to the resources of the clusters, collected until it is told. */
export class Foresight {
  private readonly forecast = new Forecast();

  constructor(private readonly world: Pick<World, "review" | "say" | "isRestricted">) {}

  /**
   * Inputs that are still to come are outputs of other resources, which no plan looks at.
   * @returns why nothing may begin
   */
  async foresee(kind: AnyKind, inputs: BaseInputs, isAsked: boolean, clusters: readonly string[]): Promise<string[]> {
    const { host = "" } = inputs as BaseInputs & { host?: string };
    const foreseen = { kind: kind.name, host, isAsked };
    let now = "";
    let more: Pick<Foreseen, "remarks" | "unseen"> = {};
    const add = (what: Pick<Foreseen, "actions" | "refusal" | "failure" | "forRoot" | "unseen">): void =>
      clusters.forEach((cluster) => this.forecast.add(cluster, { ...foreseen, ...more, ...what }));
    const planned = (actions: readonly Action[]): Pick<Foreseen, "actions" | "forRoot"> => {
      const { able, left } = split(actions, (name) => this.world.isRestricted(name, inputs.reach));
      return { actions: able, forRoot: ofHosts(left) };
    };
    try {
      const have = await kind.observe(this.world.review(inputs.reach), inputs);
      now = kind.sumUp?.(inputs, have) ?? "";
      const unseen = kind.unseen?.(inputs, have).map((what) => ({ host, what })) ?? [];
      more = { remarks: kind.remarks?.(inputs, have) ?? [], unseen };
      add(planned(kind.foresee?.(inputs, have) ?? kind.plan(inputs, have)));
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      if (error instanceof NotSeen && isAsked)
        add({ actions: [], forRoot: [unseenRefusal(error, `${kind.name} ${kind.id(inputs)} has to change`)] });
      else if (error instanceof NotSeen) add({ actions: [], unseen: [error] });
      else
        add(error instanceof Refused ? { ...planned(error.besides), refusal: said } : { actions: [], failure: said });
    }
    if (kind.sumUp === undefined) return [];
    const sums = clusters.map((cluster) => this.forecast.sumUp(cluster, now));
    for (const line of sums.flatMap(({ lines }) => lines)) this.world.say(line);
    return sums.flatMap(({ refusals }) => refusals);
  }
}
