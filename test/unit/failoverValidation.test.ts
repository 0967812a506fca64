import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterSpec } from "../../config/types";
import { until } from "../../lab/wait";
import { failoverValidation } from "../../resources/scripts";
import { edited, type Edit, inventoryOf } from "./configFixture";
import { type Hosts, OURS, refused, run, silent, SYNCHRONOUS, WITNESS } from "./failoverFixture";

const standby = "standby";
/** How long a vote holds. */
const VOTE_MS = 20_000;

/** A peer that is standby and has watched node 1 so many seconds ago, with so many bytes of WAL. */
const peer = (ago = 60, bytes = 1_000, what = standby): string => `${what} ${OURS} 1 @ 1 ${ago} ${bytes}`;
const own = (lost = 60, bytes = 1_000): string => `${OURS} 1 @ 1 ${lost} ${bytes}`;

describe("a winner of an election is promoted", () => {
  test.each<[string, Hosts, Edit[]]>([
    ["when both others agree", { own: own(), n2: refused, n3: peer() }, []],
    ["when the primary is gone and the other standby agrees", { own: own(), n2: silent, n3: peer() }, []],
    ["with the witness", { own: own(), n2: silent, n3: peer(60, 0, "witness") }, [WITNESS]],
    ["beside a primary of an older timeline", { own: `${OURS} 2 @ 1 60 0`, n2: `primary ${OURS} 1`, n3: peer() }, []],
    ["when a standby looked at another node", { own: own(), n2: silent, n3: `standby ${OURS} 1 @ 7 0 0` }, []],
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
    [
      "beside one that is starting",
      { own: own(), n2: "!the database system is starting up", n3: peer() },
      /^n2 .* is starting, perhaps as the primary$/,
      [],
    ],
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

describe("the votes of a majority", () => {
  const answers = { own: own(), n2: refused, n3: peer() };
  const [n1, n3] = ["/run/postgresql", "192.0.2.3"];

  test("are the winner's until it is primary, so that a primary of before does not start meanwhile", () => {
    expect(run(failoverValidation, answers)).toMatchObject({ status: 0, votes: ["vote-1", "", "vote-1"] });
  });

  test("are not asked for where nobody answers: finding that out takes seconds", () => {
    const { asked } = run(failoverValidation, { ...answers, n2: silent });
    expect(asked.filter((host) => host === n1).length).toBeGreaterThan(1);
    expect(asked.filter((host) => host === "192.0.2.2")).toEqual(["192.0.2.2"]);
  });

  test("are lacking while another has one: it is not promoted, and gives back what it got", () => {
    const done = run(failoverValidation, answers, { votedAlready: [n3] });
    expect(done).toMatchObject({
      status: 1,
      said: "1 of 2 votes: another node may be about to start as primary",
      votes: ["", "", "vote-2"],
    });
    expect(done.ms).toBeGreaterThan(VOTE_MS);
  });

  test.each([
    ["its own", [n1]],
    ["the other standby's", [n3]],
    ["all", [n1, n3]],
  ])("are waited for when a primary that died soon after its start has left %s", (_, votedAlready) => {
    const done = run(failoverValidation, answers, { votedAlready, expiresAfter: 4 });
    expect(done).toMatchObject({ status: 0, votes: ["vote-1", "", "vote-1"] });
  });

  test("of a promotion of before that failed are ended first: they expire while the next one still needs them", () => {
    const done = run(failoverValidation, answers, { votedAlready: [n1, n3], votedBy: "vote-1-1" });
    expect(done).toMatchObject({ status: 0, votes: ["vote-1", "", "vote-1"] });
    expect(done.ms).toBeLessThan(VOTE_MS / 2);
  });

  test("are free again once it is primary", async () => {
    const { dir, votes } = run(failoverValidation, answers);
    expect(votes).toEqual(["vote-1", "", "vote-1"]);
    writeFileSync(join(dir, "promoted"), "f");
    await until("no vote is left", 10_000, () => {
      const left = readdirSync(dir).filter((file) => file.endsWith(".voted"));
      return left.length === 0 || left.join(", ");
    });
  });
});

test("beside a primary that may be cut off it waits until that has stopped", () => {
  const [found] = inventoryOf(edited()).clusters as [ClusterSpec];
  const after = found.fencing?.fencedAfter ?? 0;
  expect(after).toBeGreaterThan(5);
  expect(run(failoverValidation, { own: own(after), n2: silent, n3: peer() })).toMatchObject({ status: 0 });
  // The fake's answer stays the same, so this waits until it is ended.
  const cutOff = { own: own(after - 1), n2: silent, n3: peer() };
  expect(run(failoverValidation, cutOff, { isEndless: true })).toMatchObject({ status: null });
  expect(run(failoverValidation, { own: own(0), n2: refused, n3: peer() })).toMatchObject({ status: 0 });
});
