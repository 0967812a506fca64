import { type Action, asRoot, type Run } from "../actions/action";
import type { FileFact } from "../facts/file";
import type { PackageFact, PackagingFile } from "../facts/packages";
import { packagingOf } from "../facts/packaging";
import { familyLayout } from "../families";
import { shJoin } from "../ssh/quote";
import type { Claims } from "./claims";
import { Refused } from "./kind";
import { packageCommands } from "./packageCommands";
import type { PgPackagesFacts, PgPackagesInputs } from "./pgPackages";
import { repositoryWith } from "./repositoryKey";

const INSTALL_DEADLINE_MS = 900_000;

type OfFamily = Pick<PgPackagesInputs, "family">;
const manager = ({ family }: OfFamily) => packagingOf(familyLayout(family).packageManager);
const commands = ({ family }: OfFamily) => packageCommands(familyLayout(family).packageManager);
const isOfServer = ({ family, version }: PgPackagesInputs, name: string): boolean =>
  familyLayout(family).serverPackages(version).includes(name);

/** The files come first: with them in place the distribution's own cluster never appears. An installed version is kept. */
export function planPackages(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const upgrades = [...planPinned(want, have), ...planCatchUp(want, have)];
  const first = [...planFiles(want, have), ...planModule(want, have), ...planRepair(want, have)];
  return asRoot([...first, ...planInstall(want, have), ...upgrades]);
}

/** The packages with a version that the inventory names, where another one is installed. */
export function offPin(want: PgPackagesInputs, { packages }: PgPackagesFacts): PackageFact[] {
  const { pinned } = want;
  if (pinned === undefined) return [];
  return packages.packages.filter(
    ({ name, state, version }) => isOfServer(want, name) && state === "installed" && version !== pinned,
  );
}

/** @throws Refused for an older version: going back is no upgrade backwards, and packages do not promise that it works */
function planPinned(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const off = offPin(want, have);
  const [server] = off;
  const { host, pinned = "" } = want;
  if (server === undefined) return [];
  const { name, version } = server;
  if (manager(want).compareVersions(version, pinned) > 0) {
    throw new Refused(
      `${host}: ${name} ${version} is newer than the wanted ${pinned}. Set "package_version: ${version}" in the inventory; ` +
        `to go back all the same, read the release notes between them and type on each host: ${commands(want).downgrade(name, pinned)}`,
    );
  }
  const why = `upgrade ${name} from ${version} to ${pinned}, as the inventory says; the cluster restarts node by node for it`;
  return [
    upgrade(
      want,
      why,
      off.map((one) => ({ name: one.name, version: pinned })),
    ),
  ];
}

/** The installed packages of which a sibling has a newer version: the newest, and who has it. */
export function behind(
  want: PgPackagesInputs,
  { packages, siblings }: PgPackagesFacts,
): { name: string; have: string; newest: string; on: string }[] {
  const { compareVersions } = manager(want);
  return packages.packages
    .filter(({ name, state }) => state === "installed" && (want.pinned === undefined || !isOfServer(want, name)))
    .flatMap(({ name, version: have }) => {
      const [newest] = Object.entries(siblings)
        .flatMap(([on, fact]) =>
          fact.packages.filter((p) => p.name === name && p.state === "installed").map((p) => ({ on, ...p })),
        )
        .sort((a, b) => compareVersions(b.version, a.version));
      if (newest === undefined || compareVersions(newest.version, have) <= 0) return [];
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
      want,
      why,
      late.map(({ name, newest }) => ({ name, version: newest })),
    ),
  ];
}

function upgrade(
  want: PgPackagesInputs,
  why: string,
  packages: readonly Pick<PackageFact, "name" | "version">[],
): Action {
  const { exact, install } = commands(want);
  const names = packages.map(({ name, version }) => exact(name, version));
  const script = install(names, { isKnown: true });
  return { do: "run", host: want.host, why, script, deadlineMs: INSTALL_DEADLINE_MS };
}

/** Our files go. The packages stay: other clusters or programs on the host may use them, and they hold no state of ours. */
export function planPackagesDelete(have: PgPackagesFacts, inputs: PgPackagesInputs, claims: Claims): Action[] {
  const here = claims.filter(({ host }) => host === inputs.host);
  // The files are of the host: those of another major version need them as well.
  if (here.length > 0 && !here.some(({ version }) => version === inputs.version)) return [];
  const { repositoryFiles, createCluster } = manager(inputs);
  const files = inputs.repository && repositoryFiles({ ...inputs.repository, key: "" });
  const paths = [
    have.createCluster && createCluster?.path,
    have.source && files?.source.path,
    have.key && files?.key.path,
  ].filter((path) => path !== undefined);
  if (paths.length === 0) return [];
  const why = `PostgreSQL ${inputs.version} is no longer managed here: remove ${paths.join(", ")}; the packages stay, others may use them`;
  return asRoot([{ do: "run", host: inputs.host, why, script: shJoin(["rm", "-f", ...paths]) }]);
}

function planFiles(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const { host, version } = want;
  const { repositoryFiles, createCluster } = manager(want);
  if (have.fetched !== undefined && "problem" in have.fetched) throw new Refused(`${host}: ${have.fetched.problem}`);
  const repository = repositoryWith(want.repository, have.fetched);
  const files = repository && repositoryFiles(repository);
  return [
    // A host that others have set up goes on as it was.
    ...(want.createMainCluster || createCluster === undefined
      ? []
      : put(host, createCluster, have.createCluster, `the distribution must not make a cluster "main" of its own`)),
    ...(files ? put(host, files.key, have.key, `packages from ${repository.uri} are checked against their key`) : []),
    ...(files ? put(host, files.source, have.source, `PostgreSQL ${version} comes from ${repository.uri}`) : []),
  ];
}

function put(host: string, { path, content }: PackagingFile, have: FileFact | undefined, why: string): Action[] {
  if (have?.content === content) return [];
  return [{ do: "putFile", host, why, path, content, owner: "root:root", mode: "0644" }];
}

function planModule(want: PgPackagesInputs, { packages: { hiding } }: PgPackagesFacts): Action[] {
  const { disableModule } = commands(want);
  if (want.module === undefined || hiding === undefined || disableModule === undefined) return [];
  const why = `the distribution's module ${hiding} and hides packages of the same names: disable it; what is installed stays`;
  return [{ do: "run", host: want.host, why, script: disableModule, deadlineMs: INSTALL_DEADLINE_MS }];
}

function planRepair(want: PgPackagesInputs, { packages }: PgPackagesFacts): Action[] {
  const broken = packages.packages.filter(({ state }) => state === "broken").map(({ name }) => name);
  const { repair } = commands(want);
  if (repair === undefined || (!packages.isInterrupted && broken.length === 0)) return [];
  const what = broken.length > 0 ? `, ${broken.join(", ")} half installed` : "";
  const why = `an installation was cut in the middle${what}: let dpkg finish it`;
  return [{ do: "run", host: want.host, why, script: repair, deadlineMs: INSTALL_DEADLINE_MS }];
}

function planInstall(want: PgPackagesInputs, have: PgPackagesFacts): Action[] {
  const missing = have.packages.packages.filter(({ state }) => state === "absent").map(({ name }) => name);
  if (missing.length === 0) return [];
  const fresh = want.repository && manager(want).repositoryFiles({ ...want.repository, key: "" }).source.path;
  const isKnown = missing.every((name) => have.packages.candidates[name] !== undefined);
  const { exact, install } = commands(want);
  const { pinned } = want;
  const names = missing.map((name) => (pinned !== undefined && isOfServer(want, name) ? exact(name, pinned) : name));
  const script = install(names, { fresh, isKnown });
  const why = `install ${missing.join(", ")}${want.repository ? ` from ${want.repository.uri}` : ""}`;
  const action: Run = { do: "run", host: want.host, why, script, deadlineMs: INSTALL_DEADLINE_MS };
  return [action];
}
