import { z } from "zod";
import type { Json } from "../providers/canonical";

export type Values = Readonly<Record<string, Json>>;

/** A resource at one moment: inputs, outputs, and what its last change left undone. */
export interface Snapshot {
  readonly inputs: Values;
  readonly outputs: Values;
  readonly unfinished: readonly string[];
}

/** What the engine says of one resource, before anything is changed. */
export interface Reviewed {
  /** "PgInstance" */
  readonly kind: string;
  readonly name: string;
  readonly id: string;
  /** The engine's word: same, update, create, delete, replace ...; "gone" is neither on its host nor wanted any more. */
  readonly operation: string;
  /** As the state has it; undefined for what was never deployed. */
  readonly deployed?: Snapshot;
  /** As its host has it now; undefined when it is not there. */
  readonly found?: Snapshot;
  /** What the program asks for; undefined when it asks for nothing. */
  readonly wanted?: Values;
  /** Names of the inputs in which found and wanted differ. */
  readonly changed: readonly string[];
}

export interface Review {
  readonly stack: string;
  readonly resources: readonly Reviewed[];
  /** Each once, without the engine's prefixes. */
  readonly errors: readonly string[];
  /** What the program and its providers said besides. */
  readonly messages: readonly string[];
}

const values = z.record(z.string(), z.json()).nullish();
const state = z.object({ custom: z.boolean().nullish(), id: z.string().nullish(), inputs: values, outputs: values });
const step = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: state.extend({ initErrors: z.array(z.string()).nullish() }).nullish(),
  newState: state.nullish(),
  diffReasons: z.array(z.string()).nullish(),
  detailedDiff: z.record(z.string(), z.unknown()).nullish(),
});
const digest = z.object({
  steps: z.array(step).nullish(),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).nullish(),
});
type Step = z.infer<typeof step>;

/** Properties that are no word on a host: how to get there, the provider's code, the plan itself. */
const NOT_COMPARED = ["__provider", "kind", "aside", "pending"];

/**
 * Reads what `pulumi preview --json --show-sames` prints, with `refresh: always` (pkg/v3/backend/display/json.go): for each
 * resource first the step of the look at its host, whose old state is what was deployed, then the step of the program, whose
 * old state is what was found. A resource that is gone from its host has "delete" in the place of the former. Resources come
 * in the order in which the engine ended them, another one each time; here by their names, so that two reviews compare.
 * @throws Error when it is not that
 */
export function parseReview(text: string): Review {
  const { steps, diagnostics } = digest.parse(JSON.parse(text));
  const byUrn = new Map<string, Step[]>();
  for (const one of steps ?? []) byUrn.set(one.urn, [...(byUrn.get(one.urn) ?? []), one]);
  const said = (isWanted: (severity: string) => boolean): string[] => [
    ...new Set((diagnostics ?? []).filter(({ severity }) => isWanted(severity)).map(({ message }) => bare(message))),
  ];
  return {
    stack: /^urn:pulumi:([^:]+)::/.exec(steps?.[0]?.urn ?? "")?.[1] ?? "",
    resources: [...byUrn].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([urn, ofOne]) => reviewed(urn, ofOne)),
    errors: said((severity) => severity === "error").filter((message) => message !== "preview failed"),
    messages: said((severity) => severity === "warning" || severity === "info"),
  };
}

function reviewed(urn: string, steps: readonly Step[]): Reviewed[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || !steps.some(isCustom)) return [];
  const [, , type = "", ...names] = urn.split("::");
  const name = names.join("::");
  const isLooked = first.op === "refresh" || steps.length > 1;
  const planned = isLooked && steps.length === 1 ? undefined : last;
  const isGone = steps.length === 1 && last.op === "delete";
  return [
    {
      kind: type.split(/[:/$]/).pop() ?? type,
      name,
      id: last.oldState?.id ?? first.oldState?.id ?? name,
      operation: isGone ? "gone" : (planned?.op ?? "same"),
      deployed: isLooked || isGone ? snapshot(first) : undefined,
      found: isGone || planned?.op === "create" ? undefined : snapshot(last),
      wanted: planned === undefined || planned.op === "delete" ? undefined : (planned.newState?.inputs ?? {}),
      changed: planned === undefined ? [] : changedOf(planned),
    },
  ];
}

function isCustom({ oldState, newState, urn }: Step): boolean {
  const isOfEngine = urn.includes("pulumi:providers:") || urn.includes("pulumi:pulumi:Stack");
  return !isOfEngine && (oldState?.custom ?? newState?.custom ?? false);
}

function snapshot({ oldState }: Step): Snapshot | undefined {
  if (oldState === undefined || oldState === null) return undefined;
  return { inputs: oldState.inputs ?? {}, outputs: oldState.outputs ?? {}, unfinished: oldState.initErrors ?? [] };
}

function changedOf({ diffReasons, detailedDiff }: Step): string[] {
  const roots = Object.keys(detailedDiff ?? {}).map((path) => /^[^.[]+/.exec(path)?.[0] ?? path);
  return [...new Set([...(diffReasons ?? []), ...roots])].filter((name) => !NOT_COMPARED.includes(name)).sort();
}

function bare(message: string): string {
  return message
    .replace(/^(error|warning): /, "")
    .replace(/^Preview failed: /, "")
    .trim();
}
