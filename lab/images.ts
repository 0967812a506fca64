import { baseHash, ensureBase } from "./base";
import { type HostImage, imageAt, type ImageName } from "./image";
import type { Progress } from "./progress";
import { ensureRedhat, redhatHash } from "./redhat";
import { ensureSelinux, selinuxHash } from "./selinux";

const HASHES: Readonly<Record<ImageName, () => string>> = {
  debian12: () => baseHash("debian12"),
  debian13: () => baseHash("debian13"),
  redhat: redhatHash,
  selinux: selinuxHash,
};
const BUILDERS: Readonly<Record<ImageName, (progress: Progress) => Promise<HostImage>>> = {
  debian12: (progress) => ensureBase("debian12", progress),
  debian13: (progress) => ensureBase("debian13", progress),
  redhat: ensureRedhat,
  selinux: ensureSelinux,
};

/** The image of today's recipe, whether it is built or not. */
export function todaysImage(name: ImageName): HostImage {
  return imageAt(HASHES[name]());
}

/** Today's image, built first if there is none. @throws Error with the end of the build's output */
export function ensureImage(name: ImageName, progress: Progress): Promise<HostImage> {
  return BUILDERS[name](progress);
}
