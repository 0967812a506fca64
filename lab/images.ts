import { baseHash, ensureBase } from "./base";
import { type HostImage, imageAt, type ImageName } from "./image";
import type { Progress } from "./progress";
import { ensureRedhat, redhatHash } from "./redhat";
import { ensureSelinux, selinuxHash } from "./selinux";

const HASHES: Readonly<Record<ImageName, () => string>> = {
  debian13: baseHash,
  redhat: redhatHash,
  selinux: selinuxHash,
};
const BUILDERS = { debian13: ensureBase, redhat: ensureRedhat, selinux: ensureSelinux } as const;

/** The image of today's recipe, whether it is built or not. */
export function todaysImage(name: ImageName): HostImage {
  return imageAt(HASHES[name]());
}

/** Today's image, built first if there is none. @throws Error with the end of the build's output */
export function ensureImage(name: ImageName, progress: Progress): Promise<HostImage> {
  return BUILDERS[name](progress);
}
