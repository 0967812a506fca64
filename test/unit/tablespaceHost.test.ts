import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SpaceDirectory, spaceRoomProbe, spacesProbe } from "../../facts/tablespaces";
import { foundSpaces, keptSpaces, planSpaces, spaceProblems, spaceRemarks } from "../../providers/spaceDirectories";
import { asideSpaces, placeSpaces, REMOVE_DATA } from "../../providers/spaceScripts";
import { sh } from "../../ssh/quote";
import { justNow } from "./kindFixture";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "spaces-")));
  // What needs root or the user postgres is left out of the shell.
  mkdirSync(join(dir, "bin"));
  script("chown", "exit 0");
  script("install", 'for last; do :; done; mkdir -p "$last"');
});
afterEach(() => rmSync(dir, { recursive: true }));

function script(name: string, text: string): void {
  writeFileSync(join(dir, "bin", name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(dir, "bin", name), 0o755);
}

const at = (...path: string[]): string => join(dir, ...path);

/** A PGDATA with a link for each of these directories. */
function data(name: string, version: number, spaces: readonly string[]): string {
  mkdirSync(at(name, "pg_tblspc"), { recursive: true });
  writeFileSync(at(name, "PG_VERSION"), `${version}\n`);
  spaces.forEach((space, index) => symlinkSync(space, at(name, "pg_tblspc", String(16400 + index))));
  return at(name);
}

function fill(space: string, ...versions: number[]): string {
  for (const version of versions) {
    mkdirSync(at(space, `PG_${version}_20`), { recursive: true });
    writeFileSync(at(space, `PG_${version}_20`, `of ${version}`), space);
  }
  return at(space);
}

function shell(text: string): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, PATH: `${at("bin")}:${process.env.PATH ?? ""}` };
  return spawnSync("/bin/sh", ["-c", `set -e\n${text}`], { encoding: "utf8", env });
}

function look(dataDirectory: string, directories: readonly string[]): readonly SpaceDirectory[] {
  const probe = spacesProbe({ version: 17, dataDirectory, directories, clusters: at("etc") });
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", probe.script], { encoding: "utf8" });
  return probe.parse({ code: status ?? 1, stdout, stderr }, justNow());
}

const link = (of: string): string => readlinkSync(at(of, "pg_tblspc", "16400"));
const tree = (path: string): string[] => readdirSync(at(path)).sort();

describe("what a host says of directories", () => {
  test("absent, no directory, empty, linked, of others", () => {
    writeFileSync(at("file"), "");
    mkdirSync(at("empty"));
    const fast = fill("fast", 17);
    fill("old", 15, 17);
    const own = data("main", 17, [fast]);
    const theirs = data("theirs", 15, [at("old")]);
    mkdirSync(at("etc", "other"), { recursive: true });
    writeFileSync(at("etc", "other", "repmgr.conf"), `data_directory='${theirs}'\n`);
    const found = look(own, [at("none"), at("file"), at("empty"), fast, at("old")]);
    const plain = { isMountPoint: false, isLinked: false, users: [], entries: [] };
    expect(found.map(({ ownership: _, ...rest }) => rest)).toEqual([
      { ...plain, directory: at("none"), is: "absent" },
      { ...plain, directory: at("file"), is: "other" },
      { ...plain, directory: at("empty"), is: "directory" },
      { ...plain, directory: fast, is: "directory", isLinked: true, entries: ["PG_17_20"] },
      {
        ...{ ...plain, directory: at("old"), is: "directory", entries: ["PG_15_20", "PG_17_20"], users: [theirs] },
        left: { name: "PG_17_20", sizeKib: expect.any(Number) as number },
      },
    ]);
    expect(found[3]?.ownership).toMatch(/^\S+:\S+ 0\d{3}$/);
  });

  test("a link whose directory is gone is a link all the same; a copy that is made has no rest", () => {
    const own = data("main", 17, [at("gone")]);
    data("main2.building", 17, [fill("fast", 17)]);
    expect(look(own, [at("gone")])).toMatchObject([{ is: "absent", isLinked: true }]);
    const [building] = look(at("main2"), [at("fast")]);
    expect(building).toMatchObject({ isLinked: false, entries: ["PG_17_20"] });
    expect(building?.left).toBeUndefined();
  });

  test("an answer that is cut off is none; a host that is lost has none of them", () => {
    const probe = spacesProbe({ version: 17, dataDirectory: "/d", directories: ["/srv/a"], clusters: "/etc/repmgr" });
    expect(() => probe.parse({ code: 0, stdout: "directory=/srv/b\nis=absent\n", stderr: "" }, justNow())).toThrow(
      "no word on /srv/a",
    );
    expect(() => probe.parse({ code: 2, stdout: "", stderr: "sh: oops" }, justNow())).toThrow(
      "exit status 2: sh: oops",
    );
    expect(probe.nothing).toMatchObject([{ directory: "/srv/a", is: "absent" }]);
  });

  test("room is that of the directory it is in, or will be in", () => {
    const probe = spaceRoomProbe([at("none", "of", "it")]);
    const { stdout } = spawnSync("/bin/sh", ["-c", probe.script], { encoding: "utf8" });
    const room = probe.parse({ code: 0, stdout, stderr: "" }, justNow())[at("none", "of", "it")];
    expect(room?.device).toMatch(/^\d+$/);
    expect(room?.freeBytes).toBeGreaterThan(0);
  });
});

const SPACES = { fast: { directory: "/srv/fast", ownership: "postgres:postgres 0700" } };
const one = (over: Partial<SpaceDirectory> = {}): SpaceDirectory => ({
  ...{ directory: "/srv/fast", is: "directory", ownership: "postgres:postgres 0700", isMountPoint: false },
  ...{ entries: [], isLinked: false, users: [], ...over },
});
const LEFT = { name: "PG_17_20", sizeKib: 2000 };

type Judged = Parameters<typeof spaceProblems>[0];
test.each<[string, Partial<SpaceDirectory>, Partial<Judged>, RegExp | undefined]>([
  ["nothing yet", { is: "absent", ownership: "" }, {}, undefined],
  ["an empty one of somebody's", { ownership: "root:root 0755" }, {}, undefined],
  ["its own files", { isLinked: true, entries: ["PG_17_20", "PG_15_20"] }, {}, undefined],
  [
    "a file in its place",
    { is: "other" },
    {},
    /^\/srv\/fast, the directory of the tablespace fast, is no directory\. .*sudo mv/,
  ],
  ["a mount point", { isMountPoint: true }, {}, /is a mount point itself.*Use a directory in it: \/srv\/fast\/fast/],
  [
    "a mount point that others have chosen",
    { isMountPoint: true, isLinked: true, entries: ["PG_17_20"] },
    { isOthers: true },
    undefined,
  ],
  [
    "nothing where PGDATA has files",
    { is: "absent", isLinked: true },
    {},
    /is not there, and \/data has files in it\. Is its file system mounted\? .*findmnt -T \/srv\/fast/,
  ],
  ["an empty one where PGDATA has files", { isLinked: true }, {}, /holds no PG_17_\.\.\., and \/data has files in it/],
  [
    "files of a person",
    { entries: ["a", "b", "c", "d"] },
    {},
    /holds what is not of this cluster \(a, b, c, \.\.\.\)\. Choose an empty one/,
  ],
  [
    "files of another version, of nobody known",
    { entries: ["PG_15_20"] },
    {},
    /holds what is not of this cluster \(PG_15_20\)/,
  ],
  [
    "files of the version that is upgraded",
    { entries: ["PG_15_20"], users: ["/old"] },
    { former: "/old", data: "absent", begins: true },
    undefined,
  ],
  [
    "files of another cluster",
    { entries: ["PG_15_20"], users: ["/theirs"] },
    {},
    /is that of a tablespace of \/theirs\. Choose one of its own/,
  ],
  [
    "a rest beside data that know nothing of it",
    { entries: ["PG_17_20"], left: LEFT },
    {},
    /holds PG_17_20 \(2 MiB\), which is of no tablespace of \/data\. Look what it is/,
  ],
  [
    "a rest where a database is begun",
    { entries: ["PG_17_20"], left: LEFT },
    { data: "absent", begins: true },
    /holds PG_17_20/,
  ],
  ["a rest where a copy is made", { entries: ["PG_17_20"], left: LEFT }, { data: "absent" }, undefined],
])("%s", (_, have, over, message) => {
  const judged: Judged = {
    spaces: SPACES,
    version: 17,
    dataDirectory: "/data",
    data: "present",
    begins: false,
    isOthers: false,
  };
  const problems = spaceProblems({ ...judged, ...over }, [one(have)]);
  if (message === undefined) expect(problems).toEqual([]);
  else expect(problems).toEqual([expect.stringMatching(message)]);
});

test("what is shown, done and said of a directory", () => {
  const absent = one({ is: "absent", ownership: "" });
  const root = one({ ownership: "root:root 0755" });
  expect(foundSpaces(SPACES, [absent])).toEqual({ fast: { directory: "/srv/fast", ownership: "absent" } });
  expect(foundSpaces(SPACES, [root])).toEqual({ fast: { directory: "/srv/fast", ownership: "root:root 0755" } });
  expect(foundSpaces(SPACES, [one({ ownership: "postgres:dba 0750" })])).toEqual(SPACES);
  expect(planSpaces("pg1", SPACES, [one()])).toEqual([]);
  expect([absent, root].flatMap((have) => planSpaces("pg1", SPACES, [have])).map(({ why }) => why)).toEqual([
    "make /srv/fast for the tablespace fast: a standby that replays its creation without it stops",
    '/srv/fast, of the tablespace fast, is "root:root 0755", PostgreSQL asks for "postgres:postgres 0700"',
  ]);
  expect(keptSpaces([one()])).toBe("");
  expect(keptSpaces([one({ left: LEFT })])).toBe(
    "; what is left of data that are gone is kept: /srv/fast/PG_17_20, 2 MiB, in /srv/fast.former-...",
  );
  expect(spaceRemarks("pg1", 17, [one({ isLinked: true, entries: ["PG_17_20"] }), one({ entries: ["x"] })])).toEqual(
    [],
  );
  expect(spaceRemarks("pg1", 17, [one({ isLinked: true, entries: ["PG_17_20", "PG_15_20"] })])).toEqual([
    expect.stringMatching(/^pg1: \/srv\/fast, of a tablespace, holds PG_15_20 besides: a rewind removes/),
  ]);
});

describe("data that are put aside", () => {
  const aside = (suffix: string): ReturnType<typeof shell> => shell(`data=${sh(at("main"))}\n${asideSpaces(suffix)}`);

  test("take the files of their tablespaces along, of their own version, and their links lead there", () => {
    data("main", 15, [fill("fast", 15, 17)]);
    expect(aside(".former-15")).toMatchObject({ status: 0, stderr: "" });
    expect([tree("fast"), tree("fast.former-15"), link("main")]).toEqual([
      ["PG_17_20"],
      ["PG_15_20"],
      at("fast.former-15"),
    ]);
    expect(aside(".former-15")).toMatchObject({ status: 0 });
    expect(tree("fast.former-15")).toEqual(["PG_15_20"]);
  });

  test("cut after the link was made: the next try, at another time, goes on in the same place", () => {
    data("main", 17, [at("fast.diverged-1-20260101T000000Z")]);
    fill("fast", 17);
    mkdirSync(at("fast.diverged-1-20260101T000000Z"));
    expect(aside(".diverged-1-20260102T000000Z")).toMatchObject({ status: 0 });
    expect([tree("fast"), tree("fast.diverged-1-20260101T000000Z")]).toEqual([[], ["PG_17_20"]]);
    expect(existsSync(at("fast.diverged-1-20260102T000000Z"))).toBe(false);
  });

  test("a directory that is gone is no reason to make one", () => {
    data("main", 17, [at("fast")]);
    expect(aside(".behind-1-x")).toMatchObject({ status: 0 });
    expect([link("main"), existsSync(at("fast.behind-1-x")), existsSync(at("fast"))]).toEqual([
      at("fast.behind-1-x"),
      false,
      false,
    ]);
  });
});

describe("a copy", () => {
  const place = (): ReturnType<typeof shell> =>
    shell(`data=${sh(at("main"))}\nbuilding=${sh(at("main.building"))}\n${placeSpaces(17, at("etc"))}`);

  test("takes the place of what is left of data that are gone, which is kept", () => {
    fill("fast", 17);
    data("main.building", 17, [fill("fast.building", 17)]);
    writeFileSync(at("fast.building", "PG_17_20", "new"), "");
    expect(place()).toMatchObject({ status: 0, stderr: "" });
    const [kept = ""] = tree(".").filter((name) => name.startsWith("fast.former-"));
    expect([tree("fast/PG_17_20"), tree(`${kept}/PG_17_20`), link("main.building")]).toEqual([
      ["new", "of 17"],
      ["of 17"],
      at("fast"),
    ]);
    expect(existsSync(at("fast.building"))).toBe(false);
    expect(place()).toMatchObject({ status: 0 });
    expect(tree("fast/PG_17_20")).toEqual(["new", "of 17"]);
  });

  test("does not move what another instance has", () => {
    data("main.building", 17, [fill("fast.building", 17)]);
    const theirs = data("theirs", 17, [fill("fast", 17)]);
    mkdirSync(at("etc", "other"), { recursive: true });
    writeFileSync(at("etc", "other", "repmgr.conf"), `data_directory='${theirs}'\n`);
    expect(place()).toMatchObject({ status: 1, stderr: `${at("fast", "PG_17_20")} is of a tablespace of ${theirs}\n` });
    expect(tree("fast")).toEqual(["PG_17_20"]);
  });
});

test("data that nobody needs go with their own files, and nothing that is kept", () => {
  data("main", 17, [fill("fast", 15, 17), fill("more.building", 17)]);
  fill("fast.diverged-1-x", 17);
  expect(shell(`${REMOVE_DATA}\nremove_data ${sh(at("main"))}; remove_data ${sh(at("none"))}`)).toMatchObject({
    status: 0,
    stderr: "",
  });
  expect([tree("fast"), tree("fast.diverged-1-x")]).toEqual([["PG_15_20"], ["PG_17_20"]]);
  expect([existsSync(at("main")), existsSync(at("more.building"))]).toEqual([false, false]);
});
