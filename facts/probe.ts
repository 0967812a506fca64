/**
 * A read-only question to a host: a shell snippet and the parser of its answer. Probes of one host that are asked
 * within the same few milliseconds travel in one script; equal keys are asked once.
 */
export interface Probe<T> {
  /** Names the question and its arguments; two probes with the same key must have the same script. */
  readonly key: string;
  /** POSIX shell, run as root or postgres in a subshell of its own; must not change the host. */
  readonly script: string;
  /** What a host shows on which nothing is any more; absent where nobody has to know. */
  readonly nothing?: T;
  /** Only root sees it: what that is, in words, "the firewall"; absent, the user postgres sees it as well. */
  readonly ofRoot?: string;
  /** What the script asks about, where that is one of these: a batch asks about all of a kind in one go (together.ts). */
  readonly together?: Together;
  /** @throws Error when the answer makes no sense; the caller adds host and key. */
  parse(answer: ProbeAnswer, asked: Asked): T;
}

export type Together =
  | { readonly of: "file"; readonly path: string }
  | { readonly of: "unit"; readonly unit: string; readonly pidFile?: string };

/** The moments between which the host has answered: milliseconds since 1970, by the clock of this machine. */
export interface Asked {
  readonly from: number;
  readonly to: number;
}

export interface ProbeAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
