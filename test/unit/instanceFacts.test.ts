import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentProbe } from "../../facts/content";
import { type InstanceFacts, instanceProbe, parseInstance } from "../../facts/instance";
import { running } from "../support/facts";
import { justNow, parsed, recorded } from "./kindFixture";

/** What the probe got from real instances (PostgreSQL 17, repmgr 5.5): n1 on port 5432, n2 on 5433. */
const real = (name: string): InstanceFacts => parseInstance(recorded(`instance-${name}`));

describe("a real instance", () => {
  test("that is primary", () => {
    const facts = real("primary");
    expect(facts).toMatchObject({
      data: "present",
      ownership: "postgres:postgres 0700",
      majorVersion: 17,
      isStandby: false,
      alive: true,
      refusal: "",
      repmgrd: "inactive",
      control: { state: "in production", timeline: 1, checksums: true },
      running: { inRecovery: false, timeline: 1, walReceiver: null, hbaErrors: [], hasRepmgr: true },
      repmgr: { paused: false },
    });
    expect(facts.control?.systemIdentifier).toMatch(/^\d{19}$/);
    expect(facts.running?.replicas).toEqual([{ name: "n2", state: "streaming", syncState: "async", lagBytes: 0 }]);
    expect(facts.running?.slots).toEqual([{ name: "repmgr_slot_2", active: true, walStatus: "reserved" }]);
    expect(facts.running?.roles.find(({ name }) => name === "app")).toMatchObject({
      login: true,
      superuser: false,
      connectionLimit: 20,
      verifier: expect.stringMatching(/^SCRAM-SHA-256\$4096:/) as string,
    });
    expect(facts.running?.settings.shared_preload_libraries).toEqual({
      setting: "repmgr",
      context: "postmaster",
      sourceFile: "/srv/pg/n1/postgresql.conf",
      pendingRestart: false,
    });
    expect(
      facts.repmgr?.nodes.map(({ id, name, type, upstream, active, slot }) => [id, name, type, upstream, active, slot]),
    ).toEqual([
      [1, "n1", "primary", null, true, "repmgr_slot_1"],
      [2, "n2", "standby", 1, true, "repmgr_slot_2"],
    ]);
  });

  test("that is a standby", () => {
    expect(real("standby")).toMatchObject({
      isStandby: true,
      control: { state: "in archive recovery", systemIdentifier: real("primary").control?.systemIdentifier },
      running: {
        inRecovery: true,
        timeline: 1,
        walReceiver: { status: "streaming", senderHost: "198.18.5.11", senderPort: 5432, slot: "repmgr_slot_2" },
      },
    });
  });

  test("with settings that wait for a restart, ALTER SYSTEM and a broken pg_hba.conf", () => {
    const { settings, hbaErrors } = running(real("primary-pending").running);
    expect(settings.max_connections).toMatchObject({ setting: "100", context: "postmaster", pendingRestart: true });
    expect(settings.work_mem).toMatchObject({
      setting: "8MB",
      sourceFile: "/srv/pg/n1/postgresql.auto.conf",
      pendingRestart: false,
    });
    expect(hbaErrors).toHaveLength(1);
    expect(hbaErrors[0]).toMatch(/^line \d+: /);
  });

  test.each<[string, object]>([
    ["standby-down", { alive: false, isStandby: true, control: { state: "shut down in recovery", timeline: 1 } }],
    ["primary-crashed", { alive: false, isStandby: false, control: { state: "in production", timeline: 1 } }],
    ["primary-down", { alive: false, isStandby: false, control: { state: "shut down", timeline: 2 } }],
    ["promoted", { alive: true, isStandby: false, running: { inRecovery: false, timeline: 2 } }],
    ["absent", { data: "absent", ownership: "" }],
    ["empty", { data: "empty", ownership: "postgres:postgres 0750" }],
    ["foreign", { data: "foreign" }],
  ])("%s", (name, expected) => expect(real(name)).toMatchObject(expected));

  test("promoted, and gone before its first checkpoint: it is on the new timeline all the same", () => {
    expect(recorded("instance-promoted-crashed")).toMatch(/Latest checkpoint's TimeLineID: +1\n/);
    expect(real("promoted-crashed")).toMatchObject({
      isStandby: false,
      control: { state: "in production", timeline: 2 },
    });
  });

  test("holds no word of it when nothing can be said", () => {
    expect(() => parseInstance("")).toThrow(/no word on PGDATA/);
    expect(() => parseInstance("data=present\ncontrol=pg_control version number: 1300")).toThrow(
      /does not say "Database system identifier"/,
    );
    expect(() => parseInstance("data=present\nrunning={}")).toThrow(/unexpected answer from SQL/);
  });
});

const PLPGSQL = { name: "plpgsql", version: "1.0", schema: "pg_catalog", available: "1.0" };
const HSTORE = { name: "hstore", version: "1.4", schema: "sales", available: "1.8" };
const PUBLIC = { name: "public", owner: "pg_database_owner" };

test("real roles: what they may, until when, what they are members of, their settings", () => {
  const { roles } = parsed(contentProbe("psql"), recorded("content"));
  expect(roles.map(({ name }) => name)).toEqual(["app", "forever", "postgres", "reader", "writer"]);
  expect(roles[0]).toEqual({
    ...{ name: "app", login: true, superuser: false, createdb: false, createrole: false, replication: false },
    ...{ inherit: true, bypassrls: true, connectionLimit: 20, verifier: null, validUntil: "2027-01-31T00:00:00Z" },
    memberOf: ["pg_monitor", "reader", "writer"].map((role) => ({ role, grantor: "postgres" })),
    settings: { "my.own": 'a=b "c"', search_path: 'sales, "$user"', statement_timeout: "30s" },
  });
  expect(roles[1]).toMatchObject({ validUntil: "infinity", memberOf: [], settings: {} });
  expect(roles[4]).toMatchObject({ login: false, inherit: false, validUntil: null });
});

const ALL = ["insert", "update", "delete", "truncate"];
const PUBLICATIONS = [
  {
    ...{ name: "p1", owner: "postgres", allTables: false, schemas: [], publish: ALL },
    tables: [
      { schema: "sales", name: "log", narrowed: "" },
      { schema: "sales", name: "orders", narrowed: " (id, total) where (id > 10)" },
    ],
  },
  { name: "p2", owner: "postgres", allTables: true, schemas: [], publish: ["insert"], tables: [] },
  { name: "p3", owner: "postgres", allTables: false, schemas: ["sales"], publish: ALL, tables: [] },
];

test("real slots, physical and logical", () => {
  expect(parsed(contentProbe("psql"), recorded("content")).slots).toEqual([
    { name: "repmgr_slot_2", database: null, plugin: null, active: true, lost: false },
    { name: "wh", database: "app", plugin: "pgoutput", active: false, lost: false },
  ]);
});

test("real tablespaces", () => {
  expect(parsed(contentProbe("psql"), recorded("content")).tablespaces).toEqual([
    { name: "fast", directory: "/srv/pg/fast", owner: "app", options: { random_page_cost: "1.1" } },
  ]);
});

test("real databases, one with every quote in its name", () => {
  const made = { encoding: "UTF8", provider: "libc", locale: "C.UTF-8", tablespace: "pg_default" };
  const shared = { ...made, connectionLimit: -1, closed: false, settings: {} };
  const own = { provider: "icu", locale: "de-DE", connectionLimit: 7, settings: { work_mem: "8MB" } };
  const empty = { ...shared, owner: "postgres", extensions: [PLPGSQL], schemas: [PUBLIC], publications: [] };
  expect(parsed(contentProbe("psql"), recorded("content")).databases).toEqual([
    {
      ...{ ...shared, ...own, name: "app", owner: "app", extensions: [HSTORE, PLPGSQL] },
      schemas: [PUBLIC, { name: "sales", owner: "app" }],
      publications: PUBLICATIONS,
    },
    { ...empty, name: `it's "a" \\ db` },
    { ...empty, name: "postgres" },
  ]);
});

test("a database that lets nobody in is there, and nothing is known of what is in it", () => {
  const closed = recorded("content")
    .replace(/("name": "postgres", "owner": "postgres", "closed": )false/, "$1true")
    .replace(/^.*"postgres", "schemas".*\n/m, "");
  const { databases } = parsed(contentProbe("psql"), closed);
  expect(databases[2]).toMatchObject({ name: "postgres", closed: true, extensions: [], schemas: [], publications: [] });
});

test("databases that cannot be read are an error, and so is one that came or went meanwhile", () => {
  const probe = contentProbe("psql");
  const said = { code: 0, stderr: "", stdout: recorded("content") };
  expect(() => probe.parse({ code: 1, stdout: "", stderr: "could not connect\n" }, justNow())).toThrow(
    "could not connect",
  );
  const gone = said.stdout.split("\n").filter((line) => !line.includes('"postgres", "schemas"'));
  expect(() => probe.parse({ ...said, stdout: gone.join("\n") }, justNow())).toThrow(
    "the database postgres is listed and does not answer",
  );
});

describe("the probe itself, run for real with a psql of the test", () => {
  const scratch = mkdtempSync(join(tmpdir(), "instance-"));
  const [bin, data] = [join(scratch, "bin"), join(scratch, "it's data")];
  const sqlAnswer = recorded("instance-primary").match(/^running=(.*)$/m)?.[1] ?? "";
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  // The postmaster of the probe is a process whose working directory is PGDATA: this shell.
  const look = (
    over: { version?: boolean; alive?: boolean } = {},
  ): { code: number; stdout: string; stderr: string } => {
    const probe = instanceProbe({
      version: 17,
      port: 5432,
      dataDirectory: data,
      binDirectory: bin,
      socketDirectory: "/run",
      repmgrdUnit: "r",
      repmgrdPidFile: join(scratch, "it's the pid"),
      fenceMark: join(scratch, "it's the mark"),
      unitFile: join(scratch, "it's the unit"),
    });
    const postmaster = over.alive === false ? "echo 999999999" : "echo $$";
    const script = `cd ${JSON.stringify(data)}; ${postmaster} >postmaster.pid\n(${probe.script}\n)`.replaceAll(
      "cd /\n",
      "",
    );
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s"], {
      input: script,
      encoding: "utf8",
      env: { PATH: `${bin}:/usr/bin:/bin` },
    });
    return { code: status ?? -1, stdout, stderr };
  };
  const facts = (): InstanceFacts => {
    const probe = instanceProbe({
      version: 17,
      port: 5432,
      dataDirectory: data,
      binDirectory: bin,
      socketDirectory: "/run",
      repmgrdUnit: "r",
      repmgrdPidFile: join(scratch, "it's the pid"),
      fenceMark: join(scratch, "it's the mark"),
      unitFile: join(scratch, "it's the unit"),
    });
    return probe.parse(look(), justNow());
  };

  beforeAll(() => {
    mkdirSync(bin);
    mkdirSync(data);
    writeFileSync(join(data, "PG_VERSION"), "17\n");
    program("systemctl", "echo active");
    program("setpriv", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
    symlinkSync("/bin/true", join(bin, "restorecon"));
  });
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** @param first at home in the database postgres; @param second in the database repmgr, where both questions are asked */
  const psql = (first: string, second: string): void =>
    program("psql", `cat >/dev/null; case "$*" in *'-d repmgr') ${second} ;; *) ${first} ;; esac`);
  const answer = (text: string): string => `printf '%s\\n' '${text.replaceAll("'", "'\\''")}'`;
  const both = (repmgr?: string): string =>
    [`running=${sqlAnswer}`, ...(repmgr === undefined ? [] : [`repmgr=${repmgr}`])].map(answer).join("; ");

  test("a warning that PostgreSQL gives at every login does not hide the answer", () => {
    const warning = `echo 'WARNING:  database "postgres" has a collation version mismatch' >&2; echo 'HINT:  Rebuild' >&2`;
    psql("exit 9", `${warning}; ${both('{"nodes": [], "paused": false}')}`);
    expect(facts()).toMatchObject({
      alive: true,
      running: { inRecovery: false },
      repmgr: { nodes: [], paused: false },
    });
    psql(`${warning}; ${answer(sqlAnswer.replace('"hasRepmgr": true', '"hasRepmgr": false'))}`, "exit 2");
    expect(facts()).toMatchObject({ alive: true, running: { inRecovery: false, hasRepmgr: false } });
    expect(facts().repmgr).toBeUndefined();
  });

  test("a server that refuses says why", () => {
    psql("echo 'psql: error: x'; echo 'FATAL:  sorry, too many clients already' >&2; exit 2", "exit 2");
    expect(facts()).toMatchObject({ alive: true, refusal: "FATAL:  sorry, too many clients already" });
    expect(facts().running).toBeUndefined();
  });

  test("a repmgr database that cannot be read is not one without nodes", () => {
    psql(answer(sqlAnswer), "echo 'canceling statement due to statement timeout' >&2; exit 3");
    expect(facts).toThrow(/statement timeout\nthe database repmgr cannot be read/);
  });

  test("a repmgr database without the extension", () => {
    psql("exit 9", both());
    expect(facts()).toMatchObject({ alive: true, running: { hasRepmgr: true } });
    expect(facts().repmgr).toBeUndefined();
  });

  test("a postmaster.pid that somebody else's process has by now", () => {
    psql(answer(sqlAnswer), ":");
    expect(parseInstance(look({ alive: false }).stdout)).toMatchObject({ data: "present", alive: false });
  });

  test("a pid file of repmgrd's that names nobody, or a process of something else, is no word of systemd's", () => {
    const file = join(scratch, "it's the pid");
    for (const pid of ["", "999999999", String(process.pid)]) {
      writeFileSync(file, `${pid}\n`);
      for (const word of ["activating", "failed"]) {
        program("systemctl", `echo ${word}; exit 3`);
        expect([pid, parseInstance(look({ alive: false }).stdout).repmgrd]).toEqual([pid, word]);
      }
    }
    rmSync(file);
    program("systemctl", "echo active");
  });

  test("a unit that was written since its last start", () => {
    const [unit, started] = [join(scratch, "it's the unit"), join(data, "postmaster.opts")];
    for (const path of [unit, started]) writeFileSync(path, "");
    utimesSync(started, 1_000, 1_000);
    expect(facts().unitIsNewer).toBe(true);
    utimesSync(unit, 999, 999);
    expect(facts().unitIsNewer).toBeUndefined();
    rmSync(unit);
    expect(facts().unitIsNewer).toBeUndefined();
  });

  test("a fence that has stopped it since its last start", () => {
    const seen = (): string | undefined => parseInstance(look({ alive: false }).stdout).fenced;
    const [mark, started] = [join(scratch, "it's the mark"), join(data, "postmaster.opts")];
    for (const path of [mark, started]) writeFileSync(path, "2026-11-24T11:13:33Z: nobody\nmore\n");
    utimesSync(started, 1_000, 1_000);
    expect(seen()).toBe("2026-11-24T11:13:33Z: nobody");
    utimesSync(mark, 999, 999);
    expect(seen()).toBeUndefined();
    rmSync(mark);
    expect(seen()).toBeUndefined();
  });
});
