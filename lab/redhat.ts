import { renameSync } from "node:fs";
import { join } from "node:path";
import { baseHash, ensureBase } from "./base";
import { type HostImage, imageAt, isBuilt } from "./image";
import { buildLayer, recipeHash } from "./layered";
import { LabLock } from "./lock";
import { type Progress, timed } from "./progress";
import { baseDirectory } from "./project";
import { SIGNER } from "./repository";

/** What a dnf repository of the lab's hosts of the RedHat family looks like. */
export const DNF_REPOSITORY = { uri: "file:/srv/repository/pgdg" } as const;

/** Changes exactly when the image, or the one below it, would be built in another way. */
export function redhatHash(): string {
  return `${baseHash("debian13")}-redhat-${recipeHash("redhat")}`;
}

/**
 * The stand-in for a host of the RedHat family: a layer over the Debian image, with real dnf and rpm, packages in the
 * layout of the PostgreSQL project's, and no dpkg. Built first if there is none, which takes half a minute and the network.
 * @throws Error with the end of the build's output
 */
export async function ensureRedhat(progress: Progress): Promise<HostImage> {
  const image = imageAt(redhatHash());
  if (isBuilt(image)) return image;
  const base = await ensureBase("debian13", progress);
  return new LabLock(baseDirectory()).hold("build the redhat image", async () => {
    if (!isBuilt(image)) await timed(progress, "build the redhat image", () => build(base, image));
    return image;
  });
}

async function build(base: HostImage, image: HostImage): Promise<void> {
  const packages = join(base.repository, "pool");
  await buildLayer(base, image, { LAB_REPOSITORY: "repository" }, { LAB_DEBS: packages, LAB_SIGNER: SIGNER });
  // Last, so that its presence means that the image is whole.
  renameSync(join(image.repository, "key.asc"), image.repositoryKey);
}
