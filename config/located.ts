import type { Problem } from "./types";

/** A YAML value that remembers where a person wrote it. */
export interface Located {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly content:
    | { readonly kind: "scalar"; readonly value: unknown }
    | { readonly kind: "map"; readonly entries: ReadonlyMap<string, Located> }
    | { readonly kind: "list"; readonly items: readonly Located[] };
}

export type Path = readonly (string | number)[];

/** "postgresql_clusters.main.hba[0].address" */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const name = /^[\w-]+$/.test(part) ? part : JSON.stringify(part);
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

function child(node: Located, part: string | number): Located | undefined {
  if (node.content.kind === "map") return node.content.entries.get(String(part));
  if (node.content.kind === "list" && typeof part === "number") return node.content.items[part];
  return undefined;
}

/** The node at a path, undefined when it was not written. */
export function nodeAt(root: Located, path: Path): Located | undefined {
  let node: Located | undefined = root;
  for (const part of path) node = node && child(node, part);
  return node;
}

/** The node at a path or, when that was not written, the deepest one on the way to it. */
export function nearestNode(root: Located, path: Path): Located {
  let node = root;
  for (const part of path) {
    const next = child(node, part);
    if (!next) return node;
    node = next;
  }
  return node;
}

/** A problem at a path; a value that is missing is reported at what should have held it. */
export function problemAt(root: Located, path: Path, message: string): Problem {
  const { file, line } = nearestNode(root, path);
  return { file, line, path: formatPath(path), message };
}

/** The plain value; objects have no prototype, so that no key can reach one. */
export function toPlain(node: Located): unknown {
  const { content } = node;
  if (content.kind === "scalar") return content.value;
  if (content.kind === "list") return content.items.map(toPlain);
  const plain = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of content.entries) plain[key] = toPlain(value);
  return plain;
}
