import { existsSync, lstatSync, mkdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { IMAGES } from "./image";
import type { LabPaths } from "./paths";

/**
 * Leads from .lab of a checkout to what inventories name of its lab: keys and known_hosts, which every host of it has in
 * common. The rest of the lab is not to be found below the checkout (labHome).
 */
export function linkInto(checkout: string, paths: LabPaths): void {
  const dir = join(checkout, ".lab");
  if (existsSync(dir) && realpathSync(dir) === paths.dir) return;
  mkdirSync(dir, { recursive: true });
  const files = [paths.loginKey, paths.knownHosts, ...IMAGES.map((image) => paths.repositoryKey(image))];
  for (const file of files.filter((path) => existsSync(path))) {
    const link = join(dir, basename(file));
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
    symlinkSync(file, link);
  }
}
