import { existsSync } from "node:fs";
import { join } from "node:path";
import { baseDirectory } from "./project";

export const IMAGES = ["debian12", "debian13", "redhat", "selinux"] as const;

/** What a host of the lab boots from. */
export type ImageName = (typeof IMAGES)[number];

/** Read-only, shared by all hosts of all labs of this checkout. */
export interface HostImage {
  readonly name: ImageName;
  readonly hash: string;
  /** The lower layers of every host, topmost first. */
  readonly lower: readonly string[];
  /** Bound into every host at /srv/repository. */
  readonly repository: string;
  /** The repository's public key, armoured. */
  readonly repositoryKey: string;
  /** Holds the sudo password of the login "ops". */
  readonly opsPasswordFile: string;
  /** Of a guest of QEMU, which boots from a disk of its own instead of from the layers. */
  readonly disk?: GuestDisk;
}

export interface GuestDisk {
  readonly root: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** An image's place, whether it is built or not. @param hash of debian13, of one laid over it ("<debian13>-redhat-<own>"), or "<own>-debian12" */
export function imageAt(hash: string): HostImage {
  const [first = hash, word] = hash.split("-");
  const name = IMAGES.find((image) => image === word) ?? "debian13";
  const base = name === "debian12" ? hash : first;
  const dir = (of: string): string => join(baseDirectory(), of);
  const [root, kernel, initrd] = ["root.img", "vmlinuz", "initrd"].map((file) => join(dir(hash), "disk", file)) as [
    string,
    string,
    string,
  ];
  // A guest is Debian, and has Debian's packages.
  const packages = dir(name === "selinux" ? base : hash);
  return {
    name,
    hash,
    lower: [...new Set([hash, base])].map((part) => join(dir(part), "root")),
    repository: join(packages, "repository"),
    repositoryKey: join(packages, "repository.asc"),
    opsPasswordFile: join(dir(base), "ops.password"),
    ...(name === "selinux" ? { disk: { root, kernel, initrd } } : {}),
  };
}

export function isBuilt({ lower, repositoryKey, disk }: HostImage): boolean {
  const own = disk === undefined ? [] : [disk.root, disk.kernel, disk.initrd];
  return [repositoryKey, ...lower, ...own].every((path) => existsSync(path));
}

/** An image built before, today's or an older one. @throws Error when it is no longer there */
export function builtImage(hash: string): HostImage {
  const image = imageAt(hash);
  if (isBuilt(image)) return image;
  throw new Error(`the base image ${hash} of these hosts is gone: npm run lab -- down, then npm run lab -- up 3`);
}

/** @throws Error for a name that no image has */
export function imageNamed(name: string): ImageName {
  const found = IMAGES.find((image) => image === name);
  if (found === undefined) throw new Error(`no image ${JSON.stringify(name)}, there are ${IMAGES.join(", ")}`);
  return found;
}

/** The image of hosts for which nobody names one: REPMGR_PULUMI_IMAGE, else debian13. @throws Error as imageNamed */
export function usualImage(): ImageName {
  return imageNamed(process.env.REPMGR_PULUMI_IMAGE ?? "debian13");
}
