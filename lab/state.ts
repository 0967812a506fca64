import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Faults, NO_FAULTS } from "./faults";

/** One host's disk: its own writable layer is hosts/NAME/upper, over these, over the base. */
export interface HostState {
  /** Ids of saved layers, topmost first. */
  readonly layers: readonly string[];
  /** The image below them, where it is not the lab's. */
  readonly base?: string;
}

/** What a lab remembers. Whether a host runs is not here: that is looked up. */
export interface LabState {
  readonly subnet?: number;
  /** Hash of the image of all hosts that do not name another. */
  readonly base?: string;
  readonly hosts: Readonly<Record<string, HostState>>;
  readonly faults: Faults;
}

const EMPTY: LabState = { hosts: {}, faults: NO_FAULTS };

/** @throws SyntaxError when the file is not JSON; a missing file is an empty lab */
export function readState(dir: string): LabState {
  return readJson(join(dir, "lab.json")) ?? EMPTY;
}

export function writeState(dir: string, state: LabState): void {
  writeJson(join(dir, "lab.json"), state);
}

// The caller names the shape of what it once wrote itself.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written aside and renamed: a reader never sees half a file. */
export function writeJson(file: string, value: unknown): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}
