import { METRICS } from "../../resources/monitoring";
import { check, type Options, PRIMARY, STANDBY, WAL } from "./checkScriptFixture";

const OK = 0;
const WARNING = 1;
const CRITICAL = 2;
const UNKNOWN = 3;

describe("one line and an exit status, as Nagios wants them", () => {
  test.each<[string, readonly string[], Options, number, RegExp]>([
    [
      "a primary that is well",
      PRIMARY,
      {},
      OK,
      /^OK: main n1 \(primary\): up: runs; slots: repmgr_slot_2 keeps 1 MB of WAL; repmgrd: runs; disk: 10% /,
    ],
    [
      "a standby that is well",
      STANDBY,
      { node: 1 },
      OK,
      /^OK: main n2 \(standby\): up: runs; lag: 3 s behind; slots: none; /,
    ],
    [
      "a witness is no primary",
      PRIMARY,
      { node: 2, edits: [["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, role: witness }"]] },
      OK,
      /^OK: main n3 \(witness\): /,
    ],
    [
      "a standby that is behind",
      ["role standby", "lag 1 f 60"],
      {},
      WARNING,
      /^WARNING: main n1 \(standby\): lag: 60 s behind$/,
    ],
    ["far behind", ["role standby", "lag 1 f 600"], {}, CRITICAL, /^CRITICAL: main n1 \(standby\): lag: 600 s behind$/],
    [
      "thresholds of one's own",
      ["role standby", "lag 1 f 60"],
      { edits: [["monitoring: {", "monitoring: { thresholds: { lag_seconds: { warning: 61 } },"]] },
      OK,
      /lag: 60 s behind/,
    ],
    [
      "a standby that does not stream",
      ["role standby", "lag 0 f 7"],
      {},
      CRITICAL,
      /lag: it does not stream, and is 7 s behind$/,
    ],
    ["a delayed one may not stream yet", ["role standby", "lag 0 t 7"], {}, OK, /lag: 7 s behind/],
    [
      "a slot that nobody reads",
      ["role primary", `slot repmgr_slot_2 0 reserved ${WAL}`],
      {},
      WARNING,
      /^WARNING: [^:]*: slots: nobody reads repmgr_slot_2$/,
    ],
    [
      "a slot that keeps much, and one whose WAL is gone",
      ["role primary", `slot a 1 reserved ${2048 * WAL}`, "slot b 0 lost 0"],
      {},
      CRITICAL,
      /slots: a keeps 2048 MB of WAL; slots: the WAL that b needs is gone; slots: nobody reads b$/,
    ],
    [
      "archiving that fails",
      ["role primary", "archive 1 3"],
      {},
      WARNING,
      /archive: archiving fails: see pg_stat_archiver$/,
    ],
    ["much to archive", ["role primary", "archive 0 128"], {}, CRITICAL, /archive: 128 files wait to be archived$/],
    [
      "repmgrd that is paused",
      ["role standby", "repmgrd 1 1"],
      {},
      WARNING,
      /repmgrd: it is paused: nobody fails over$/,
    ],
    ["repmgrd that does not run", ["role standby", "repmgrd 0 0"], {}, CRITICAL, /repmgrd: it does not run$/],
    [
      "old transactions",
      ["role primary", "wraparound 500000000 5"],
      {},
      WARNING,
      /wraparound: the oldest transaction is 500000000 back$/,
    ],
    [
      "old multixacts",
      ["role primary", "wraparound 5 1000000000"],
      {},
      CRITICAL,
      /wraparound: the oldest transaction is 1000000000 back$/,
    ],
    [
      "a disk that fills, rounded up",
      ["role primary"],
      { disk: "791 209" },
      WARNING,
      /disk: 80% of the file system of PGDATA are used; disk: 80% of the file system of pg_wal/,
    ],
    ["a full disk", ["role primary"], { disk: "100 0" }, CRITICAL, /disk: 100%/],
    [
      "a disk that cannot be asked",
      ["role primary"],
      { disk: "" },
      UNKNOWN,
      /^UNKNOWN: main n1 \(primary\): disk: the file system of PGDATA cannot be asked; /,
    ],
    [
      "PostgreSQL that is down",
      [],
      { psql: `echo 'psql: error: no such file: $(id)' >&2; exit 2` },
      CRITICAL,
      /^CRITICAL: main n1: up: PostgreSQL does not answer: no such file: \$\(id\)$/,
    ],
    [
      "PostgreSQL that fails half way",
      [],
      { psql: `cat >/dev/null; echo role primary; echo 'ERROR: x' >&2; exit 3` },
      CRITICAL,
      /^CRITICAL: main n1: up: PostgreSQL does not answer: ERROR: x$/,
    ],
    ["a backup of tonight", ["role primary"], { backupHours: 5 }, OK, /backup: the last one is 5 hours old/],
    [
      "no backup since yesterday",
      ["role primary"],
      { backupHours: 27 },
      WARNING,
      /backup: the last one is 27 hours old$/,
    ],
    ["never a backup", ["role primary"], { backupHours: -1 }, CRITICAL, /backup: none is known of: .*No such file/],
    ["a standby knows no backup", ["role standby", "lag 1 f 0"], { backupHours: -1 }, OK, /^OK/],
    [
      "a certificate that is good",
      ["role primary"],
      { certificateDays: 90 },
      OK,
      /certificate: it expires in (89|90) days/,
    ],
    [
      "one that expires soon",
      ["role primary"],
      { certificateDays: 20 },
      WARNING,
      /certificate: it expires in (19|20) days$/,
    ],
    [
      "one that expires in days",
      ["role primary"],
      { certificateDays: 3 },
      CRITICAL,
      /certificate: it expires in [23] days$/,
    ],
    [
      "one beside it, with which the node logs in to the others, that expires sooner",
      ["role primary"],
      { certificateDays: 90, loginDays: 20 },
      WARNING,
      /certificate: it expires in (19|20) days$/,
    ],
    [
      "one beside it that expires later",
      ["role primary"],
      { certificateDays: 20, loginDays: 90 },
      WARNING,
      /certificate: it expires in (19|20) days$/,
    ],
    [
      "one that cannot be read",
      ["role primary"],
      { certificateDays: "none" },
      UNKNOWN,
      /certificate: its end cannot be read: ./,
    ],
    [
      "only what is asked for",
      ["role primary", "repmgrd 0 0", "archive 0 20"],
      { args: ["archive", "disk"] },
      WARNING,
      /^WARNING: [^:]*: archive: 20 files wait to be archived$/,
    ],
    [
      "a check that does not apply",
      ["role primary"],
      { args: ["lag"] },
      OK,
      /^OK: main n1 \(primary\): nothing to check here$/,
    ],
    [
      "PostgreSQL that is down, asked for something else",
      [],
      { psql: "exit 2", args: ["lag"] },
      CRITICAL,
      /^CRITICAL: main n1: up: PostgreSQL does not answer: no answer within 20 s$/,
    ],
    [
      "a check that there is not",
      PRIMARY,
      { args: ["lag", "nothing"] },
      UNKNOWN,
      /^UNKNOWN: there is no check 'nothing'; the checks are: up lag slots archive repmgrd disk wraparound$/,
    ],
    ["an option that there is not", PRIMARY, { args: ["--text"] }, UNKNOWN, /^usage: .*the names are: up /],
  ])("%s", (_what, answers, options, status, said) => {
    const done = check(answers, options);
    expect(done.said).toMatch(said);
    expect(done.said).not.toContain("\n");
    expect(done.status).toBe(status);
    expect(done.files).toEqual([]);
  });
});

describe("metrics for node_exporter", () => {
  const value = (metrics: string, name: string): string | undefined =>
    new RegExp(`^${name.replace(/[{}"]/g, "\\$&")} (.*)$`, "m").exec(metrics)?.[1];
  const labels = `cluster="main",node="n1"`;

  test("of a primary, all together", () => {
    const { status, said, metrics, files } = check([...PRIMARY, "archive 0 2"], {
      args: ["--textfile"],
      certificateDays: 20,
      backupHours: 1,
    });
    expect({ status, said, files }).toEqual({ status: 0, said: "", files: ["repmgr_main.prom"] });
    expect(value(metrics, `repmgr_primary{${labels}}`)).toBe("1");
    expect(value(metrics, `repmgr_standby_lag_bytes{${labels},standby="n2"}`)).toBe("0");
    expect(value(metrics, `repmgr_slot_wal_bytes{${labels},slot="repmgr_slot_2"}`)).toBe(String(WAL));
    expect(value(metrics, `repmgr_disk_used_ratio{${labels},directory="PGDATA"}`)).toBe("0.1000");
    expect(value(metrics, `repmgr_check_status{${labels},check="certificate"}`)).toBe("1");
    expect(value(metrics, `repmgr_check_status{${labels},check="slots"}`)).toBe("0");
    const written = [...metrics.matchAll(/^# TYPE (\w+) gauge$/gm)].map(([, name]) => name);
    const ofStandby = ["repmgr_replication_streaming", "repmgr_replication_lag_seconds"];
    expect(written).toEqual(Object.keys(METRICS).filter((name) => !ofStandby.includes(name)));
  });

  test("of a standby: its lag; of a witness: nothing of a primary", () => {
    const { metrics } = check(STANDBY, { args: ["--textfile"] });
    expect(value(metrics, `repmgr_replication_lag_seconds{${labels}}`)).toBe("3");
    expect(value(metrics, `repmgr_primary{${labels}}`)).toBe("0");
    const witness = check(PRIMARY, {
      args: ["--textfile"],
      node: 2,
      edits: [["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, role: witness }"]],
    });
    expect(witness.metrics).toMatch(/^repmgr_up\{cluster="main",node="n3"\} 1$/m);
    expect(witness.metrics).not.toContain("repmgr_primary");
  });

  test("of what is down there are some, too, and the status of the service is not that of the node", () => {
    const { status, metrics } = check([], { args: ["--textfile"], psql: "exit 2" });
    expect(status).toBe(0);
    expect(value(metrics, `repmgr_up{${labels}}`)).toBe("0");
    expect(value(metrics, `repmgr_check_status{${labels},check="up"}`)).toBe("2");
    expect(Number(value(metrics, `repmgr_check_time_seconds{${labels}}`))).toBeGreaterThan(Date.now() / 1000 - 60);
  });
});
