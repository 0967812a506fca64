import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The folder of Pulumi.yaml, seen from the sources as well as from bin/.
 * @throws Error when this file lies outside the project
 */
export function projectRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, "Pulumi.yaml"))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`no Pulumi.yaml in ${__dirname} or above it`);
    folder = above;
  }
  return folder;
}
