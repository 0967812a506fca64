import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

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

/** Where a lab keeps what it makes. REPMGR_PULUMI_LAB names another directory, so that two labs can live side by side. */
export function labDirectory(dir?: string): string {
  return realPath(resolve(dir ?? process.env.REPMGR_PULUMI_LAB ?? join(projectRoot(), ".lab")));
}

/** A lab is known by its path to the kernel's mounts and to the other labs: one directory, one name, links or not. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(realPath(parent), basename(path));
}

/** Base images hold no state of any lab: every lab of a checkout shares them. */
export function baseDirectory(): string {
  return join(projectRoot(), ".lab", "base");
}
