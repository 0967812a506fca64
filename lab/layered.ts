import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { debianSource } from "./base";
import type { HostImage } from "./image";
import { baseDirectory, projectRoot } from "./project";
import { must } from "./run";

const recipeDirectory = (name: string): string => join(projectRoot(), "lab", name);

/** Changes exactly when the recipe of an image does. @param name of the image, and of the directory of its recipe */
export function recipeHash(name: string): string {
  const dir = recipeDirectory(name);
  const recipe = readdirSync(dir)
    .sort()
    .map((file) => [file, readFileSync(join(dir, file), "utf8")]);
  return createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
}

/**
 * Builds an image as a layer over the Debian one by its recipe's build.sh, which gets a directory to mount both at.
 * @param parts directories that the recipe fills besides, by the variable that names them; they become part of the image
 * @throws Error with the end of the build's output
 */
export async function buildLayer(
  base: HostImage,
  image: HostImage,
  parts: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const dir = join(baseDirectory(), image.hash);
  const draft = `${dir}.draft`;
  for (const old of [draft, dir]) rmSync(old, { recursive: true, force: true });
  for (const part of ["root", "work", "merged", ...Object.values(parts)])
    mkdirSync(join(draft, part), { recursive: true });
  // The mounts end with the namespace, whatever becomes of the script.
  const script = join(recipeDirectory(image.name), "build.sh");
  const argv = ["unshare", "--mount", "--propagation", "private", "sh", script, join(draft, "merged")];
  const places = Object.entries(parts).map(([variable, part]) => [variable, join(draft, part)]);
  await must(argv, {
    deadlineMs: 15 * 60_000,
    what: `build the ${image.name} image`,
    ownGroup: true,
    env: {
      ...process.env,
      LAB_BASE: base.lower.join(":"),
      LAB_LAYER: join(draft, "root"),
      LAB_WORK: join(draft, "work"),
      LAB_SOURCE: await debianSource("debian13"),
      ...(Object.fromEntries(places) as Record<string, string>),
      ...env,
    },
  });
  for (const part of ["work", "merged"]) rmSync(join(draft, part), { recursive: true, force: true });
  renameSync(draft, dir);
}
