import { parseInstance } from "../../facts/instance";
import type { LiveSetting, RunningFacts } from "../../facts/running";
import { foreseenRestarts, pendingRestarts, type SettingsOwner } from "../../providers/restartNeeds";
import * as facts from "../support/facts";
import { recorded } from "./kindFixture";

const OURS = "/var/lib/postgresql/17/main/postgresql.conf";
const MINE = "/var/lib/postgresql/17/main/conf.d/mine.conf";

function owner(settings: Record<string, string>, checksums = true): SettingsOwner {
  return { family: "debian", cluster: "main", dataDirectory: "/var/lib/postgresql/17/main", settings, checksums };
}

interface Case {
  /** max_connections of a running standby. */
  readonly live: Partial<LiveSetting>;
  readonly file?: { setting: string; sourceFile: string };
  readonly want?: string;
}

function needs({ live, file, want }: Case): { now: string[]; then: string[] } {
  const run: Partial<RunningFacts> = {
    settings: { max_connections: facts.setting("100", { context: "postmaster", ...live }) },
    fileSettings: file === undefined ? {} : { max_connections: file },
  };
  const seen = facts.view([facts.primary(), facts.standby(2, 1, run), facts.standby(3)]);
  const wanted = owner(want === undefined ? {} : { max_connections: want });
  const names = (of: typeof pendingRestarts): string[] =>
    of(wanted, seen).flatMap(({ node, settings }) => settings.map((name) => `${node} ${name}`));
  return { now: names(pendingRestarts), then: names(foreseenRestarts) };
}

const NEEDED = ["n2 max_connections"];

describe("a restart", () => {
  test.each<[string, Case, string[], string[]]>([
    ["as wanted", { live: {}, file: { setting: "100", sourceFile: OURS }, want: "100" }, [], []],
    [
      "loaded and waiting",
      { live: { pendingRestart: true }, file: { setting: "200", sourceFile: OURS }, want: "200" },
      NEEDED,
      NEEDED,
    ],
    ["new in the inventory", { live: {}, file: { setting: "100", sourceFile: OURS }, want: "200" }, [], NEEDED],
    [
      "in other words",
      { live: { setting: "1GB" }, file: { setting: "1GB", sourceFile: OURS }, want: "1024MB" },
      [],
      [],
    ],
    [
      "edited by hand and loaded: the file is put right, nothing waits any more",
      { live: { pendingRestart: true }, file: { setting: "200", sourceFile: OURS }, want: "100" },
      [],
      [],
    ],
    [
      "ALTER SYSTEM, loaded: reset, nothing waits any more",
      { live: { pendingRestart: true }, file: { setting: "200", sourceFile: "/d/postgresql.auto.conf" }, want: "100" },
      [],
      [],
    ],
    ["taken out of the inventory", { live: {}, file: { setting: "100", sourceFile: OURS } }, [], NEEDED],
    ["taken out and loaded", { live: { pendingRestart: true } }, NEEDED, NEEDED],
    [
      "a person's own in conf.d: theirs to restart for",
      { live: { pendingRestart: true }, file: { setting: "900", sourceFile: MINE } },
      [],
      [],
    ],
    ["a person's own that was removed", { live: { pendingRestart: true, sourceFile: MINE } }, [], []],
    [
      "one that a reload changes",
      { live: { context: "sighup" }, file: { setting: "100", sourceFile: OURS }, want: "200" },
      [],
      [],
    ],
    [
      "without a unit, with what the file says: nothing is foreseen at every review",
      { live: { setting: "128MB" }, file: { setting: "16384", sourceFile: OURS }, want: "16384" },
      [],
      [],
    ],
  ])("%s", (_, c, now, then) => expect(needs(c)).toEqual({ now, then }));

  test("for checksums, where the inventory wants them", () => {
    const control = facts.control({ checksums: false });
    const seen = facts.view([facts.primary(), facts.standby(2, 1, {}, { control }), facts.standby(3)]);
    expect(pendingRestarts(owner({}), seen)).toEqual([
      { node: "n2", settings: [], enablesChecksums: true, isOfOldUnit: false },
    ]);
    expect(pendingRestarts(owner({}, false), seen)).toEqual([]);
  });
});

test("a real primary with ALTER SYSTEM, an edited file and a person's own setting, loaded: none of it is ours to restart for", () => {
  const real = parseInstance(recorded("instance-altered"));
  expect(real.running?.settings.max_connections).toMatchObject({ setting: "100", pendingRestart: true });
  expect(real.running?.settings.max_files_per_process).toMatchObject({ pendingRestart: true });
  expect(real.running?.fileSettings.work_mem).toEqual({
    setting: "9MB",
    sourceFile: OURS.replace(".conf", ".auto.conf"),
  });
  // What is altered without a reload counts as well.
  expect(real.running?.fileSettings.archive_timeout?.setting).toBe("60");
  expect(real.running?.fileSettings.log_min_duration_statement).toEqual({ setting: "7s", sourceFile: OURS });
  const want = owner({ max_connections: "100" });
  expect(pendingRestarts(want, facts.view([real]))).toEqual([]);
  expect(pendingRestarts(owner({ max_connections: "150" }), facts.view([real]))).toHaveLength(1);
});

describe("a new text of the unit", () => {
  const TEXT = "[Service]\nLimitNOFILE=65536\n";
  const seen = facts.view([facts.primary(), facts.standby(2, 1, {}, { unitIsNewer: true }), facts.standby(3)]);
  const units = { n1: TEXT, n2: TEXT, n3: TEXT.replace("65536", "1024") };
  const asked = { ...owner({}), unit: TEXT };
  const nodes = (found: ReturnType<typeof pendingRestarts>): string[] => found.map(({ node }) => node);

  test("waits for the next restart where nobody asks for one", () => {
    expect(pendingRestarts(owner({}), seen)).toEqual([]);
    expect(foreseenRestarts(owner({}), seen)).toEqual([]);
  });

  test("restarts whoever was started before it was written; who still gets it is foreseen", () => {
    expect(nodes(pendingRestarts(asked, seen))).toEqual(["n2"]);
    expect(nodes(foreseenRestarts(asked, seen, units))).toEqual(["n2", "n3"]);
  });
});

describe("an upgrade of PostgreSQL", () => {
  const old = facts.view(
    [facts.primary(), facts.standby(2), facts.standby(3)].map((f) => ({
      ...f,
      installed: "postgres (PostgreSQL) 17.6 (Debian 17.6-1)",
      ...(f.running && { running: { ...f.running, version: "17.5 (Debian 17.5-1)" } }),
    })),
  );
  const upgrades = (packageVersion: string | undefined, of: typeof pendingRestarts): string[] =>
    of({ ...owner({}), packageVersion }, old).map(({ node, upgrade }) => `${node} ${upgrade ?? "-"}`);
  const all = ["n1 17.6-1", "n2 17.6-1", "n3 17.6-1"];

  test.each<[string, string | undefined, string[], string[]]>([
    ["that nobody named restarts nothing", undefined, [], []],
    ["that is installed and named", "17.6-1", all, all],
    ["with an epoch", "1:17.6-1", all, all],
    ["that is not installed yet", "17.7-1", [], ["n1 17.7-1", "n2 17.7-1", "n3 17.7-1"]],
    ["to what runs", "17.5-1", [], []],
  ])("%s", (_, version, now, then) => {
    expect(upgrades(version, pendingRestarts)).toEqual(now);
    expect(upgrades(version, foreseenRestarts)).toEqual(then);
  });

  test("of the RedHat family is told by the version alone, which the server does not say more of", () => {
    const redhat = facts.view(
      [facts.primary(), facts.standby(2), facts.standby(3)].map((f) => ({
        ...f,
        installed: "postgres (PostgreSQL) 17.10",
        ...(f.running && { running: { ...f.running, version: "17.1" } }),
      })),
    );
    const want = { ...owner({}), family: "redhat" as const };
    const upgrade = (packageVersion: string) =>
      pendingRestarts({ ...want, packageVersion }, redhat).map((r) => r.upgrade);
    expect(upgrade("17.10-1PGDG.rhel9")).toEqual(["17.10", "17.10", "17.10"]);
    expect(upgrade("17.1-2PGDG.rhel9")).toEqual([]);
  });
});
