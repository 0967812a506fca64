import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HostImage, imageAt, isBuilt } from "./image";
import { LabLock } from "./lock";
import { type Progress, timed } from "./progress";
import { baseDirectory, projectRoot } from "./project";
import { makeRepository } from "./repository";
import { must } from "./run";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEFAULT_MIRROR = "http://deb.debian.org/debian";

/** What a Debian server has before anybody thinks of a database. */
const HOST_PACKAGES = [
  ...["systemd", "systemd-sysv", "libpam-systemd", "dbus", "openssh-server", "sudo", "firewalld", "python3"],
  ...["nftables", "iproute2", "iputils-ping", "procps", "psmisc", "ca-certificates", "netbase", "less", "logrotate"],
  ...["perl", "rsync", "tuned", "tzdata"],
];

export type Release = "debian12" | "debian13";

interface Recipe {
  readonly suite: string;
  /** What the lab's repository offers, with everything these need. */
  readonly packages: readonly string[];
  /**
   * The major version from which hosts are upgraded, with the libraries of its release that the hosts' own lacks. PGDG
   * offers all versions for every release; Debian has one a release, so this one comes from the release before.
   */
  readonly former?: { readonly suite: string; readonly packages: readonly string[] };
}

const server = (version: number): string[] => [
  `postgresql-${version}`,
  `postgresql-client-${version}`,
  `postgresql-${version}-repmgr`,
];

const RELEASES: Readonly<Record<Release, Recipe>> = {
  debian12: { suite: "bookworm", packages: [...server(15), "ufw"] },
  debian13: {
    suite: "trixie",
    packages: [...server(17), "ufw"],
    former: { suite: "bookworm", packages: server(15) },
  },
};

const customizeScript = (): string => join(projectRoot(), "lab", "base", "customize.sh");

/** Changes exactly when the image would be built in another way. */
export function baseHash(release: Release): string {
  const recipe = [HOST_PACKAGES, RELEASES[release], readFileSync(customizeScript(), "utf8")];
  const hash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex").slice(0, 12);
  return release === "debian13" ? hash : `${hash}-${release}`;
}

/** The Debian mirror this machine itself uses, else Debian's own. @param uris one repository a line */
export function debianMirror(uris: string): string {
  const own = uris.split("\n").find((uri) => /^https?:\/\/\S*\/debian\/?$/.test(uri.trim()));
  return own ? own.trim().replace(/\/$/, "") : DEFAULT_MIRROR;
}

/** A line of sources.list with the packages of a release. */
export async function debianSource(release: Release): Promise<string> {
  return source(debianMirror(await machineRepositories()), RELEASES[release].suite);
}

function source(mirror: string, suite: string): string {
  return `deb [signed-by=${KEYRING}] ${mirror} ${suite} main`;
}

const machineRepositories = (): Promise<string> =>
  must(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);

/**
 * The whole command line of the bootstrap; the hook's directory and names travel in the environment. In a mount namespace of
 * its own: mmdebstrap that is killed leaves what it has mounted, and nobody could remove the draft after that.
 */
export function mmdebstrapArgv(release: Release, root: string, mirror: string): string[] {
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
    ...[RELEASES[release].suite, root, mirror],
  ];
}

/**
 * The image of a release of Debian, built first if there is none (a minute, and the only step of the lab that reaches a network).
 * @throws Error with the end of the build's output
 */
export async function ensureBase(release: Release, progress: Progress): Promise<HostImage> {
  const image = imageAt(baseHash(release));
  if (isBuilt(image)) return image;
  const what = `build the ${release} image`;
  return new LabLock(baseDirectory()).hold(what, async () => {
    if (!isBuilt(image)) await timed(progress, what, () => build(release, image, progress));
    return image;
  });
}

async function build(release: Release, image: HostImage, progress: Progress): Promise<void> {
  const { suite, packages, former } = RELEASES[release];
  const dir = join(baseDirectory(), image.hash);
  const draft = join(baseDirectory(), `draft-of-${image.hash}`);
  rmSync(draft, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  const inDraft = (path: string): string => path.replace(dir, draft);
  writeFileSync(inDraft(image.opsPasswordFile), randomBytes(12).toString("base64url"), { mode: 0o600 });
  const mirror = debianMirror(await machineRepositories());
  await must(mmdebstrapArgv(release, join(draft, "root"), mirror), {
    deadlineMs: 15 * 60_000,
    ownGroup: true,
    env: {
      ...process.env,
      LAB_CUSTOMIZE: customizeScript(),
      LAB_POOL: join(inDraft(image.repository), "pool"),
      LAB_PACKAGES: packages.join(" "),
      LAB_FORMER_SOURCE: former === undefined ? "" : source(mirror, former.suite),
      LAB_FORMER_PACKAGES: (former?.packages ?? []).join(" "),
      LAB_OPS_PASSWORD_FILE: inDraft(image.opsPasswordFile),
    },
    onLine: (line) => line.startsWith("I: ") && progress(`  ${line.slice(3)}`),
  });
  await makeRepository(inDraft(image.repository), suite, inDraft(image.repositoryKey));
  renameSync(draft, dir);
}

/** What an apt source of the lab's hosts looks like, in an inventory. */
export interface AptRepository {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

export function aptRepository(release: Release): AptRepository {
  return { uri: "file:/srv/repository", suite: RELEASES[release].suite, components: ["main"] };
}
