import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NO_FAULTS } from "../../lab/faults";
import { Lab } from "../../lab/lab";
import { LabLock, SESSION_VARIABLE } from "../../lab/lock";
import { LabPaths } from "../../lab/paths";
import { must, run } from "../../lab/run";
import { collectLayers, freezeDisks, imagesOf, readSnapshot, writeSnapshot } from "../../lab/snapshots";
import { type LabState, readState, writeState } from "../../lab/state";
import { until } from "../../lab/wait";
import { projectRoot } from "../../scripts/projectRoot";

let dir: string;
let child: ChildProcess | undefined;

beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "lab-test-"))));
afterEach(() => {
  child?.kill("SIGKILL");
  child = undefined;
  rmSync(dir, { recursive: true, force: true });
});

/** A lock file as another process writes it. */
function heldBy(pid: number, file: string): void {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  writeFileSync(join(dir, file), JSON.stringify({ pid, started, purpose: "npm test" }));
}

function otherProcess(): number {
  child = spawn("sleep", ["60"]);
  return child.pid as number;
}

test("a lab has one name, whichever link it is opened by, also before it exists", () => {
  mkdirSync(join(dir, "real"));
  symlinkSync(join(dir, "real"), join(dir, "link"));
  expect(Lab.open(join(dir, "link")).dir).toBe(Lab.open(join(dir, "real")).dir);
  expect(Lab.open(join(dir, "link", "sub", "lab")).dir).toBe(Lab.open(join(dir, "real", "sub", "lab")).dir);
});

describe("the lock", () => {
  test("changes of one process run one after another, also through two objects", async () => {
    const seen: string[] = [];
    const slow = new LabLock(dir).hold("first", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push("first");
    });
    await Promise.all([slow, new LabLock(dir).hold("second", async () => void seen.push("second"))]);
    expect(seen).toEqual(["first", "second"]);
  });

  test("a failed change frees the lab", async () => {
    const lock = new LabLock(dir);
    await expect(lock.hold("break", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await expect(lock.hold("go on", () => Promise.resolve("went on"))).resolves.toBe("went on");
    expect(readdirSync(dir)).toEqual([]);
  });

  test("another process's change is waited for", async () => {
    heldBy(otherProcess(), "lock");
    const turn = new LabLock(dir).hold("up 3", () => Promise.resolve("mine"));
    child?.kill("SIGKILL");
    await expect(turn).resolves.toBe("mine");
  });

  test("a lock left by a dead process, or by an earlier one of the same id, is taken over", async () => {
    for (const owner of [
      { pid: 999_999_999, started: "1" },
      { pid: 1, started: "-5" },
    ]) {
      writeFileSync(join(dir, "lock"), JSON.stringify({ ...owner, purpose: "crashed" }));
      await expect(new LabLock(dir).hold("up 3", () => Promise.resolve("mine"))).resolves.toBe("mine");
    }
  });

  test("a lab that another session has claimed is refused, naming the session and the way out", async () => {
    const pid = otherProcess();
    heldBy(pid, "session");
    const lock = new LabLock(dir);
    const refusal = new RegExp(`in use by npm test \\(process ${pid}\\).*REPMGR_PULUMI_LAB`);
    await expect(lock.hold("up 3", () => Promise.resolve())).rejects.toThrow(refusal);
    expect(() => lock.claim("demo")).toThrow(refusal);
  });

  test("a child of the session may go on, and release gives the lab back", async () => {
    const pid = otherProcess();
    heldBy(pid, "session");
    process.env[SESSION_VARIABLE] = String(pid);
    const lock = new LabLock(dir);
    await expect(lock.hold("up 3", () => Promise.resolve("allowed"))).resolves.toBe("allowed");
    Reflect.deleteProperty(process.env, SESSION_VARIABLE);
    rmSync(join(dir, "session"));
    lock.claim("npm test");
    expect(existsSync(join(dir, "session"))).toBe(true);
    lock.release();
    expect(existsSync(join(dir, "session"))).toBe(false);
    expect(process.env[SESSION_VARIABLE]).toBeUndefined();
  });
});

describe("snapshots", () => {
  const state = (layers: string[]): LabState => ({
    subnet: 0,
    base: "b",
    hosts: { pg1: { layers } },
    faults: NO_FAULTS,
  });

  test("what a host wrote becomes the top layer of its next life", () => {
    const paths = new LabPaths(dir);
    mkdirSync(paths.host("pg1").upper, { recursive: true });
    writeFileSync(join(paths.host("pg1").upper, "row"), "1");
    const hosts = freezeDisks(paths, state(["old"]), "deployed");
    const [top, ...rest] = hosts.pg1?.layers ?? [];
    expect(rest).toEqual(["old"]);
    expect(readFileSync(join(paths.layer(top as string), "row"), "utf8")).toBe("1");
    expect(existsSync(paths.host("pg1").upper)).toBe(false);
  });

  test("a host that is made from another image than the lab's keeps it, and its snapshot stands on both", () => {
    const paths = new LabPaths(dir);
    for (const host of ["pg1", "pg2"]) mkdirSync(paths.host(host).upper, { recursive: true });
    const mixed = { ...state([]), hosts: { pg1: { layers: [] }, pg2: { layers: [], base: "b-redhat-c" } } };
    const hosts = freezeDisks(paths, mixed, "deployed");
    expect(hosts.pg2?.base).toBe("b-redhat-c");
    expect([...imagesOf({ base: "b", hosts })]).toEqual(["b", "b-redhat-c"]);
  });

  test("only layers that no host and no snapshot stands on are removed", () => {
    const paths = new LabPaths(dir);
    for (const id of ["host", "saved", "orphan"]) mkdirSync(paths.layer(id), { recursive: true });
    writeSnapshot(paths, "one", { base: "b", hosts: { pg2: { layers: ["saved"] } } });
    collectLayers(paths, state(["host"]));
    expect(readdirSync(paths.layer(".")).sort()).toEqual(["host", "saved"]);
  });

  test.each(["../lab", "", ".hidden", "a/b", "a b"])("%j is no name for a snapshot", (name) => {
    expect(() => readSnapshot(new LabPaths(dir), name)).toThrow(/no name for a snapshot/);
  });

  test("a snapshot over another base image does not count", () => {
    writeSnapshot(new LabPaths(dir), "old", { base: "another", hosts: {} });
    expect(Lab.open(dir).hasSnapshot("old")).toBe(false);
    expect(Lab.open(dir).hasSnapshot("none")).toBe(false);
  });
});

describe("state", () => {
  test("survives a round trip, and a lab that never was is empty", () => {
    expect(readState(dir)).toEqual({ hosts: {}, faults: NO_FAULTS });
    const state = { subnet: 3, base: "b", hosts: { pg1: { layers: ["x"] } }, faults: { cut: ["pg1"], oneWay: [] } };
    writeState(dir, state);
    expect(readState(dir)).toEqual(state);
  });

  test("an unknown host is an error that names the known ones and the next command", async () => {
    writeState(dir, { subnet: 250, base: "b", hosts: { pg1: { layers: [] } }, faults: NO_FAULTS });
    await expect(Lab.open(dir).exec("pg9", "true")).rejects.toThrow(/no host pg9, it has pg1.*npm run lab -- up/);
    await expect(Lab.open(dir).exec("pg1", "true")).rejects.toThrow(/pg1 is off: npm run lab -- poweron pg1/);
  });
});

describe("running and waiting", () => {
  test("a failing program's error carries what it said", async () => {
    await expect(must(["sh", "-c", "echo why >&2; exit 3"])).rejects.toThrow(/exit code 3: why/);
  });

  const isAlive = (pid: string): boolean =>
    existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z");

  test("a deadline ends the program's children too, and tells the last output", async () => {
    const file = join(dir, "pid");
    const script = `echo begun; sleep 60 & echo $! > ${file}; wait`;
    const late = run(["sh", "-c", script], { deadlineMs: 300, what: "the long one", ownGroup: true });
    await expect(late).rejects.toThrow(/the long one: no end within 300 ms; last output: begun/);
    const pid = readFileSync(file, "utf8").trim();
    await until("the child gone", 2_000, () => !isAlive(pid) || "alive");
  });

  test.each<[string, NodeJS.Signals, string, number | null]>([
    ["nobody else heeds it", "SIGTERM", "", null],
    [
      "somebody does something first",
      "SIGINT",
      "process.once('SIGINT', () => setTimeout(() => process.exit(7), 50))",
      7,
    ],
  ])("who tells us to end ends the program's children, too, where %s", async (_, signal, more, code) => {
    const file = join(dir, `pid-${signal}`);
    const argv = JSON.stringify(["sh", "-c", `sleep 60 & echo $! > ${file}; wait`]);
    const program = `require(${JSON.stringify(join(projectRoot(), "bin/lab/run.js"))}).run(${argv}, { ownGroup: true }).catch(() => 0); ${more}`;
    const child = spawn(process.execPath, ["-e", program], { stdio: "ignore" });
    const ended = new Promise<unknown[]>((resolve) => child.once("exit", (...how) => resolve(how)));
    await until("the child begun", 10_000, () => (existsSync(file) && readFileSync(file, "utf8") !== "") || "not yet");
    const pid = readFileSync(file, "utf8").trim();
    child.kill(signal);
    expect(await ended).toEqual([code, code === null ? signal : null]);
    await until("the child's child gone", 2_000, () => !isAlive(pid) || "alive");
  });

  test("a condition that never holds ends with the last thing seen", async () => {
    let looks = 0;
    await expect(until("the moon", 20, () => `look ${++looks}`, 5)).rejects.toThrow(
      /the moon: not within 20 ms; last seen: look \d+/,
    );
  });
});
