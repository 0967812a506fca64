import { spawnSync } from "node:child_process";
import type { ClusterSpec, NodeSpec } from "../../config/types";
import { textOf } from "../../providers/unitScript";
import { fence } from "../../resources/scripts";
import { edited, type Edit, inventoryOf } from "./configFixture";
import { type Hosts, type Options, OURS, type Ran, refused, run, silent, WATCHED_MS, WITNESS } from "./failoverFixture";

const standby = "standby";
const PORT = /-p (\d+)/;

const primary = (paused = false, streaming = 0, timeline = 1): string =>
  `primary ${OURS} ${timeline} ${paused} ${streaming}`;

/** n2 was promoted while n1 was cut off. */
const PROMOTED = { n2: `primary ${OURS} 2`, n3: `standby ${OURS} 2` };

/** A process that stands for the postmaster. */
function postmaster(): number {
  const { stdout } = spawnSync("/bin/sh", ["-c", "sleep 60 </dev/null >/dev/null 2>&1 & echo $!"], {
    encoding: "utf8",
  });
  return Number(stdout);
}

function fenced(answers: Hosts, args: string[], options: Options = {}): Ran & { alive: boolean } {
  const pid = postmaster();
  const done = run(fence, answers, { ...options, args, pid });
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
    const { status, said, stopped, mark, starts, alive } = fenced(answers, [mode], { afterStop: PROMOTED });
    expect(said).toMatch(message);
    expect(mark).toMatch(
      new RegExp(`^\\d{4}-\\d\\d-\\d\\dT[\\d:]{8}Z: .*${message.source.replace(".*Type: pulumi up", "")}.*\\n$`),
    );
    expect({ status, starts, alive }).toEqual({ status: 0, starts: 0, alive: false });
    expect(stopped).toMatch(/^stop -D .* -m fast/);
  });
});

test("a primary that sees nobody and does not answer itself is killed", () => {
  const { said, stopped, alive } = fenced({ own: silent, n2: silent, n3: silent }, ["watch"], {
    isEndless: true,
  });
  expect(said).toMatch(/2 of 3 nodes do not answer/);
  expect({ alive, stopped }).toEqual({ alive: false, stopped: "" });
});

describe("a primary that stopped because it saw nobody", () => {
  const nobody = { own: primary(), n2: silent, n3: silent };
  const theirs = `standby ${OURS} 1`;

  test.each<[string, Options["afterStop"], Edit[]]>([
    ["both standbys", { n2: theirs, n3: theirs }, []],
    ["the standby and the witness", { n2: theirs, n3: "witness 1 -" }, [WITNESS]],
  ])("starts again once all others are back: %s", (_, afterStop, edits) => {
    const { status, said, starts } = fenced(nobody, ["watch"], { afterStop, edits });
    expect({ status, starts }).toEqual({ status: 0, starts: 1 });
    expect(said).toMatch(/\nall other nodes are back and none was promoted: PostgreSQL is started again$/);
  });

  test("stays down when one of them was promoted, and says so", () => {
    const { status, said, starts } = fenced(nobody, ["watch"], { afterStop: PROMOTED });
    expect({ status, starts }).toEqual({ status: 0, starts: 0 });
    expect(said).toMatch(/\nn2 .* is primary on timeline 2.*stays down here\. Type: pulumi up$/);
  });

  test.each<[string, Options["afterStop"]]>([
    ["one is still away, maybe as the new primary", { n2: theirs, n3: silent }],
    ["nothing runs on one", { n2: theirs, n3: refused }],
    ["one followed a primary that is gone", { n2: theirs, n3: `standby ${OURS} 2` }],
    ["one is primary of the same timeline", { n2: theirs, n3: `primary ${OURS} 1` }],
    ["one belongs to another database", { n2: theirs, n3: "standby 42 1" }],
  ])("waits while %s", (_, afterStop) => {
    expect(fenced(nobody, ["watch"], { afterStop, isEndless: true })).toMatchObject({
      status: null,
      starts: 0,
      alive: false,
    });
  });

  test("is not started over and over when it does not start", () => {
    const { status, said, starts } = fenced(nobody, ["watch"], {
      afterStop: { n2: theirs, n3: theirs },
      startStatus: 1,
      isEndless: true,
    });
    expect({ status, starts }).toEqual({ status: null, starts: 1 });
    expect(said).toMatch(/did not start; why, tells: sudo journalctl -u postgresql-main\.service$/);
  });
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
    const { status, said, stopped, ms } = fenced(answers, ["watch"], { edits: [WITNESS], isEndless: true });
    expect({ status, stopped }).toEqual({ status: null, stopped: "" });
    expect(said).toMatch(/^no standby streams, but only 1 of 3 nodes do not answer.*writes go on$/);
    expect(ms).toBeGreaterThanOrEqual(WATCHED_MS);
  }
});

test("the scripts ask at the cluster's port", () => {
  const [spec] = inventoryOf(edited()).clusters as [ClusterSpec];
  expect(PORT.exec(textOf(fence(spec, spec.nodes[0] as NodeSpec)))?.[1]).toBe("5432");
});
