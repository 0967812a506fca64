import { CORE_SCHEMA, load, type Mark, Type, YAMLException } from "js-yaml";
import { formatPath, type Located, type Path } from "./located";
import type { Problem } from "./types";
import { type Entry, type Frame, pair, recorder } from "./yamlFrames";

// Dates and binaries would turn what a person wrote into something else; merge keys are in wide use.
const MERGE = new Type("tag:yaml.org,2002:merge", { kind: "scalar", resolve: (data) => data === "<<" });
const SCHEMA = CORE_SCHEMA.extend({ implicit: [MERGE] });
/** More values than any real inventory has: what aliases of aliases blow up to. */
const MAX_VALUES = 200_000;

/**
 * Reads YAML and remembers the line of every value. Syntax errors and keys given twice are problems, not exceptions.
 * @returns no root when the text is not YAML or not a dictionary
 */
export function parseYaml(text: string, file: string): { root?: Located; problems: Problem[] } {
  const problems: Problem[] = [];
  const top: Frame = { line: 0, children: [] };
  let value: unknown;
  try {
    // json: a key given twice must not end the reading, all of them are to be reported.
    value = load(text, { schema: SCHEMA, json: true, listener: recorder(top) });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = ((error.mark as Mark | undefined)?.line ?? 0) + 1;
    return { problems: [{ file, line, path: "", message: `this is not YAML: ${error.reason}` }] };
  }
  const frame = top.children.at(-1);
  if (typeof value !== "object" || value === null || Array.isArray(value) || !frame) {
    const message = `expected a dictionary with "hosts" and "postgresql_clusters" at the top`;
    return { problems: [{ file, line: 1, path: "", message }] };
  }
  const root = new Builder(file, problems).build(value, frame, [], frame.line);
  return { root, problems };
}

/** Pairs the plain value with the frames, and so with lines. */
class Builder {
  /** An alias closes with the very object of its anchor, and has no frames of its own. */
  private readonly anchors = new Map<object, Frame>();
  /** What is being built right now: an alias to one of these has no end. */
  private readonly around = new Set<object>();
  private count = 0;
  private isFull = false;

  constructor(
    private readonly file: string,
    private readonly problems: Problem[],
  ) {}

  build(value: unknown, frame: Frame | undefined, path: Path, line: number): Located {
    const at = { file: this.file, line: line + 1 };
    this.count += 1;
    if (typeof value !== "object" || value === null) return { ...at, content: { kind: "scalar", value } };
    const isEndless = this.around.has(value);
    if (isEndless || this.count > MAX_VALUES) {
      if (isEndless) this.report(line, path, "an alias that holds itself");
      else if (!this.isFull) this.report(line, path, `more than ${MAX_VALUES} values`);
      this.isFull ||= !isEndless;
      return { ...at, content: { kind: "scalar", value: null } };
    }
    this.around.add(value);
    const content = this.collection(value, frame, path, line);
    this.around.delete(value);
    return { ...at, content };
  }

  private collection(value: object, frame: Frame | undefined, path: Path, line: number): Located["content"] {
    const inner = this.inner(value, frame);
    if (!Array.isArray(value)) return { kind: "map", entries: this.entries(value, inner, path, line) };
    const items = value.map((item: unknown, index) => {
      const itemFrame = inner?.children[index];
      return this.build(item, itemFrame, [...path, index], itemFrame?.line ?? line);
    });
    return { kind: "list", items };
  }

  private report(line: number, path: Path, message: string): void {
    this.problems.push({ file: this.file, line: line + 1, path: formatPath(path), message });
  }

  private entries(value: object, frame: Frame | undefined, path: Path, line: number): Map<string, Located> {
    const written = pair(frame?.children ?? []);
    this.reportTwice(written, path);
    const entries = new Map<string, Located>();
    for (const [key, item] of Object.entries(value)) {
      const entry = written.findLast((candidate) => candidate.key === key);
      const keyLine = entry?.keyFrame.line ?? line;
      if (key === "__proto__") {
        this.report(keyLine, [...path, key], "'__proto__' cannot be a name here");
      } else {
        entries.set(key, this.build(item, entry?.value, [...path, key], keyLine));
      }
    }
    return entries;
  }

  private reportTwice(written: readonly Entry[], path: Path): void {
    const first = new Map<string, number>();
    for (const { key, keyFrame } of written) {
      const line = first.get(key);
      if (line === undefined) first.set(key, keyFrame.line);
      else if (key !== "<<") {
        this.report(keyFrame.line, [...path, key], `'${key}' is given twice, first at line ${line + 1}`);
      }
    }
  }

  /** The frame that holds the children: the parser opens some values twice, and an alias points elsewhere. */
  private inner(value: object, frame: Frame | undefined): Frame | undefined {
    let inner = frame;
    while (inner?.children.length === 1 && !inner.children[0]?.isKey && inner.children[0]?.result === value) {
      inner = inner.children[0];
    }
    if (inner && inner.children.length > 0) this.anchors.set(value, inner);
    return this.anchors.get(value) ?? inner;
  }
}
