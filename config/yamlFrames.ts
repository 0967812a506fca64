import type { EventType, State } from "js-yaml";

/** What the parser told about one node while it read it. */
export interface Frame {
  readonly line: number;
  /** null for an alias and for an empty value. */
  kind?: string | null;
  result?: unknown;
  isKey?: boolean;
  readonly children: Frame[];
}

export interface Entry {
  readonly key: string;
  readonly keyFrame: Frame;
  readonly value?: Frame;
}

/** Collects the parser's open and close events into a tree of frames. */
export function recorder(top: Frame): (event: EventType, state: State) => void {
  const open = [top];
  return (event, state) => {
    if (event === "open") {
      open.push({ line: state.line, children: [] });
      return;
    }
    const frame = open.pop();
    const parent = open.at(-1);
    if (!frame || !parent) return;
    frame.kind = state.kind;
    frame.result = state.result;
    frame.isKey = /^\s*:/.test(state.input.slice(state.position, state.position + 80).split("\n")[0] ?? "");
    parent.children.push(frame);
  };
}

/** The entries of a dictionary as they were written, also those given twice. */
export function pair(children: readonly Frame[]): Entry[] {
  const entries: Entry[] = [];
  children.forEach((frame, index) => {
    if (!frame.isKey || frame.kind !== "scalar") return;
    const next = children[index + 1];
    entries.push({ key: String(frame.result), keyFrame: frame, value: next && !next.isKey ? next : undefined });
  });
  return entries;
}
