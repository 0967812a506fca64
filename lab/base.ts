import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HostImage, imageAt, isBuilt } from "./image";
import { LabLock } from "./lock";
import { type Progress, timed } from "./progress";
import { baseDirectory, projectRoot } from "./project";
import { makeRepository } from "./repository";
import { must } from "./run";

const SUITE = "trixie";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEFAULT_MIRROR = "http://deb.debian.org/debian";

/** What a Debian server has before anybody thinks of a database. */
const HOST_PACKAGES = [
  ...["systemd", "systemd-sysv", "libpam-systemd", "dbus", "openssh-server", "sudo", "firewalld", "python3"],
  ...["nftables", "iproute2", "iputils-ping", "procps", "psmisc", "ca-certificates", "netbase", "less", "logrotate"],
  ...["perl", "rsync", "tuned", "tzdata"],
];

/** What the lab's repository offers, with everything these need. */
const REPOSITORY_PACKAGES = ["postgresql-17", "postgresql-client-17", "postgresql-17-repmgr", "ufw"];

/**
 * The major version from which hosts are upgraded, with the libraries of its release that the hosts' own lacks. PGDG
 * offers all versions for every release; Debian has one a release, so this one comes from the release before.
 */
const FORMER_SUITE = "bookworm";
const FORMER_PACKAGES = ["postgresql-15", "postgresql-client-15", "postgresql-15-repmgr"];

const customizeScript = (): string => join(projectRoot(), "lab", "base", "customize.sh");

/** Changes exactly when the image would be built in another way. */
export function baseHash(): string {
  const packages = [HOST_PACKAGES, REPOSITORY_PACKAGES, FORMER_SUITE, FORMER_PACKAGES];
  const recipe = [SUITE, ...packages, readFileSync(customizeScript(), "utf8")];
  return createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
}

/** The Debian mirror this machine itself uses, else Debian's own. @param uris one repository a line */
export function debianMirror(uris: string): string {
  const own = uris.split("\n").find((uri) => /^https?:\/\/\S*\/debian\/?$/.test(uri.trim()));
  return own ? own.trim().replace(/\/$/, "") : DEFAULT_MIRROR;
}

/** A line of sources.list with the packages of the hosts' own release. */
export async function debianSource(): Promise<string> {
  return `deb [signed-by=${KEYRING}] ${debianMirror(await machineRepositories())} ${SUITE} main`;
}

const machineRepositories = (): Promise<string> =>
  must(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);

/**
 * The whole command line of the bootstrap; the hook's directory and names travel in the environment. In a mount namespace of
 * its own: mmdebstrap that is killed leaves what it has mounted, and nobody could remove the draft after that.
 */
export function mmdebstrapArgv(root: string, mirror: string): string[] {
  const dpkg = ["force-unsafe-io", ...["man", "doc", "locale"].map((dir) => `path-exclude=/usr/share/${dir}/*`)];
  return [
    ...["unshare", "--mount", "--propagation", "private"],
    ...[
      "mmdebstrap",
      "--mode=root",
      "--variant=minbase",
      `--keyring=${KEYRING}`,
      `--include=${HOST_PACKAGES.join(",")}`,
    ],
    ...['--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"'],
    ...dpkg.map((option) => `--dpkgopt=${option}`),
    `--customize-hook=sh "$LAB_CUSTOMIZE" "$1"`,
    ...[SUITE, root, mirror],
  ];
}

/**
 * The base image, built first if there is none (a minute, and the only step of the lab that reaches a network).
 * @throws Error with the end of the build's output
 */
export async function ensureBase(progress: Progress): Promise<HostImage> {
  const image = imageAt(baseHash());
  if (isBuilt(image)) return image;
  return new LabLock(baseDirectory()).hold("build the base image", async () => {
    if (!isBuilt(image)) await timed(progress, "build the base image", () => build(image, progress));
    return image;
  });
}

async function build(image: HostImage, progress: Progress): Promise<void> {
  const dir = join(baseDirectory(), image.hash);
  const draft = imageAt(`${image.hash}.draft`);
  rmSync(`${dir}.draft`, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(`${dir}.draft`, { recursive: true });
  writeFileSync(draft.opsPasswordFile, randomBytes(12).toString("base64url"), { mode: 0o600 });
  const mirror = debianMirror(await machineRepositories());
  await must(mmdebstrapArgv(join(`${dir}.draft`, "root"), mirror), {
    deadlineMs: 15 * 60_000,
    ownGroup: true,
    env: {
      ...process.env,
      LAB_CUSTOMIZE: customizeScript(),
      LAB_POOL: join(draft.repository, "pool"),
      LAB_PACKAGES: REPOSITORY_PACKAGES.join(" "),
      LAB_FORMER_SOURCE: `deb [signed-by=${KEYRING}] ${mirror} ${FORMER_SUITE} main`,
      LAB_FORMER_PACKAGES: FORMER_PACKAGES.join(" "),
      LAB_OPS_PASSWORD_FILE: draft.opsPasswordFile,
    },
    onLine: (line) => line.startsWith("I: ") && progress(`  ${line.slice(3)}`),
  });
  await makeRepository(draft.repository, SUITE, draft.repositoryKey);
  renameSync(`${dir}.draft`, dir);
}

/** What an apt source of the lab's hosts looks like. */
export const APT_REPOSITORY = { uri: "file:/srv/repository", suite: SUITE, components: ["main"] } as const;
