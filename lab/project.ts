import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

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
  return resolve(dir ?? process.env.REPMGR_PULUMI_LAB ?? join(projectRoot(), ".lab"));
}

/** Base images hold no state of any lab: every lab of a checkout shares them. */
export function baseDirectory(): string {
  return join(projectRoot(), ".lab", "base");
}
