import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./wait";

/** A process, told apart from a later one of the same id by the time it started. */
interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly purpose: string;
}

/** Names the session a child process belongs to, so that `npm run lab` inside a test run is not refused. */
export const SESSION_VARIABLE = "REPMGR_PULUMI_LAB_SESSION";

/** Field 22 of /proc/PID/stat, undefined when there is no such process. The name in field 2 may hold blanks. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function readOwner(file: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as Owner;
    return startTime(owner.pid) === owner.started ? owner : undefined;
  } catch {
    return undefined;
  }
}

const self = (purpose: string): Owner => ({ pid: process.pid, started: startTime(process.pid) ?? "", purpose });

/** Takes the file if nobody alive has it. Written aside and linked, so that nobody ever reads half an owner. */
function take(file: string, owner: Owner): Owner | undefined {
  const holder = readOwner(file);
  if (holder) return holder.pid === owner.pid ? undefined : holder;
  if (existsSync(file)) rmSync(file, { force: true });
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(owner));
  try {
    linkSync(aside, file);
    return undefined;
  } catch {
    return readOwner(file) ?? owner;
  } finally {
    rmSync(aside, { force: true });
  }
}

const say = (owner: Owner): string => `${owner.purpose} (process ${owner.pid})`;

/** Keeps two processes from changing one lab at once, and one session's hosts from another session's hands. */
export class LabLock {
  /** By directory: several Lab objects of one process share one queue. */
  private static readonly queues = new Map<string, Promise<unknown>>();

  constructor(private readonly dir: string) {}

  /**
   * Reserves the lab for this process and its children until release or exit.
   * @throws Error when another living session has it
   */
  claim(purpose: string): void {
    mkdirSync(this.dir, { recursive: true });
    const other = take(join(this.dir, "session"), self(purpose));
    if (other && String(other.pid) !== process.env[SESSION_VARIABLE]) throw inUse(this.dir, other);
    process.env[SESSION_VARIABLE] ??= String(process.pid);
  }

  release(): void {
    const file = join(this.dir, "session");
    if (readOwner(file)?.pid === process.pid) rmSync(file, { force: true });
    if (process.env[SESSION_VARIABLE] === String(process.pid)) Reflect.deleteProperty(process.env, SESSION_VARIABLE);
  }

  /**
   * Runs one change of the lab; changes of this process run one after another.
   * @throws Error when another session has the lab, or another process changes it for more than two minutes
   */
  hold<T>(purpose: string, change: () => Promise<T>): Promise<T> {
    const before = LabLock.queues.get(this.dir) ?? Promise.resolve();
    const turn = before.then(() => this.exclusively(purpose, change));
    LabLock.queues.set(
      this.dir,
      turn.catch(() => undefined),
    );
    return turn;
  }

  private async exclusively<T>(purpose: string, change: () => Promise<T>): Promise<T> {
    mkdirSync(this.dir, { recursive: true });
    const session = readOwner(join(this.dir, "session"));
    if (session && session.pid !== process.pid && String(session.pid) !== process.env[SESSION_VARIABLE]) {
      throw inUse(this.dir, session);
    }
    const file = join(this.dir, "lock");
    await until(`the lab at ${this.dir} free for "${purpose}"`, 120_000, () => {
      const holder = take(file, self(purpose));
      return holder === undefined || `held by ${say(holder)}`;
    });
    try {
      return await change();
    } finally {
      rmSync(file, { force: true });
    }
  }
}

function inUse(dir: string, owner: Owner): Error {
  return new Error(
    `the lab at ${dir} is in use by ${say(owner)}: wait for it to end, or set REPMGR_PULUMI_LAB to another directory`,
  );
}
