import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CREATE_CLUSTER_FILE, repositoryFiles } from "../../facts/aptFiles";
import { packagesProbe, parsePackages } from "../../facts/aptPackages";
import { AS_THE_OTHERS, type PgPackagesFacts, type PgPackagesInputs, pgPackagesKind } from "../../providers/pgPackages";
import { file, outline, parsed, recorded, scripts } from "./kindFixture";

const repository = {
  name: "pgdg",
  uri: "https://apt.example/pg",
  suite: "trixie-pgdg",
  components: ["main"],
  key: "KEY",
};
const packages = ["postgresql-17", "postgresql-17-repmgr"];
const want: PgPackagesInputs = {
  kind: "PgPackages",
  pending: [],
  reach: {},
  host: "pg3",
  family: "debian",
  version: 17,
  repository,
  packages,
  siblings: ["pg1", "pg2"],
  versions: AS_THE_OTHERS,
  createMainCluster: false,
};
const { repository: _, ...withoutRepository } = want;
const files = repositoryFiles(repository);
const converged: PgPackagesFacts = {
  packages: parsed(packagesProbe(packages), recorded("packages-installed")),
  siblings: {},
  key: file(files.key.content),
  source: file(files.source.content),
  createCluster: file(CREATE_CLUSTER_FILE.content),
};
const bare: PgPackagesFacts = {
  packages: parsePackages(packages, ""),
  siblings: {},
  key: undefined,
  source: undefined,
  createCluster: undefined,
};

test("a real host with everything in place needs nothing and shows what was asked for", () => {
  expect(pgPackagesKind.plan(want, converged)).toEqual([]);
  const { inputs, outputs } = pgPackagesKind.project(want, converged);
  expect(inputs).toEqual(want);
  expect(outputs.installed).toEqual({ "postgresql-17": "17.12-0+deb13u1", "postgresql-17-repmgr": "5.5.0+debpgdg-1" });
});

describe("a host whose packages are older than those of another host of its clusters", () => {
  const at = (server: string, repmgr = "5.5.0-1"): PgPackagesFacts["packages"] =>
    parsePackages(
      packages,
      `package installed postgresql-17 ${server}\npackage installed postgresql-17-repmgr ${repmgr}\n`,
    );
  const seen = (mine: PgPackagesFacts["packages"], ...others: PgPackagesFacts["packages"][]): PgPackagesFacts => ({
    ...converged,
    packages: mine,
    siblings: Object.fromEntries(others.map((fact, index) => [`pg${index + 1}`, fact])),
  });

  test("is brought to the newest of them, and shows what it lacks", () => {
    const facts = seen(at("17.9-1"), at("17.12-1"), at("17.10-1", "5.5.1-1"));
    expect(pgPackagesKind.project(want, facts).inputs.versions).toBe(
      "postgresql-17 17.9-1, pg1 has 17.12-1; postgresql-17-repmgr 5.5.0-1, pg2 has 5.5.1-1",
    );
    const [action, ...others] = pgPackagesKind.plan(want, facts);
    expect(others).toEqual([]);
    expect(action?.why).toContain("upgrade postgresql-17 from 17.9-1 to 17.12-1, postgresql-17-repmgr from 5.5.0-1");
    expect(scripts([action as NonNullable<typeof action>])).toContain(
      "install 'postgresql-17=17.12-1' 'postgresql-17-repmgr=5.5.1-1'",
    );
  });

  test.each<[string, PgPackagesFacts]>([
    ["one that is ahead stays so", seen(at("17.12-1"), at("17.9-1"))],
    ["one that is equal", seen(at("17.12-1"), at("17.12-1"))],
    ["others that have none yet", seen(at("17.12-1"), parsePackages(packages, ""))],
  ])("not for %s", (_, facts) => {
    expect(pgPackagesKind.plan(want, facts)).toEqual([]);
    expect(pgPackagesKind.project(want, facts).inputs).toEqual(want);
  });
});

test("the ban on a cluster of the distribution's own is written before anything is installed", () => {
  expect(outline(pgPackagesKind.plan(want, bare))).toEqual([
    `putFile ${CREATE_CLUSTER_FILE.path}`,
    "putFile /etc/apt/keyrings/repmgr-pulumi-pgdg.asc",
    "putFile /etc/apt/sources.list.d/repmgr-pulumi-pgdg.sources",
    "run",
  ]);
  expect(pgPackagesKind.isAbsent(bare)).toBe(true);
});

test("what is installed is never installed again, so never upgraded", () => {
  const half = { ...converged, packages: parsePackages(packages, "package installed postgresql-17 17.2-1") };
  const script = scripts(pgPackagesKind.plan(want, half));
  expect(script).toContain("install 'postgresql-17-repmgr'");
  expect(script).not.toContain("'postgresql-17'");
  expect(pgPackagesKind.project(want, half).inputs.packages).toEqual(["postgresql-17"]);
});

test("the package lists are asked for anew only when apt does not know the package", () => {
  const policy =
    "postgresql-17:\n  Installed: (none)\n  Candidate: 17.2-1\npostgresql-17-repmgr:\n  Candidate: 5.5.0\n";
  const plan = (text: string): string =>
    scripts(pgPackagesKind.plan(withoutRepository, { ...converged, packages: parsePackages(packages, text) }));
  expect(plan(policy)).not.toMatch(/^apt update$/m);
  expect(plan(policy.replace("5.5.0", "(none)"))).toMatch(/^apt update$/m);
});

test.each(["half-configured", "unpacked", "half-installed"])(
  "dpkg cut at %s is let finish, not installed over",
  (status) => {
    const text = `interrupted\npackage ${status} postgresql-17 17.2-1\npackage installed postgresql-17-repmgr 5.5.0\n`;
    const actions = pgPackagesKind.plan(want, { ...converged, packages: parsePackages(packages, text) });
    expect(actions.map(({ why }) => why)).toEqual([
      "an installation was cut in the middle, postgresql-17 half installed: let dpkg finish it",
    ]);
    expect(scripts(actions)).toContain("--configure -a");
  },
);

test.each([
  ["waits while another dpkg works", "dpkg: error: dpkg frontend lock was locked by another process with pid 821", 0],
  ["ends at once with what dpkg says otherwise", "dpkg: error: disk full", 1],
])("the repair %s", (_, said, status) => {
  const directory = mkdtempSync(join(tmpdir(), "dpkg-"));
  const [dpkg, calls] = [join(directory, "dpkg"), join(directory, "calls")];
  writeFileSync(
    dpkg,
    `#!/bin/sh\necho call >>${calls}\n[ $(wc -l <${calls}) -gt 1 ] || { echo '${said}' >&2; exit 2; }\n`,
  );
  chmodSync(dpkg, 0o755);
  const text = "interrupted\npackage unpacked postgresql-17 17.2-1\npackage installed postgresql-17-repmgr 5.5.0\n";
  const script = scripts(pgPackagesKind.plan(want, { ...converged, packages: parsePackages(packages, text) }));
  const done = spawnSync("sh", ["-c", script], { env: { PATH: `${directory}:${process.env.PATH}` }, encoding: "utf8" });
  expect(done.status).toBe(status);
  expect(done.stderr.trim()).toBe(status === 0 ? "" : said);
  expect(readFileSync(calls, "utf8")).toBe(status === 0 ? "call\ncall\n" : "call\n");
  rmSync(directory, { recursive: true });
});

test("apt's answer about several packages keeps them apart", () => {
  const names = ["postgresql-17", "postgresql-server-dev-17", "firewalld", "postgresql-16"];
  const found = parsed(packagesProbe(names), recorded("packages-mixed"));
  expect(found.packages.map(({ state }) => state)).toEqual(["installed", "absent", "installed", "absent"]);
  expect(found.candidates).toEqual({ "postgresql-17": "17.12-0+deb13u1", firewalld: "2.3.1-1+deb13u1" });
});

test.each([
  ["once", 2, 0],
  ["for good", 99, 100],
])("a look at packages while apt works on another one's behalf, which fails %s", (_, failures, status) => {
  const directory = mkdtempSync(join(tmpdir(), "apt-"));
  const program = (name: string, text: string): void =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  program("dpkg-query", "exit 1");
  program("ls", ":");
  program("sleep", ":");
  const calls = join(directory, "calls");
  program(
    "apt-cache",
    `echo call >>${calls}
[ $(wc -l <${calls}) -ge ${failures} ] || { echo "E: Cache is out of sync, can't x-ref a package file" >&2; exit 100; }
printf 'postgresql-17:\\n  Candidate: 17.6-1\\n'`,
  );
  const probe = packagesProbe(packages);
  const env = { PATH: `${directory}:${process.env.PATH}` };
  const done = spawnSync("sh", ["-c", probe.script], { env, encoding: "utf8" });
  expect(done.status).toBe(status);
  if (status === 0) expect(parsed(probe, done.stdout).candidates).toEqual({ "postgresql-17": "17.6-1" });
  else expect(done.stderr).toContain("Cache is out of sync");
  rmSync(directory, { recursive: true });
});

test.each([
  ["another address", files.source.content.replace("apt.example", "other.example"), "uri"],
  ["another suite", files.source.content.replace("trixie-pgdg", "sid-pgdg"), "suite"],
  ["other components", files.source.content.replace("main", "main 17"), "components"],
  ["switched off", `${files.source.content}Enabled: no\n`, "uri"],
])("a source file with %s shows, and is written again", (_, content, key) => {
  const have = { ...converged, source: file(content) };
  const shown: Record<string, unknown> = { ...pgPackagesKind.project(want, have).inputs.repository };
  const differing = Object.keys(repository).filter(
    (k) => JSON.stringify(shown[k]) !== JSON.stringify(repository[k as "uri"]),
  );
  expect(differing).toEqual([key]);
  expect(outline(pgPackagesKind.plan(want, have))).toEqual([`putFile ${files.source.path}`]);
});

test("a replaced key and a removed ban show, too", () => {
  const have = { ...converged, key: file("OTHER\n"), createCluster: undefined };
  const { inputs } = pgPackagesKind.project(want, have);
  expect([inputs.repository?.key, inputs.createMainCluster]).toEqual(["OTHER\n", true]);
  expect(outline(pgPackagesKind.plan(want, have))).toEqual([
    `putFile ${CREATE_CLUSTER_FILE.path}`,
    `putFile ${files.key.path}`,
  ]);
});

test("delete takes our files and no package, and nothing the second time", () => {
  const script = scripts(pgPackagesKind.planDelete(converged, want, []));
  expect(script.split(" ").slice(2)).toEqual(
    [CREATE_CLUSTER_FILE, files.source, files.key].map(({ path }) => `'${path}'`),
  );
  expect(pgPackagesKind.planDelete({ ...bare, packages: converged.packages }, want, [])).toEqual([]);
});

test("a repository's name that is no file name is refused", () => {
  expect(pgPackagesKind.validate({ ...want, repository: { ...repository, name: "../x" } })).toHaveLength(1);
  expect(pgPackagesKind.validate({ ...want, packages: ["-o x"] })).toHaveLength(1);
});

describe("a version that the inventory names", () => {
  const pinned = { ...want, siblings: [], pinned: "17.12-1" };
  const at = (server: string): PgPackagesFacts => ({
    ...converged,
    packages: parsePackages(
      packages,
      `package installed postgresql-17 ${server}\npackage installed postgresql-17-repmgr 5.5.0-1\n`,
    ),
  });

  test("is installed exactly, and an older one upgraded to it", () => {
    const facts = at("17.9-1");
    const [action, ...others] = pgPackagesKind.plan(pinned, facts);
    expect(others).toEqual([]);
    expect(action?.why).toContain("upgrade postgresql-17 from 17.9-1 to 17.12-1, as the inventory says");
    expect(scripts([action as NonNullable<typeof action>])).toContain("install 'postgresql-17=17.12-1'");
    expect(pgPackagesKind.project(pinned, facts).inputs.versions).toBe("postgresql-17 17.9-1, wanted 17.12-1");
    expect(scripts(pgPackagesKind.plan(pinned, bare))).toContain("'postgresql-17=17.12-1' 'postgresql-17-repmgr'");
  });

  test("is kept, even where another node has a newer one", () => {
    const facts = { ...at("17.12-1"), siblings: { pg1: at("17.13-1").packages } };
    expect(pgPackagesKind.plan(pinned, facts)).toEqual([]);
    expect(pgPackagesKind.project(pinned, facts).inputs).toEqual(pinned);
  });

  test("is never reached backwards", () => {
    expect(() => pgPackagesKind.plan(pinned, at("17.13-1"))).toThrow(
      /pg3: postgresql-17 17.13-1 is newer than the wanted 17.12-1.*--allow-downgrades postgresql-17=17.12-1/,
    );
  });
});
