import type { Probe } from "../facts/probe";

/** What people who use the cluster notice of an action, or a DBA has to know before it happens. */
export type Effect =
  | "upgrade"
  | "drop"
  | "switchover"
  | "initdb"
  | "witness"
  | "clone"
  | "rejoin"
  | "restart"
  | "start"
  | "stop"
  | "follow"
  | "reload"
  | "repmgrd";

interface Common {
  /** The inventory's name of the host it happens on. */
  readonly host: string;
  /** Why it has to happen, as a sentence a DBA can judge; shown in previews, logs and errors. */
  readonly why: string;
  /** Absent: nobody notices. */
  readonly effect?: Effect;
  /** Only root can do it; absent, the user postgres can as well. A file that belongs to somebody else is root's anyway. */
  readonly needs?: "root";
}

/** Runs a POSIX shell script as root, or as postgres where the login may become no other. A non-zero exit status is an error. */
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
  /**
   * What the file held when the change was planned, null when it was not there: whatever somebody wrote since is kept,
   * and the action fails. Left out, the file is replaced whatever it holds.
   */
  readonly found?: string | null;
  /** Shell run on the temporary file before the rename, "$1" is its path; failing keeps the old file (visudo -cf "$1"). */
  readonly check?: string;
  /** Shell run after the rename; failing puts the old file back (for what only a running server can judge). */
  readonly verify?: string;
}

/** Writes a whole file that is made only then, because it holds a secret that is kept nowhere else. */
export interface MakeFile extends Omit<PutFile, "do" | "content" | "found"> {
  readonly do: "makeFile";
  make(): Promise<string>;
}

/** Asks a host anew, named as in the inventory. */
export type Ask = <T>(host: string, probe: Probe<T>) => Promise<T>;

/** Asks until nothing is missing; the deadline's error tells the last thing seen. Made by waitFor(). */
export interface WaitFor extends Common {
  readonly do: "waitFor";
  /** Looks once: undefined when reached, otherwise what is still missing, with what was seen. */
  readonly look: (ask: Ask) => Promise<string | undefined>;
  readonly deadlineMs: number;
}

/** Does `body` between `before` and `after`; `after` is done whatever happens (rule: unpause even when it fails half way). */
export interface Bracket extends Common {
  readonly do: "bracket";
  readonly before: readonly Action[];
  readonly body: readonly Action[];
  readonly after: readonly Action[];
}

export type Action = Run | PutFile | MakeFile | WaitFor | Bracket;

/** @param missing undefined when reached, otherwise what is still missing, with what was seen */
export function waitFor<T>(
  common: Common & { readonly deadlineMs: number },
  probe: Probe<T>,
  missing: (seen: T) => string | undefined,
): WaitFor {
  return { ...common, do: "waitFor", look: async (ask) => missing(await ask(common.host, probe)) };
}

/** For what a whole plan needs root for, or what must not be done in parts. */
export function asRoot(actions: readonly Action[]): Action[] {
  return actions.map((action) => ({ ...action, needs: "root" }));
}

/** Those that need root where the login may become postgres only; a bracket is done as a whole or not at all. */
export function rootOnly(actions: readonly Action[], isRestricted: (host: string) => boolean): Action[] {
  return actions.filter((action) => needsRoot(action, isRestricted));
}

function needsRoot(action: Action, isRestricted: (host: string) => boolean): boolean {
  if (action.needs === "root") return isRestricted(action.host);
  if (action.do === "bracket")
    return rootOnly([...action.before, ...action.body, ...action.after], isRestricted).length > 0;
  const isFile = action.do === "putFile" || action.do === "makeFile";
  return isFile && action.owner !== "postgres:postgres" && isRestricted(action.host);
}
