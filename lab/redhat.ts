import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { baseHash, debianSource, ensureBase } from "./base";
import { type HostImage, imageAt, isBuilt } from "./image";
import { LabLock } from "./lock";
import { type Progress, timed } from "./progress";
import { baseDirectory, projectRoot } from "./project";
import { SIGNER } from "./repository";
import { must } from "./run";

const recipeDirectory = (): string => join(projectRoot(), "lab", "redhat");

/** What a dnf repository of the lab's hosts of the RedHat family looks like. */
export const DNF_REPOSITORY = { uri: "file:/srv/repository/pgdg" } as const;

/** Changes exactly when the image, or the one below it, would be built in another way. */
export function redhatHash(): string {
  const dir = recipeDirectory();
  const recipe = readdirSync(dir)
    .sort()
    .map((file) => [file, readFileSync(join(dir, file), "utf8")]);
  return `${baseHash()}-redhat-${createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12)}`;
}

/**
 * The stand-in for a host of the RedHat family: a layer over the Debian image, with real dnf and rpm, packages in the
 * layout of the PostgreSQL project's, and no dpkg. Built first if there is none, which takes half a minute and the network.
 * @throws Error with the end of the build's output
 */
export async function ensureRedhat(progress: Progress): Promise<HostImage> {
  const image = imageAt(redhatHash());
  if (isBuilt(image)) return image;
  const base = await ensureBase(progress);
  return new LabLock(baseDirectory()).hold("build the redhat image", async () => {
    if (!isBuilt(image)) await timed(progress, "build the redhat image", () => build(base, image));
    return image;
  });
}

async function build(base: HostImage, image: HostImage): Promise<void> {
  const dir = join(baseDirectory(), image.hash);
  const draft = `${dir}.draft`;
  for (const old of [draft, dir]) rmSync(old, { recursive: true, force: true });
  for (const part of ["root", "work", "merged", "repository"]) mkdirSync(join(draft, part), { recursive: true });
  // The mounts end with the namespace, whatever becomes of the script.
  const argv = ["unshare", "--mount", "--propagation", "private", "sh", join(recipeDirectory(), "build.sh")];
  await must([...argv, join(draft, "merged")], {
    deadlineMs: 15 * 60_000,
    what: "build the redhat image",
    env: {
      ...process.env,
      LAB_BASE: base.lower.join(":"),
      LAB_LAYER: join(draft, "root"),
      LAB_WORK: join(draft, "work"),
      LAB_DEBS: join(base.repository, "pool"),
      LAB_REPOSITORY: join(draft, "repository"),
      LAB_SOURCE: await debianSource(),
      LAB_SIGNER: SIGNER,
    },
  });
  for (const part of ["work", "merged"]) rmSync(join(draft, part), { recursive: true, force: true });
  renameSync(draft, dir);
  // Last, so that its presence means that the image is whole.
  renameSync(join(image.repository, "key.asc"), image.repositoryKey);
}
