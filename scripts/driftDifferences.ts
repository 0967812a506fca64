import { equal, type Json } from "../providers/canonical";
import { UNKNOWN } from "../providers/lifecycle";
import type { Reviewed, Values } from "./driftSteps";

/**
 * Why found and wanted differ. "drift": the host is not as it was deployed. "planned": it is, and the inventory or a secret
 * has changed since. "both". "follows": what is wanted depends on another resource that will change first.
 * What was deployed is what the state holds; a host's own doing that `pulumi refresh` or an interrupted `up` has written
 * there cannot be told from it.
 */
export type Cause = "drift" | "planned" | "both" | "follows";

export interface Difference {
  /** "settings.work_mem"; "" for the resource as a whole. */
  readonly property: string;
  /** undefined: not there. */
  readonly found?: Json;
  readonly wanted?: Json;
  readonly cause: Cause;
}

/** The CLI writes it for every secret; two of them say nothing on whether they are the same. */
const SECRET = "[secret]";
const UNTOLD = "a secret, not shown";

/** Everything in which a resource differs from what is wanted, property by property; nothing of a secret's content. */
export function differencesOf(resource: Reviewed): Difference[] {
  const { operation, deployed, found, wanted, changed } = resource;
  if (operation === "same" || operation === "gone") return [];
  if (found === undefined) {
    return [{ property: "", found: "absent", wanted: "present", cause: deployed === undefined ? "planned" : "drift" }];
  }
  if (wanted === undefined) return [{ property: "", found: "present", wanted: "absent", cause: "planned" }];
  const rows = changed.flatMap((name) => compare(name, deployed?.inputs[name], found.inputs[name], wanted[name]));
  const unfinished = found.unfinished.map((reason): Difference => ({
    property: "",
    found: `unfinished: ${reason}`,
    wanted: "finished",
    cause: "drift",
  }));
  return [...unfinished, ...rows];
}

function compare(path: string, deployed?: Json, found?: Json, wanted?: Json): Difference[] {
  if (mentions(wanted, UNKNOWN)) return [{ property: path, found, wanted: "known only after up", cause: "follows" }];
  if (mentions(found, SECRET) || mentions(wanted, SECRET)) {
    // A look at a host never brings a secret back, so what differs can only be the one that the stack has now.
    return [{ property: path, found: UNTOLD, wanted: "another secret, not shown", cause: "planned" }];
  }
  if (equal(found, wanted)) return [];
  const inside = commonKeys(found, wanted);
  if (inside !== undefined) {
    const [d, f, w] = [deployed, found, wanted].map((value) => (isTree(value) ? value : {})) as [
      Values,
      Values,
      Values,
    ];
    return inside.flatMap((key) => compare(step(path, key, found), d[key], f[key], w[key]));
  }
  const cause = equal(deployed, found) ? "planned" : equal(deployed, wanted) ? "drift" : "both";
  return [{ property: path, ...differingPart(found, wanted), cause }];
}

/** Of two lists the entries, of two texts the lines that only one of them has; otherwise all. */
function differingPart(found?: Json, wanted?: Json): Pick<Difference, "found" | "wanted"> {
  const [a, b] = [found, wanted].map(entriesOf);
  if (a === undefined || b === undefined) return { found, wanted };
  const [onlyFound, onlyWanted] = unshared(a, b);
  return { found: onlyFound, wanted: onlyWanted };
}

function entriesOf(value?: Json): Json[] | undefined {
  if (Array.isArray(value)) return value;
  return typeof value === "string" && value.includes("\n") ? value.split("\n") : undefined;
}

/** The keys to look inside of: those of two records, or of two lists of as many records. */
function commonKeys(found?: Json, wanted?: Json): string[] | undefined {
  if (!isTree(found) || !isTree(wanted) || Array.isArray(found) !== Array.isArray(wanted)) return undefined;
  if (Array.isArray(found) && Array.isArray(wanted)) {
    if (found.length !== wanted.length || ![...found, ...wanted].every(isTree)) return undefined;
  }
  return [...new Set([...Object.keys(found), ...Object.keys(wanted)])].sort();
}

function step(path: string, key: string, parent?: Json): string {
  return Array.isArray(parent) ? `${path}[${key}]` : `${path}.${key}`;
}

function isTree(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

function mentions(value: Json | undefined, word: string): boolean {
  if (value === word) return true;
  return isTree(value) && Object.values(value).some((inner) => mentions(inner, word));
}

/**
 * What only one of two lists has, in order, so that one line of a long list is shown as one line. An entry that only moved
 * is in both. (Longest common subsequence.)
 */
export function unshared<T extends Json>(a: readonly T[], b: readonly T[]): [T[], T[]] {
  const best: number[][] = Array.from({ length: a.length + 1 }, () => Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number): number => best[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      (best[i] as number[])[j] = equal(a[i], b[j]) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const only: [T[], T[]] = [[], []];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && equal(a[i], b[j])) [i, j] = [i + 1, j + 1];
    else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) only[0].push(a[i++] as T);
    else only[1].push(b[j++] as T);
  }
  return only;
}
