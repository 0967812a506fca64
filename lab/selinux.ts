import { aptRepository, baseHash, ensureBase } from "./base";
import { type HostImage, imageAt, isBuilt } from "./image";
import { buildLayer, recipeHash } from "./layered";
import { LabLock } from "./lock";
import { ensurePackages } from "./packages";
import { type Progress, timed } from "./progress";
import { baseDirectory } from "./project";

/** What runs a guest and makes its disk; no other host of the lab needs it. */
const GUEST_PACKAGES = ["qemu-system-x86", "qemu-utils", "e2fsprogs"];

/** Changes exactly when the image, or the one below it, would be built in another way. */
export function selinuxHash(): string {
  return `${baseHash("debian13")}-selinux-${recipeHash("selinux")}`;
}

/**
 * A guest with a kernel of its own: Debian with Debian's policy, enforcing, as a disk for QEMU. Built first if there is
 * none, which takes a minute or two and the network.
 * @throws Error with the end of the build's output
 */
export async function ensureSelinux(progress: Progress): Promise<HostImage> {
  await ensurePackages(GUEST_PACKAGES, progress);
  const image = imageAt(selinuxHash());
  if (isBuilt(image)) return image;
  const base = await ensureBase("debian13", progress);
  return new LabLock(baseDirectory()).hold("build the selinux image", async () => {
    const { uri, suite, components } = aptRepository("debian13");
    const source = ["deb [trusted=yes]", uri, suite, ...components].join(" ");
    const packages = { LAB_REPOSITORY: base.repository, LAB_REPOSITORY_SOURCE: source };
    const build = (): Promise<void> => buildLayer(base, image, { LAB_DISK: "disk" }, packages);
    if (!isBuilt(image)) await timed(progress, "build the selinux image", build);
    return image;
  });
}
