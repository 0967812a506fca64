import { synchronousNames } from "../../config/deriveSynchronous";
import type { RunningFacts } from "../../facts/running";
import type { ClusterView } from "../../providers/cluster";
import { Refused } from "../../providers/kind";
import { pgClusterKind } from "../../providers/pgCluster";
import * as facts from "../support/facts";
import { C, edited, inventoryOf, N3, problemsOf, SETTING, type Edit } from "./configFixture";

const WANTED = "ANY 1 (n1, n2, n3)";
const want = facts.pgClusterInputs({ synchronous: WANTED });
const run = (text: string): Partial<RunningFacts> => ({
  settings: text === "" ? {} : { synchronous_standby_names: facts.setting(text) },
});

/** n1 is primary. @param on what n1, n2 and n3 have as synchronous_standby_names; @param streaming the standbys that do */
function cluster(on: readonly [string, string, string], streaming: readonly string[] = ["n2", "n3"]): ClusterView {
  const replicas = streaming.map((name) => ({ name, state: "streaming", syncState: "quorum", lagBytes: 0 }));
  return facts.view([
    facts.primary({}, { ...run(on[0]), replicas }),
    facts.standby(2, 1, run(on[1])),
    facts.standby(3, 1, run(on[2])),
  ]);
}

/** "host: SQL" of what changes something, in order, and what the review shows. */
function planned(view: ClusterView, inputs = want): { sql: string[]; shown: unknown } {
  const have = facts.clusterFacts(view);
  const sql = pgClusterKind.plan(inputs, have).flatMap((action) => {
    const names =
      action.do === "run" ? /alter system set synchronous_standby_names = '(.*)';/.exec(action.stdin ?? "") : null;
    return names === null ? [] : [`${action.host}: ${names[1] ?? ""}`];
  });
  return { sql, shown: pgClusterKind.project(inputs, have).inputs.synchronous };
}

describe("synchronous_standby_names", () => {
  test.each<[string, ClusterView, string[], string]>([
    ["is as wanted", cluster([WANTED, WANTED, WANTED]), [], WANTED],
    [
      "is set on the standbys first",
      cluster(["", "", ""]),
      [`pg2: ${WANTED}`, `pg3: ${WANTED}`, `pg1: ${WANTED}`],
      "n1: not set; n2: not set; n3: not set",
    ],
    ["was changed by hand on the primary", cluster(["*", WANTED, WANTED]), [`pg1: ${WANTED}`], "n1: *"],
    ["was changed on a standby", cluster([WANTED, "", WANTED]), [`pg2: ${WANTED}`], "n2: not set"],
    [
      "is not set while no standby streams",
      cluster(["", "", ""], []),
      [],
      "n1: not set; n2: not set; n3: not set; 0 of 1 standbys stream: it is not set",
    ],
    [
      "asks for a name that nobody has, and is mended",
      cluster(["ghost", WANTED, WANTED]),
      [`pg1: ${WANTED}`],
      "n1: ghost",
    ],
    ["is in force with one standby of two", cluster([WANTED, WANTED, WANTED], ["n3"]), [], WANTED],
  ])("%s", (_, view, sql, shown) => expect(planned(view)).toEqual({ sql, shown }));

  test("nothing is written where every commit waits, and the review says so", () => {
    const have = facts.clusterFacts(cluster([WANTED, WANTED, WANTED], []));
    expect(() => pgClusterKind.plan(want, have)).toThrow(Refused);
    expect(() => pgClusterKind.plan(want, have)).toThrow(
      /cluster main: every commit on n1 \(pg1\) waits.*no standby streams of the 1.*Bring a standby back.*pulumi up/,
    );
    expect(pgClusterKind.project(want, have).inputs.synchronous).toBe("0 of 1 standbys stream: every commit waits");
  });

  test("is nobody's business here while the inventory does not ask for it", () => {
    expect(planned(cluster(["*", "", ""]), facts.pgClusterInputs())).toEqual({ sql: [], shown: undefined });
  });
});

describe("the inventory", () => {
  const sync = (text: string): Edit => ["    port: 5432", `    port: 5432\n    ${text}`];
  const names = (...edits: Edit[]): string | undefined => {
    const [spec] = inventoryOf(edited(...edits)).clusters;
    return spec === undefined ? undefined : synchronousNames(spec);
  };

  test("names all who may be promoted, in the order that counts", () => {
    expect(names()).toBeUndefined();
    expect(names(sync("synchronous: {}"))).toBe(WANTED);
    const preferred: Edit = [N3, "n3: { id: 3, host: h3, priority: 200 }"];
    expect(names(sync("synchronous: { mode: first, num: 2 }"), preferred)).toBe("FIRST 2 (n3, n1, n2)");
    expect(names(sync("synchronous: {}"), [N3, "n3: { id: 3, host: h3, role: witness }"])).toBe("ANY 1 (n1, n2)");
    expect(names(sync("synchronous: {}"), [N3, "n3: { id: 3, host: h3, priority: 0 }"])).toBe("ANY 1 (n1, n2)");
  });

  test("leaves the setting to the cluster then", () => {
    const [spec] = inventoryOf(edited(sync("synchronous: {}"))).clusters;
    expect(spec?.settings).not.toHaveProperty("synchronous_standby_names");
  });

  test.each<[string, Edit[], string]>([
    [
      "more standbys than there are",
      [sync("synchronous: { num: 3 }")],
      "3 standbys shall confirm each commit, and there is 2 standbys",
    ],
    [
      "a fence without its sign",
      [[SETTING, "wal_sender_timeout: 0"]],
      "could not be fenced; give a time, or set 'fencing: off'",
    ],
    [
      "two commands for events",
      [sync("events: { command: x }"), ["reconnect_attempts: 3", "event_notification_command: y"]],
      "remove one of the two",
    ],
  ])("refuses %s", (_, edits, message) => {
    const problems = problemsOf(edited(...edits));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(C);
    expect(problems[0]).toContain(message);
  });

  test.each<[string, Edit[], number | undefined]>([
    ["by default", [["reconnect_attempts: 3", ""]], 40],
    [
      "with a quick detection",
      [["reconnect_attempts: 3", "reconnect_attempts: 5, reconnect_interval: 1, monitor_interval_secs: 1"]],
      12,
    ],
    [
      "with a time of one's own",
      [
        ["reconnect_attempts: 3", ""],
        [SETTING, "wal_sender_timeout: 1min"],
      ],
      85,
    ],
    ["never by wish", [sync("fencing: off")], undefined],
    ["never where nobody is promoted", [sync("failover: manual")], undefined],
  ])("a cut-off primary has stopped %s after so many seconds", (_, edits, after) => {
    const [spec] = inventoryOf(edited(...edits)).clusters;
    expect(spec?.fencing?.fencedAfter).toBe(after);
  });
});
