import { justNow } from "./kindFixture";
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FormerFacts, formerProbe, parseFormer, upgradeMark } from "../../facts/formerData";
import { renderRepmgrConf } from "../../facts/repmgrConf";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "former-")));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A PGDATA as far as the probe looks at one. */
function data(name: string, version: number, pid?: number): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "PG_VERSION"), `${version}\n`);
  if (pid !== undefined) writeFileSync(join(path, "postmaster.pid"), `${pid}\n`);
  return path;
}

function look(wanted: string, named?: string): FormerFacts {
  const repmgrConf = join(dir, "repmgr.conf");
  if (named !== undefined) writeFileSync(repmgrConf, renderRepmgrConf("main", { node_id: "1", data_directory: named }));
  const probe = formerProbe({ repmgrConf, dataDirectory: wanted, upgradeMark: join(dir, "major-upgrade") });
  const { status, stdout, stderr } = spawnSync("sh", ["-c", probe.script], { encoding: "utf8" });
  return probe.parse({ code: status ?? 1, stdout, stderr }, justNow());
}

test("a host that has nothing", () => {
  expect(look(join(dir, "17/main"))).toEqual({ isAlive: false, device: expect.stringMatching(/^\d+$/) as string });
});

test("data of another version at the place that repmgr.conf names, which run or do not", () => {
  const old = data("15/it's main", 15, 1);
  const stopped = look(join(dir, "17/main"), old);
  expect(stopped.former).toBeUndefined();
  const plain = data("15/main", 15, 1);
  expect(look(join(dir, "17/main"), plain)).toMatchObject({
    isAlive: false,
    former: { dataDirectory: plain, version: 15, isStandby: false, pid: 0 },
  });
  symlinkSync("/dev/null", join(plain, "standby.signal"));
  const child = data("15/main", 15, process.pid);
  const here = process.cwd();
  process.chdir(child);
  try {
    expect(look(join(dir, "17/main"), child).former).toMatchObject({ isStandby: true, pid: process.pid });
    expect(look(child, child)).toMatchObject({ version: 15, isAlive: true });
  } finally {
    process.chdir(here);
  }
});

test("once the wanted place has its data, what repmgr.conf named before is told as well", () => {
  const [old, now] = [data("15/main", 15), data("17/main", 17)];
  expect(look(now, old)).toMatchObject({ version: 17, isAlive: false, former: { version: 15 } });
  expect(look(now, now).former).toBeUndefined();
});

test("the mark of an upgrade tells the same as was written", () => {
  const mark = { from: 15, to: 17, phase: "begun", dataDirectory: "/srv/pg data/17" } as const;
  expect(parseFormer(`device=1\nmark=${upgradeMark(mark)}\n`).mark).toEqual(mark);
  expect(() => parseFormer("device=1\nmark=15 17 soon /x\n")).toThrow('the mark of an upgrade says "15 17 soon /x"');
  expect(() => parseFormer("")).toThrow("no word on the file system");
});

test("a mark is root's word only where root has written it: postgres may put files beside it", () => {
  const path = join(dir, "major-upgrade");
  const isRoot = process.getuid?.() === 0;
  const seen = (): boolean => look(join(dir, "17/main")).mark !== undefined;
  writeFileSync(path, "15 17 begun /etc\n");
  expect(seen()).toBe(isRoot);
  if (isRoot) chownSync(path, 65534, 65534);
  expect(seen()).toBe(false);
  rmSync(path);
  symlinkSync("/etc/passwd", path);
  expect(seen()).toBe(false);
});

test("a host that is gone for good has no former data, so its node can be removed", () => {
  const { nothing } = formerProbe({ repmgrConf: "/c", dataDirectory: "/d", upgradeMark: "/m" });
  expect(nothing).toEqual({ isAlive: false, device: "" });
});
