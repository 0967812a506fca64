import type { Probe } from "../facts/probe";

interface Common {
  /** The inventory's name of the host it happens on. */
  readonly host: string;
  /** Why it has to happen, as a sentence a DBA can judge; shown in previews, logs and errors. */
  readonly why: string;
}

/** Runs a POSIX shell script as root. A non-zero exit status is an error. */
export interface Run extends Common {
  readonly do: "run";
  readonly script: string;
  /** Goes to the script's stdin; the only place a secret may stand. */
  readonly stdin?: string;
  /** Default: 60 000. */
  readonly deadlineMs?: number;
}

/** Writes a whole file: beside it, fsync, rename; so a cut leaves the old file or the new one. */
export interface PutFile extends Common {
  readonly do: "putFile";
  readonly path: string;
  readonly content: string;
  /** "postgres:postgres" */
  readonly owner: string;
  /** "0640" */
  readonly mode: string;
  /** Shell run on the temporary file before the rename, "$1" is its path; failing keeps the old file (visudo -cf "$1"). */
  readonly check?: string;
}

/** Asks a probe again until the test holds; the deadline's error tells the last thing seen. */
export interface WaitFor<T = unknown> extends Common {
  readonly do: "waitFor";
  readonly probe: Probe<T>;
  /** undefined when reached, otherwise what is still missing, with what was seen. */
  readonly missing: (seen: T) => string | undefined;
  readonly deadlineMs: number;
}

export type Action = Run | PutFile | WaitFor<never>;
