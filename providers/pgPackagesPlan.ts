import type { Action, Run } from "../actions/action";
import type { FileFact } from "../facts/file";
import type { PackageFact } from "../facts/packages";
import { compareDebianVersions } from "../facts/debianVersion";
import { sh, shJoin } from "../ssh/quote";
import { type AptFile, CREATE_CLUSTER_FILE, repositoryFiles } from "../facts/aptFiles";
import type { Claims } from "./claims";
import { Refused } from "./kind";
import type { PgPackagesFacts, PgPackagesInputs } from "./pgPackages";

const INSTALL_DEADLINE_MS = 900_000;
const LOCK_SECONDS = 120;
/** Less than the deadline, so that what dpkg says is the error. */
const RUNNING_INSTALL_SECONDS = 600;

/** The files come first: with them in place the distribution's own cluster never appears. An installed version is kept. */
export function planPackages(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const upgrades = [...planPinned(want, have), ...planCatchUp(want, have)];
  return [...planFiles(want, have), ...planRepair(want, have), ...planInstall(want, have), ...upgrades];
}

/** The package with a version that the inventory names, when another one is installed. */
export function offPin({ pinned, packages: [server] }: PgPackagesInputs, { packages }: PgPackagesFacts): PackageFact[] {
  if (pinned === undefined) return [];
  return packages.packages.filter(
    ({ name, state, version }) => name === server && state === "installed" && version !== pinned,
  );
}

/** @throws Refused for an older version: going back is no upgrade backwards, and packages do not promise that it works */
function planPinned(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const [server] = offPin(want, have);
  const { host, pinned = "" } = want;
  if (server === undefined) return [];
  const { name, version } = server;
  if (compareDebianVersions(version, pinned) > 0) {
    throw new Refused(
      `${host}: ${name} ${version} is newer than the wanted ${pinned}. Set "package_version: ${version}" in the inventory; ` +
        `to go back all the same, read the release notes between them and type on each host: sudo apt-get install --allow-downgrades ${name}=${pinned}`,
    );
  }
  const why = `upgrade ${name} from ${version} to ${pinned}, as the inventory says; the cluster restarts node by node for it`;
  return [upgrade(host, why, [`${name}=${pinned}`])];
}

/** The installed packages of which a sibling has a newer version: the newest, and who has it. */
export function behind(
  { pinned, packages: [server] }: PgPackagesInputs,
  { packages, siblings }: PgPackagesFacts,
): { name: string; have: string; newest: string; on: string }[] {
  return packages.packages
    .filter(({ name, state }) => state === "installed" && (pinned === undefined || name !== server))
    .flatMap(({ name, version: have }) => {
      const [newest] = Object.entries(siblings)
        .flatMap(([on, fact]) =>
          fact.packages.filter((p) => p.name === name && p.state === "installed").map((p) => ({ on, ...p })),
        )
        .sort((a, b) => compareDebianVersions(b.version, a.version));
      if (newest === undefined || compareDebianVersions(newest.version, have) <= 0) return [];
      return [{ name, have, newest: newest.version, on: newest.on }];
    });
}

/** Never down: whoever is ahead stays so. A running server goes on with what it was started with. */
function planCatchUp(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const late = behind(want, have);
  if (late.length === 0) return [];
  const [first] = late.map(({ on }) => on);
  const what = late.map(({ name, have: old, newest }) => `${name} from ${old} to ${newest}`).join(", ");
  const why = `upgrade ${what}, as ${first} has it; a running server takes it up at its next restart`;
  return [
    upgrade(
      want.host,
      why,
      late.map(({ name, newest }) => `${name}=${newest}`),
    ),
  ];
}

function upgrade(host: string, why: string, packages: readonly string[]): Action {
  const exact = shJoin(packages);
  const script = `${APT_SHELL}
apt --no-install-recommends install ${exact} || { apt update; apt --no-install-recommends install ${exact}; }`;
  return { do: "run", host, why, script, deadlineMs: INSTALL_DEADLINE_MS };
}

/** Our files go. The packages stay: other clusters or programs on the host may use them, and they hold no state of ours. */
export function planPackagesDelete(have: PgPackagesFacts, inputs: PgPackagesInputs, claims: Claims): Action[] {
  const here = claims.filter(({ host }) => host === inputs.host);
  // The files are of the host: those of another major version need them as well.
  if (here.length > 0 && !here.some(({ version }) => version === inputs.version)) return [];
  const files = inputs.repository && repositoryFiles(inputs.repository);
  const paths = [
    have.createCluster && CREATE_CLUSTER_FILE.path,
    have.source && files?.source.path,
    have.key && files?.key.path,
  ].filter((path) => path !== undefined);
  if (paths.length === 0) return [];
  const why = `PostgreSQL ${inputs.version} is no longer managed here: remove ${paths.join(", ")}; the packages stay, others may use them`;
  return [{ do: "run", host: inputs.host, why, script: shJoin(["rm", "-f", ...paths]) }];
}

function planFiles(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const { host, repository, version } = want;
  const files = repository && repositoryFiles(repository);
  return [
    // A host that others have set up goes on as it was.
    ...(want.createMainCluster
      ? []
      : put(
          host,
          CREATE_CLUSTER_FILE,
          have.createCluster,
          `the distribution must not make a cluster "main" of its own`,
        )),
    ...(files ? put(host, files.key, have.key, `packages from ${repository.uri} are checked against their key`) : []),
    ...(files ? put(host, files.source, have.source, `PostgreSQL ${version} comes from ${repository.uri}`) : []),
  ];
}

function put(host: string, { path, content }: AptFile, have: FileFact | undefined, why: string): Action[] {
  if (have?.content === content) return [];
  return [{ do: "putFile", host, why, path, content, owner: "root:root", mode: "0644" }];
}

function planRepair(want: PgPackagesInputs, { packages }: PgPackagesFacts): Action[] {
  const broken = packages.packages.filter(({ state }) => state === "broken").map(({ name }) => name);
  if (!packages.isInterrupted && broken.length === 0) return [];
  const what = broken.length > 0 ? `, ${broken.join(", ")} half installed` : "";
  const why = `an installation was cut in the middle${what}: let dpkg finish it`;
  return [{ do: "run", host: want.host, why, script: REPAIR, deadlineMs: INSTALL_DEADLINE_MS }];
}

/** The installation may still be under way: whoever began it lost the connection, or its program was killed. dpkg itself does not wait. */
const REPAIR = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
give_up=$(($(date +%s) + ${RUNNING_INSTALL_SECONDS}))
until said=$(dpkg --force-confdef --force-confold --configure -a 2>&1); do
  case $said in *" lock was locked by "*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac
  [ "$(date +%s)" -lt "$give_up" ] || { printf '%s\\n' "$said" >&2; exit 1; }
  sleep 0.5
done`;

function planInstall(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const missing = have.packages.packages.filter(({ state }) => state === "absent").map(({ name }) => name);
  if (missing.length === 0) return [];
  const source = want.repository && repositoryFiles(want.repository).source.path;
  const isKnown = missing.every((name) => have.packages.candidates[name] !== undefined);
  const exact = shJoin(
    missing.map((name) => (want.pinned !== undefined && name === want.packages[0] ? `${name}=${want.pinned}` : name)),
  );
  const script = `${APT_SHELL}
${source === undefined ? "" : updateOnly(source)}
${isKnown || source !== undefined ? "" : "apt update"}
apt --no-install-recommends install ${exact} || { apt update; apt --no-install-recommends install ${exact}; }`;
  const why = `install ${missing.join(", ")}${want.repository ? ` from ${want.repository.uri}` : ""}`;
  const action: Run = { do: "run", host: want.host, why, script, deadlineMs: INSTALL_DEADLINE_MS };
  return [action];
}

/** Asks the new repository alone: the lists of the others may be large and are asked for when something is not found. */
function updateOnly(source: string): string {
  return `apt -o Dir::Etc::sourcelist=${sh(source)} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update`;
}

/**
 * apt waits for dpkg's lock by itself, but not for the one on the package lists, which apt-daily holds at times. Services
 * are never restarted by needrestart: a database is restarted when its cluster allows it.
 */
const APT_SHELL = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
until_lists=$(($(date +%s) + ${LOCK_SECONDS}))
apt() {
  while :; do
    said=$(apt-get -qq -y -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Dpkg::Options::=--force-confdef \\
      -o Dpkg::Options::=--force-confold "$@" 2>&1) && return 0
    case $said in *"Could not get lock /var/lib/apt/lists"*) ;; *) printf '%s\\n' "$said" >&2; return 1 ;; esac
    [ "$(date +%s)" -lt "$until_lists" ] || { printf '%s\\n' "$said" >&2; return 1; }
    sleep 1
  done
}`;
