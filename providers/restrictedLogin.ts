import { type Action, rootOnly } from "../actions/action";
import { equal } from "./canonical";
import { forRootLines, type OfHost } from "./forecast";
import { type BaseInputs, type Kind, NotSeen, Refused } from "./kind";

// What becomes of a resource where the login may become postgres only, and not root. What root alone can do is left undone: where
// a host is not as it was deployed, it stays so and the rest is done; where the inventory asks for it, nothing is begun.

type AnyKind = Kind<BaseInputs, unknown, object>;

/** What of a plan can be done, and what is left for root. */
export interface Split {
  readonly able: Action[];
  readonly left: Action[];
}

export function split(actions: readonly Action[], isRestricted: (host: string) => boolean): Split {
  const left = rootOnly(actions, isRestricted);
  return { able: actions.filter((action) => !left.includes(action)), left };
}

/** What is waited for once something is done is nothing to do. */
export function ofHosts(left: readonly Action[]): OfHost[] {
  return left.flatMap(({ do: what, host, why }) => (what === "waitFor" ? [] : [{ host, what: why }]));
}

/**
 * Whether the program wants something else than what was deployed. What is observed of a host is wanted alike by every
 * program, so a host's own doing does not count.
 * @param before the inputs of the last run; undefined: there was none
 */
export function isAskedFor(kind: AnyKind, before: BaseInputs | undefined, now: BaseInputs): boolean {
  if (before === undefined) return true;
  const wanted = { ...now, ...kind.inTheWordsOf?.(before, now) };
  const repeated: readonly string[] = kind.echoes ?? [];
  const keys = (kind.managed as readonly (keyof BaseInputs)[]).filter((key) => !repeated.includes(key));
  return keys.some((key) => !equal(before[key], wanted[key]));
}

/** As a review shows what is left for root, a line for each host. */
export function leftLines(left: readonly Action[]): string[] {
  return forRootLines(ofHosts(left)).map((line) => `refused: ${line}`);
}

/** @throws Refused for all of it, when it may not be left undone */
export function refuseLeft(left: readonly Action[]): void {
  if (left.length > 0) throw new Refused(forRootLines(ofHosts(left)).join("\n"));
}

/** What cannot be planned because it cannot be seen. @param what of the resource would change */
export function unseenRefusal({ host, what }: NotSeen, change: string): OfHost {
  return { host, what: `${change}; ${what} cannot be looked at` };
}

/** What up would do if the program did not change: what preview shows as the consequence, computed by the plan itself. */
export function pendingOf(
  kind: AnyKind,
  inputs: BaseInputs,
  have: unknown,
  isRestricted: (host: string) => boolean,
): string[] {
  const lines = (actions: readonly Action[]): string[] => {
    const { able, left } = split(actions, isRestricted);
    return [...able.map(({ host, why }) => `${host}: ${why}`), ...leftLines(left)];
  };
  try {
    return lines(kind.plan(inputs, have));
  } catch (error) {
    if (error instanceof Refused) return [...lines(error.besides), `refused: ${error.message}`];
    throw error;
  }
}

/** An output, where there is something: what only root sees, and the login may not become root. */
export function unseenOf(kind: AnyKind, inputs: BaseInputs, have: unknown): { unseen?: string[] } {
  const unseen = kind.unseen?.(inputs, have) ?? [];
  return unseen.length === 0 ? {} : { unseen };
}
