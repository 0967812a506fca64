import { z } from "zod";
import { formatPath, type Located, nodeAt, type Path, problemAt, toPlain } from "./located";
import { unknownName } from "./nearest";
import { inventorySchema, type RawInventory } from "./schema";
import type { Problem } from "./types";

export interface Validated {
  /** What is sound, with defaults; parts that are not sound are left out. */
  readonly sound: RawInventory;
  readonly problems: Problem[];
  /** False when something at the path, below it or above it was left out: conclusions from it would be wrong. */
  readonly isWhole: (path: Path) => boolean;
}

type Issue = z.core.$ZodIssue;

/**
 * Checks types, keys and ranges against the schema. Unsound parts are reported, cut out, and the rest is looked at
 * again, so that the checks which need sound data can still report their own problems in the same run.
 * @param broken paths at which the file itself is already known to be wrong
 */
export function validate(root: Located, broken: readonly string[] = []): Validated {
  const plain = toPlain(root) as Record<string, unknown>;
  const problems: Problem[] = [];
  const cut: Path[] = [];
  const isWhole = (path: Path) =>
    !cut.some((gone) => startsWith(gone, path) || startsWith(path, gone)) &&
    !broken.some((at) => `${at}.`.startsWith(`${formatPath(path)}.`));
  for (;;) {
    const result = inventorySchema.safeParse(plain);
    if (result.success) return { sound: result.data, problems, isWhole };
    const unknown = result.error.issues.filter((issue) => issue.code === "unrecognized_keys");
    // An unknown key keeps the checks around it from running: those are done without it in the next round.
    const issues = unknown.length > 0 ? unknown : result.error.issues;
    problems.push(...issues.flatMap((issue) => describe(root, issue, cut)));
    for (const issue of unknown) issue.keys.forEach((key) => replace(plain, [...issuePath(issue), key], undefined));
    for (const issue of unknown.length > 0 ? [] : issues) cut.push(cutOut(plain, issuePath(issue), cut));
  }
}

/** Stand in for required values that are not sound, so that the rest of the host or cluster can still be checked. */
const STAND_INS: Readonly<Record<string, unknown>> = { version: 17, nodes: {}, id: 1, host: "-", address: "unknown" };

/** Cuts an unsound value out of the plain inventory. @returns what was cut */
function cutOut(plain: Record<string, unknown>, path: Path, before: readonly Path[]): Path {
  const last = path.at(-1);
  if (last === undefined) return path;
  const isFirst = !before.some((gone) => gone.length === path.length && startsWith(gone, path));
  if (isFirst && Object.hasOwn(STAND_INS, last)) return replace(plain, path, STAND_INS[last]);
  if (valueAt(plain, path) !== undefined) return replace(plain, path, undefined);
  // What is required and missing takes the part that requires it along.
  return path.length > 1 ? replace(plain, path.slice(0, -1), undefined) : replace(plain, path, {});
}

const issuePath = (issue: Issue): Path => issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, index) => path[index] === part);
}

function describe(root: Located, issue: Issue, cut: readonly Path[]): Problem[] {
  const path = issuePath(issue);
  // The second look stumbles over what the first one cut out; that has been reported.
  if (cut.some((gone) => startsWith(gone, path))) return [];
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(inventorySchema, path);
    return issue.keys.map((key) => problemAt(root, [...path, key], unknownName("key", key, known)));
  }
  return [problemAt(root, path, message(issue, nodeAt(root, path)))];
}

function message(issue: Issue, node: Located | undefined): string {
  if (issue.code === "custom") return issue.message;
  if (node === undefined) return `'${String(issue.path.at(-1))}' is missing`;
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  if (issue.code === "invalid_type") return `expected ${expected(issue.expected)}, found ${found(node)}`;
  if (issue.code === "invalid_value" && issue.message.startsWith("Invalid")) {
    return `expected ${issue.values.map(String).join(", ")}, found ${found(node)}`;
  }
  const isNumber = node.content.kind === "scalar" && typeof node.content.value === "number";
  if (issue.code === "too_small" && isNumber) return `must be at least ${issue.minimum}, found ${found(node)}`;
  if (issue.code === "too_big" && isNumber) return `must be at most ${issue.maximum}, found ${found(node)}`;
  if (issue.code === "invalid_format" || issue.code === "invalid_union")
    return `${issue.message}; found ${found(node)}`;
  return issue.message;
}

const WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a dictionary",
  record: "a dictionary",
};

const expected = (type: string): string => WORDS[type] ?? type;

function found({ content }: Located): string {
  if (content.kind === "map") return "a dictionary";
  if (content.kind === "list") return "a list";
  if (typeof content.value !== "string") return String(content.value);
  const text = JSON.stringify(content.value);
  return `the text ${text.length > 60 ? `${text.slice(0, 57)}..."` : text}`;
}

/** The keys that the schema knows at a path. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  let at: z.core.$ZodType = schema;
  for (const part of path) at = step(bare(at), part);
  const object = bare(at);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function step(schema: z.core.$ZodType, part: string | number): z.core.$ZodType {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<string, z.core.$ZodType>)[part] ?? schema;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  if (schema instanceof z.ZodArray) return schema.element;
  throw new Error(`the schema ends before ${formatPath([part])}`);
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return bare(schema.unwrap());
  }
  return schema;
}

function valueAt(plain: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, part) => (at as Record<string | number, unknown> | undefined)?.[part], plain);
}

/** Sets a value, or removes it when there is no new one. @returns the path */
function replace(plain: unknown, path: Path, value: unknown): Path {
  const parent = valueAt(plain, path.slice(0, -1)) as Record<string | number, unknown> | undefined;
  const last = path.at(-1);
  if (parent === undefined || last === undefined) return path;
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else parent[last] = structuredClone(value);
  return path;
}
