import { baseHash, ensureBase } from "./base";
import { type HostImage, imageAt, type ImageName } from "./image";
import type { Progress } from "./progress";
import { ensureRedhat, redhatHash } from "./redhat";

/** The image of today's recipe, whether it is built or not. */
export function todaysImage(name: ImageName): HostImage {
  return imageAt(name === "redhat" ? redhatHash() : baseHash());
}

/** Today's image, built first if there is none. @throws Error with the end of the build's output */
export function ensureImage(name: ImageName, progress: Progress): Promise<HostImage> {
  return name === "redhat" ? ensureRedhat(progress) : ensureBase(progress);
}
