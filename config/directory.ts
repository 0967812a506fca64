import { posix } from "node:path";

const SYSTEM = ["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "usr"];

export const DIRECTORY_RULE =
  "an absolute path of letters, digits, . _ and -, at least two levels deep, not below a system directory";

/** Whether data may lie there. */
export function isGoodDirectory(path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  const isPlain = /^\/[A-Za-z0-9._/-]+$/.test(path) && !parts.includes("..") && !parts.includes(".");
  return isPlain && parts.length >= 2 && !SYSTEM.includes(parts[0] ?? "");
}

/** Normalised, so that equal directories are equal strings. */
export function plainDirectory(path: string): string {
  return posix.normalize(path).replace(/(?!^)\/+$/, "");
}

/** One of two directories is, or is in, the other. */
export function isNested(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}
