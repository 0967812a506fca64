import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { type Located, nodeAt } from "./located";
import { parseYaml } from "./parseYaml";
import type { Problem } from "./types";

export interface ReadInventory {
  readonly root?: Located;
  readonly problems: Problem[];
  /** The files that were read, the given one first, then what it extends. */
  readonly layers: readonly string[];
}

/**
 * Reads an inventory file and the files it extends, merged: dictionaries are merged, everything else is replaced,
 * null removes. Every value keeps the file and line it came from. Problems are returned, never thrown.
 */
export function readInventory(path: string): ReadInventory {
  return readLayer(path, undefined, []);
}

interface Origin {
  readonly file: string;
  readonly line: number;
}

function readLayer(path: string, from: Origin | undefined, above: readonly string[]): ReadInventory {
  const at = { file: from?.file ?? path, line: from?.line ?? 1, path: from ? "extends" : "" };
  const layers = [path];
  if (above.includes(path)) {
    return { problems: [{ ...at, message: `'extends' goes in a circle: ${[...above, path].join(" -> ")}` }], layers };
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { problems: [{ ...at, message: `cannot read ${path}: ${reason(error)}` }], layers };
  }
  const { root, problems } = parseYaml(text, path);
  const base = root && nodeAt(root, ["extends"]);
  if (!root || !base) return { root: root && withoutNulls(root), problems, layers };
  if (base.content.kind !== "scalar" || typeof base.content.value !== "string") {
    const message = "expected the name of a file, relative to this one";
    return { problems: [...problems, { file: path, line: base.line, path: "extends", message }], layers };
  }
  const lower = readLayer(beside(path, base.content.value), base, [...above, path]);
  // Without the layer below almost everything would be missing: its own problem says it all.
  const all = { problems: [...lower.problems, ...problems], layers: [...layers, ...lower.layers] };
  return lower.root ? { ...all, root: withoutNulls(merge(lower.root, root)) } : all;
}

/** Not made absolute: problems name files the way the person named the first one. */
function beside(path: string, other: string): string {
  return isAbsolute(other) ? other : join(dirname(path), other);
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" ? "there is no such file" : String(code ?? error);
}

function merge(base: Located, over: Located): Located {
  if (base.content.kind !== "map" || over.content.kind !== "map") return over;
  const entries = new Map(base.content.entries);
  for (const [key, value] of over.content.entries) {
    const below = entries.get(key);
    entries.set(key, below ? merge(below, value) : value);
  }
  return { ...over, content: { kind: "map", entries } };
}

/** In a dictionary null means "not given"; in a list it stays and is refused as a value of the wrong type. */
function withoutNulls(node: Located): Located {
  if (node.content.kind === "list")
    return { ...node, content: { kind: "list", items: node.content.items.map(withoutNulls) } };
  if (node.content.kind !== "map") return node;
  const entries = new Map<string, Located>();
  for (const [key, value] of node.content.entries) {
    const removed = value.content.kind === "scalar" && value.content.value === null;
    if (!removed) entries.set(key, withoutNulls(value));
  }
  return { ...node, content: { kind: "map", entries } };
}
