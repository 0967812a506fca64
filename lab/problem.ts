import { existsSync, readFileSync } from "node:fs";
import { unifiedRoot } from "./cgroups";
import { isOverlay, labDirectory } from "./project";

const CAP_SYS_ADMIN = 21n;
const CAP_NET_ADMIN = 12n;

/**
 * Why real hosts cannot be had on this machine, in one line; undefined when nothing speaks against them.
 * Looks only: changes and installs nothing.
 */
export function labProblem(): string | undefined {
  if (process.platform !== "linux") return `the lab needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "the lab needs root: run the same command with sudo";
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  for (const [name, bit] of Object.entries({ CAP_SYS_ADMIN, CAP_NET_ADMIN })) {
    if (!((effective >> bit) & 1n)) return `the lab needs ${name}: this is a container without privileges`;
  }
  for (const kind of ["mnt", "net", "pid", "uts", "ipc", "cgroup"]) {
    if (!existsSync(`/proc/self/ns/${kind}`)) return `the lab needs ${kind} namespaces, this kernel has none`;
  }
  const unified = unifiedRoot();
  if (!unified) return "the lab needs cgroup v2, and none is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified";
  if (isReadOnly(unified)) return `the lab needs to make control groups, and ${unified} is mounted read-only`;
  if (!existsSync("/usr/bin/apt-get")) return "the lab builds its hosts with apt-get, and this machine has none";
  return overlayProblem();
}

function isReadOnly(dir: string): boolean {
  const line = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .find((mount) => mount.split(" ")[1] === dir);
  return line?.split(" ")[3]?.split(",").includes("ro") ?? false;
}

function overlayProblem(): string | undefined {
  const dir = labDirectory();
  if (/[\s:,\\]/.test(dir)) return `the lab needs a path without blanks, colons, commas and backslashes, not ${dir}`;
  if (!isOverlay(dir)) return undefined;
  return `the lab needs a disk that overlays can be written to, and ${dir} is on an overlay itself (a container's root)`;
}
