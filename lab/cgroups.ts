import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./wait";

const ROOT = "/sys/fs/cgroup";

/** The cgroup v2 hierarchy of this machine, undefined when it has none mounted. */
export function unifiedRoot(): string | undefined {
  return [ROOT, join(ROOT, "unified")].find((dir) => existsSync(join(dir, "cgroup.procs")) && isV2(dir));
}

const isV2 = (dir: string): boolean => existsSync(join(dir, "cgroup.controllers"));

/** Every hierarchy in which systemd inside a host makes groups, so in which a host needs a group of its own. */
function hierarchies(): string[] {
  const unified = unifiedRoot();
  if (!unified) throw new Error(`no cgroup v2 hierarchy at ${ROOT} or ${ROOT}/unified`);
  const named = join(ROOT, "systemd");
  return existsSync(join(named, "cgroup.procs")) ? [unified, named] : [unified];
}

/** One host's control group: kill takes all its processes at once, as pulling the plug does. */
export class HostCgroup {
  /** @param path below the root of each hierarchy: "repmgr-lab-0123abcd/pg1" */
  constructor(private readonly path: string) {}

  private get unified(): string {
    return join(hierarchies()[0] as string, this.path);
  }

  /** Makes the groups. Returns the files into which a process writes its id to enter them. */
  create(): string[] {
    return hierarchies().map((root) => {
      mkdirSync(join(root, this.path), { recursive: true });
      return join(root, this.path, "cgroup.procs");
    });
  }

  /** The file that puts a process beside the host's own processes, under the same kill switch. */
  guestProcs(): string {
    const dir = join(this.unified, "guest");
    mkdirSync(dir, { recursive: true });
    return join(dir, "cgroup.procs");
  }

  processes(): number[] {
    return groups(this.unified).flatMap((dir) => pids(dir));
  }

  /** @throws Error when the kernel has not ended every process within a minute: the disk of a machine with much to do is slow to let go */
  async kill(): Promise<void> {
    if (!existsSync(this.unified)) return;
    writeFileSync(join(this.unified, "cgroup.kill"), "1");
    await this.waitEmpty(60_000);
  }

  async waitEmpty(deadlineMs: number): Promise<void> {
    await until(`${this.path} without processes`, deadlineMs, () => {
      const left = this.processes();
      return left.length === 0 || `processes ${left.slice(0, 10).join(", ")}`;
    });
  }

  /** Removes the empty groups, and the lab's own group with its last host. */
  async remove(): Promise<void> {
    for (const root of hierarchies()) {
      const dirs = [...groups(join(root, this.path)).reverse()];
      await until(`${this.path} removed from ${root}`, 5_000, () => removed(dirs));
      tryRemove(join(root, this.path, ".."));
    }
  }
}

function pids(dir: string): number[] {
  try {
    return readFileSync(join(dir, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // the group was removed while we looked
  }
}

/** dir and all groups below it, parents first. */
function groups(dir: string): string[] {
  try {
    const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [dir, ...children.flatMap((child) => groups(join(dir, child.name)))];
  } catch {
    return [];
  }
}

function removed(dirs: readonly string[]): true | string {
  const left = dirs.filter((dir) => !tryRemove(dir));
  return left.length === 0 || `still there: ${left.join(", ")}`;
}

function tryRemove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
