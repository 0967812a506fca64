import { createHash } from "node:crypto";
import { existsSync, realpathSync, statfsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

const OVERLAYFS_MAGIC = 0x794c7630;
const CACHE = "/var/cache";

/** The checkout this code belongs to, found the same way from lab/ (jest) and from bin/lab/ (compiled). */
export function projectRoot(): string {
  let dir = __dirname;
  while (!existsSync(join(dir, "package.json"))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error(`no package.json above ${__dirname}: the lab cannot find its project`);
    dir = parent;
  }
  return dir;
}

/**
 * Where the labs of this checkout are. Outside of it: Pulumi's language host looks for plugins in every directory below the
 * program, links followed, in every run; three hosts there cost a preview 0.35 s of 2.4. Inside only where overlays
 * cannot be written to there, as in a container whose checkout is a volume.
 */
export function labHome(): string {
  const root = realpathSync(projectRoot());
  if (isOverlay(CACHE)) return join(root, ".lab");
  const hash = createHash("sha256").update(root).digest("hex").slice(0, 8);
  return join(CACHE, "repmgr-pulumi", `${basename(root).replace(/\W+/g, "-")}-${hash}`);
}

/** @param dir itself, or the one above it that exists */
export function isOverlay(dir: string): boolean {
  return existsSync(dir) ? statfsSync(dir).type === OVERLAYFS_MAGIC : isOverlay(dirname(dir));
}

/** Where a lab keeps what it makes. REPMGR_PULUMI_LAB names another directory, so that two labs can live side by side. */
export function labDirectory(dir?: string): string {
  return realPath(resolve(dir ?? process.env.REPMGR_PULUMI_LAB ?? labHome()));
}

/** A lab is known by its path to the kernel's mounts and to the other labs: one directory, one name, links or not. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}

/** Base images hold no state of any lab: every lab of a checkout shares them. */
export function baseDirectory(): string {
  return join(labHome(), "base");
}
