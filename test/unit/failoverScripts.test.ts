import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterSpec, NodeSpec } from "../../config/types";
import { failoverValidation, fence } from "../../resources/scripts";
import { edited, type Edit, inventoryOf } from "./configFixture";

const OURS = "7711467505050316867";
const refused = "!Connection refused";
const silent = "!timeout expired";
const standby = "standby";
const WITNESS: Edit = ["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, role: witness }"];
const SYNCHRONOUS: Edit = ["    port: 5432", "    port: 5432\n    synchronous: { num: 1 }"];
/** What goes on for so long goes on until it is ended. Asking takes a moment on a busy machine. */
const WATCHED_MS = 5_000;
const PORT = /-p (\d+)/;

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

/** What the fake psql says: for "own" through the socket, for a node at its address; "!" and a text is a failure. */
interface Hosts {
  readonly own: string;
  readonly n2: string;
  readonly n3: string;
}

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

interface Ran {
  readonly status: number | null;
  readonly said: string;
  /** What was done to the server, line by line. */
  readonly stopped: string;
  /** What it left behind for those who ask why. */
  readonly mark: string;
  readonly ms: number;
}

/** Runs a script of n1, for real, where everything it asks is under control. */
function run(of: typeof fence, answers: Hosts, options: { edits?: Edit[]; args?: string[]; pid?: number } = {}): Ran {
  const dir = mkdtempSync(join(tmpdir(), "failover-"));
  scratch.push(dir);
  const [bin, data] = [join(dir, "bin"), join(dir, "data")];
  mkdirSync(bin);
  mkdirSync(data);
  const [found] = inventoryOf(edited(...(options.edits ?? []))).clusters as [ClusterSpec];
  const spec = { ...found, dataDirectory: data };
  const by = { "/run/postgresql": answers.own, "192.0.2.2": answers.n2, "192.0.2.3": answers.n3 };
  for (const [host, answer] of Object.entries(by)) writeFileSync(join(dir, host.replaceAll("/", "_")), answer);
  executable(
    join(bin, "psql"),
    `host=; while [ $# -gt 0 ]; do [ "$1" = -h ] && host=$2; shift; done
answer=$(cat "${dir}/$(echo "$host" | tr / _)")
case $answer in '!'*) echo "psql: error: connection to server at \\"$host\\", port 5432 failed: \${answer#!}" >&2; exit 2 ;; esac
echo "$answer"
`,
  );
  executable(join(bin, "logger"), "exit 0\n");
  executable(join(bin, "pg_controldata"), `echo "Latest checkpoint's TimeLineID:       1"\n`);
  executable(
    join(bin, "pg_ctl"),
    `[ "$1" = status ] && exit ${options.pid === undefined ? 3 : 0}\necho "$*" >>${dir}/stopped\nkill "$(head -n 1 ${data}/postmaster.pid)"\n`,
  );
  if (options.pid !== undefined) writeFileSync(join(data, "postmaster.pid"), `${options.pid}\n`);
  const began = Date.now();
  const script = of(spec, spec.nodes[0] as NodeSpec, { binDirectory: bin, fenceMark: join(dir, "mark") });
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s", ...(options.args ?? [])], {
    input: script,
    encoding: "utf8",
    env: { PATH: `${bin}:/usr/bin:/bin` },
    timeout: WATCHED_MS,
  });
  const read = (file: string): string => (existsSync(join(dir, file)) ? readFileSync(join(dir, file), "utf8") : "");
  const said = (stdout + stderr).trim();
  return { status, said, stopped: read("stopped"), mark: read("mark"), ms: Date.now() - began };
}

/** A peer that is standby and has watched node 1 so many seconds ago, with so many bytes of WAL. */
const peer = (ago = 60, bytes = 1_000, what = standby): string => `${what} ${OURS} 1 1 ${ago} ${bytes}`;
const own = (lost = 60, bytes = 1_000): string => `${OURS} 1 1 ${lost} ${bytes}`;

describe("a winner of an election is promoted", () => {
  test.each<[string, Hosts, Edit[]]>([
    ["when both others agree", { own: own(), n2: refused, n3: peer() }, []],
    ["when the primary is gone and the other standby agrees", { own: own(), n2: silent, n3: peer() }, []],
    ["with the witness", { own: own(), n2: silent, n3: peer(60, 0, "witness") }, [WITNESS]],
    ["beside a primary of an older timeline", { own: `${OURS} 2 1 60 0`, n2: `primary ${OURS} 1`, n3: peer() }, []],
    ["when a standby looked at another node", { own: own(), n2: silent, n3: `standby ${OURS} 1 7 0 0` }, []],
    ["synchronously, with the other standby there", { own: own(), n2: silent, n3: peer() }, [SYNCHRONOUS]],
    [
      "by the witness, of two data nodes",
      { own: own(), n2: silent, n3: peer(60, 0, "witness") },
      [WITNESS, SYNCHRONOUS],
    ],
  ])("%s", (_, answers, edits) => {
    expect(run(failoverValidation, answers, { edits, args: ["1"] })).toMatchObject({
      status: 0,
      said: "2 of 3 nodes agree, 2 are needed to promote one",
    });
  });
});

describe("a winner of an election is not promoted", () => {
  test.each<[string, Hosts, RegExp, Edit[]]>([
    ["alone", { own: own(), n2: silent, n3: silent }, /^1 of 3 nodes agree, 2 are needed.*no answer: n2: .*; n3: /, []],
    ["when nothing runs on the others", { own: own(), n2: refused, n3: refused }, /^1 of 3 nodes agree/, []],
    ["beside a primary", { own: own(), n2: `primary ${OURS} 1`, n3: peer() }, /^n2 .* is primary on timeline 1/, []],
    ["beside one that was promoted", { own: own(), n2: `primary ${OURS} 2`, n3: peer() }, /^n2 .* timeline 2/, []],
    [
      "when a standby saw the primary just now",
      { own: own(), n2: silent, n3: peer(1) },
      /^n3 .* saw the primary 1 s/,
      [],
    ],
    ["when the witness did", { own: own(), n2: silent, n3: peer(3, 0, "witness") }, /^n3 .* 3 s ago/, [WITNESS]],
    ["while it does not answer itself", { own: refused, n2: silent, n3: peer() }, /does not answer/, []],
    [
      "synchronously, when another has more",
      { own: own(), n2: silent, n3: peer(60, 1_001) },
      /^n3 .* more of/,
      [SYNCHRONOUS],
    ],
    [
      "synchronously, by a majority that may lack a row",
      { own: own(), n2: silent, n3: peer() },
      /^1 standbys are there.*sure to be on one of 2/,
      [
        SYNCHRONOUS,
        ["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, priority: 0 }"],
        ["n1: {", "n4: { id: 4, host: h4 }\n      n5: { id: 5, host: h5, role: witness }\n      n1: {"],
        ["  h3:", "  h4: { address: 192.0.2.2 }\n  h5: { address: 192.0.2.3 }\n  h3:"],
      ],
    ],
  ])("%s", (_, answers, message, edits) => {
    const { status, said } = run(failoverValidation, answers, { edits, args: ["1"] });
    expect(said).toMatch(message);
    expect(status).toBe(1);
  });
});

test("beside a primary that may be cut off it waits until that has stopped", () => {
  const [found] = inventoryOf(edited()).clusters as [ClusterSpec];
  const after = found.fencing?.fencedAfter ?? 0;
  expect(after).toBeGreaterThan(5);
  expect(run(failoverValidation, { own: own(after), n2: silent, n3: peer() })).toMatchObject({ status: 0 });
  // The fake's answer stays the same, so this waits until it is ended.
  expect(run(failoverValidation, { own: own(after - 1), n2: silent, n3: peer() })).toMatchObject({ status: null });
  expect(run(failoverValidation, { own: own(0), n2: refused, n3: peer() })).toMatchObject({ status: 0 });
});

const primary = (paused = false, streaming = 0, timeline = 1): string =>
  `primary ${OURS} ${timeline} ${paused} ${streaming}`;

/** A process that stands for the postmaster. */
function postmaster(): number {
  const { stdout } = spawnSync("/bin/sh", ["-c", "sleep 60 </dev/null >/dev/null 2>&1 & echo $!"], {
    encoding: "utf8",
  });
  return Number(stdout);
}

function fenced(answers: Hosts, args: string[], edits: Edit[] = []): Ran & { alive: boolean } {
  const pid = postmaster();
  const done = run(fence, answers, { args, edits, pid });
  const alive = spawnSync("kill", ["-0", String(pid)]).status === 0;
  if (alive) spawnSync("kill", [String(pid)]);
  return { ...done, alive };
}

describe("a primary stops", () => {
  test.each<[string, Hosts, string, RegExp]>([
    [
      "when it sees nobody",
      { own: primary(), n2: silent, n3: "!No route to host" },
      "watch",
      /2 of 3 nodes do not answer.*n2: .*timeout.*n3: .*No route.*Type: pulumi up/,
    ],
    [
      "when another one was promoted",
      { own: primary(false, 1), n2: `primary ${OURS} 2`, n3: standby },
      "watch",
      /n2 .* is primary on timeline 2/,
    ],
    [
      "when a standby left for a newer primary",
      { own: primary(true, 1), n2: `primary ${OURS} 2`, n3: standby },
      "newer",
      /timeline 2/,
    ],
  ])("%s", (_, answers, mode, message) => {
    const { status, said, stopped, mark, alive } = fenced(answers, [mode]);
    expect(said).toMatch(message);
    expect(mark).toMatch(
      new RegExp(`^\\d{4}-\\d\\d-\\d\\dT[\\d:]{8}Z: .*${message.source.replace(".*Type: pulumi up", "")}.*\\n$`),
    );
    expect({ status, alive }).toEqual({ status: 0, alive: false });
    expect(stopped).toMatch(/^stop -D .* -m fast/);
  });
});

test("a primary that sees nobody and does not answer itself is killed", () => {
  const { status, said, stopped, alive } = fenced({ own: silent, n2: silent, n3: silent }, ["watch"]);
  expect(said).toMatch(/2 of 3 nodes do not answer/);
  expect({ status, alive, stopped }).toEqual({ status: 0, alive: false, stopped: "" });
});

describe("a primary goes on", () => {
  test.each<[string, Hosts, string]>([
    ["when a standby streams", { own: primary(false, 1), n2: silent, n3: silent }, "watch"],
    ["while repmgrd is paused", { own: primary(true), n2: silent, n3: silent }, "watch"],
    ["when it is a standby by now", { own: `standby ${OURS} 2 false 0`, n2: silent, n3: silent }, "watch"],
    ["beside an older primary", { own: primary(false, 0, 3), n2: `primary ${OURS} 2`, n3: silent }, "newer"],
    ["beside a primary of something else", { own: primary(false, 0), n2: "primary 42 9", n3: silent }, "newer"],
    ["when one standby left and nobody was promoted", { own: primary(), n2: silent, n3: silent }, "newer"],
  ])("%s", (_, answers, mode) => {
    expect(fenced(answers, [mode])).toMatchObject({ status: 0, said: "", stopped: "", mark: "", alive: true });
  });
});

test("a primary without standbys goes on while the others are too few to elect another, and keeps looking", () => {
  const witness = { own: primary(), n2: silent, n3: "witness 1 -" };
  for (const answers of [witness, { ...witness, n3: refused }]) {
    const { status, said, stopped, ms } = fenced(answers, ["watch"], [WITNESS]);
    expect({ status, stopped }).toEqual({ status: null, stopped: "" });
    expect(said).toMatch(/^no standby streams, but only 1 of 3 nodes do not answer.*writes go on$/);
    expect(ms).toBeGreaterThanOrEqual(WATCHED_MS);
  }
});

test("the scripts ask at the cluster's port", () => {
  const [spec] = inventoryOf(edited()).clusters as [ClusterSpec];
  expect(PORT.exec(fence(spec, spec.nodes[0] as NodeSpec))?.[1]).toBe("5432");
});
