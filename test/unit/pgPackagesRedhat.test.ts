import { repositoryFiles } from "../../facts/dnfFiles";
import { packagesProbe, parsePackages, repositoryProbe } from "../../facts/dnfPackages";
import { NONE_HIDES, pgPackagesKind, type PgPackagesFacts, type PgPackagesInputs } from "../../providers/pgPackages";
import { packagesOf } from "../../families";
import { file, shell } from "../support/facts";
import { parsed } from "./kindFixture";

const KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----\n";
const repository = { name: "pgdg", uri: "https://yum.example/17/redhat/rhel-9-x86_64", key: KEY };
const packages = packagesOf("redhat", 17);
const want: PgPackagesInputs = {
  kind: "PgPackages",
  reach: {},
  pending: [],
  host: "r1",
  family: "redhat",
  version: 17,
  repository,
  packages,
  siblings: [],
  versions: "as on the other nodes",
  createMainCluster: false,
  module: NONE_HIDES,
};
const files = repositoryFiles(repository);
const installed = (version: string, more = ""): PgPackagesFacts["packages"] =>
  parsePackages(
    packages,
    packages.map((name) => `package installed ${name} ${name === "repmgr_17" ? "5.5.0-1" : version}\n`).join("") + more,
  );
const root = { owner: "root:root", mode: "0644" };
const converged: PgPackagesFacts = {
  packages: installed("17.6-1PGDG.rhel9"),
  siblings: {},
  key: file(files.key.content, root),
  source: file(files.source.content, root),
  createCluster: undefined,
};
const bare: PgPackagesFacts = {
  packages: parsePackages(packages, "hiding=postgresql 16 is the default\ncandidate repmgr_17 5.5.0-1\n"),
  siblings: {},
  key: undefined,
  source: undefined,
  createCluster: undefined,
};
const whys = (facts: PgPackagesFacts, inputs = want): string[] =>
  pgPackagesKind.plan(inputs, facts).map(({ why }) => why);

test("on a bare host: key, repository, the module that hides the packages, then the packages; and then nothing", () => {
  expect(whys(bare)).toEqual([
    `packages from ${repository.uri} are checked against their key`,
    `PostgreSQL 17 comes from ${repository.uri}`,
    expect.stringMatching(/^the distribution's module postgresql 16 is the default and hides packages .*: disable it/),
    `install ${packages.join(", ")} from ${repository.uri}`,
  ]);
  expect(pgPackagesKind.isAbsent(bare)).toBe(true);
  expect(whys(converged)).toEqual([]);
  expect(pgPackagesKind.project(want, converged).inputs).toEqual(want);
});

test("the names of the packages are names of packages", () => {
  expect(pgPackagesKind.validate(want)).toEqual([]);
});

test("signatures are always checked: the repository says so itself, and no command says otherwise", () => {
  expect(files.source.content).toMatch(/^gpgcheck=1$/m);
  expect(files.source.content).toContain(`gpgkey=file://${files.key.path}\n`);
  expect(shell(pgPackagesKind.plan(want, bare))).not.toMatch(/nogpgcheck|gpgcheck=0/);
});

test.each<[string, Partial<PgPackagesFacts>, object]>([
  [
    "a repository that checks no signature any more",
    { source: file(files.source.content.replace("gpgcheck=1", "gpgcheck=0"), root) },
    { repository: { ...repository, uri: expect.stringMatching(/has other lines, too/) as string } },
  ],
  [
    "a repository elsewhere",
    { source: file(files.source.content.replace("yum.example", "other.example"), root) },
    { repository: { ...repository, uri: repository.uri.replace("yum.example", "other.example") } },
  ],
  ["another key", { key: file("OTHER\n", root) }, { repository: { ...repository, key: "OTHER\n" } }],
  [
    "a module that a person has enabled",
    { packages: installed("17.6-1PGDG.rhel9", "hiding=postgresql 16 is enabled\n") },
    { module: "postgresql 16 is enabled" },
  ],
])("%s is shown, and put right by one action", (_, facts, shown) => {
  const have = { ...converged, ...facts };
  expect(pgPackagesKind.project(want, have).inputs).toEqual({ ...want, ...shown });
  expect(pgPackagesKind.plan(want, have)).toHaveLength(1);
});

test("an exact version is that of server and contrib alike, never of repmgr, and is not gone back from", () => {
  const pinned = { ...want, pinned: "17.6-1PGDG.rhel9" };
  expect(shell(pgPackagesKind.plan(pinned, bare))).toContain(
    "install 'postgresql17-server-17.6-1PGDG.rhel9' 'postgresql17-contrib-17.6-1PGDG.rhel9' 'repmgr_17'",
  );
  const upgrade = pgPackagesKind.plan(pinned, { ...converged, packages: installed("17.5-3PGDG.rhel9") });
  expect(upgrade.map(({ why }) => why)).toEqual([
    expect.stringMatching(/from 17\.5-3PGDG\.rhel9 to 17\.6-1PGDG\.rhel9/),
  ]);
  expect(shell(upgrade)).toContain("'postgresql17-server-17.6-1PGDG.rhel9' 'postgresql17-contrib-17.6-1PGDG.rhel9'");
  const newer = { ...converged, packages: installed("17.10-1PGDG.rhel9") };
  expect(() => pgPackagesKind.plan(pinned, newer)).toThrow(/sudo dnf downgrade postgresql17-server-17\.6/);
});

test("a node that is behind its siblings is brought to the newest of them", () => {
  const have = { ...converged, siblings: { r2: installed("17.10-1PGDG.rhel9") } };
  expect(shell(pgPackagesKind.plan(want, have))).toContain(
    "install 'postgresql17-server-17.10-1PGDG.rhel9' 'postgresql17-contrib-17.10-1PGDG.rhel9'",
  );
});

test("delete takes our files, and no package", () => {
  const script = shell(pgPackagesKind.planDelete(converged, want, []));
  expect(script.trim()).toBe(`'rm' '-f' '${files.source.path}' '${files.key.path}'`);
  expect(pgPackagesKind.planDelete({ ...converged, key: undefined, source: undefined }, want, [])).toEqual([]);
});

test("a repository's answer: what it offers, or what dnf says against it", () => {
  const probe = repositoryProbe(repository, packages);
  expect(parsed(probe, "candidate repmgr_17 5.5.0-1PGDG.rhel9\n\n")).toEqual({
    problem: "",
    candidates: { repmgr_17: "5.5.0-1PGDG.rhel9" },
  });
  expect(parsed(probe, "problem=Error: Failed to download metadata\nproblem=\n").problem).toBe(
    "Error: Failed to download metadata",
  );
  expect(parsed(probe, "problem=\n").problem).toBe("dnf failed without a word");
  expect(() => parsed(packagesProbe(packages), "", 127)).toThrow(/127/);
});
