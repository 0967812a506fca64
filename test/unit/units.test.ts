import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterPaths } from "../../families";
import { type GuardPeer, postgresqlUnit, repmgrdUnit, startGuard } from "../../resources/units";
import { systemdWord } from "../../ssh/quote";

const spec = { cluster: "main", version: 17, family: "debian", dataDirectory: "/srv/pg data/main" } as const;
const OURS = "7711467505050316867";
const PEERS: GuardPeer[] = [
  { node: "n2", address: "db2", isWitness: false },
  { node: "n3", address: "db3", isWitness: false },
];
const WITNESS: GuardPeer = { node: "n3", address: "db3", isWitness: true };

/** What the fake psql says for a peer: a line on stdout, or "!" and a line on stderr with exit status 2. */
interface Case {
  readonly answers?: Record<string, string>;
  readonly peers?: readonly GuardPeer[];
  readonly system?: string;
  readonly standby?: boolean;
  readonly pass?: boolean;
  readonly isWitness?: boolean;
  readonly timeline?: number;
  readonly withoutPeers?: "allow";
  readonly windowSeconds?: number;
}

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

/** Runs the guard of n1, for real, in a directory where everything it asks is under control. */
function guard(c: Case): { status: number | null; said: string; asked: number; passLeft: boolean; ms: number } {
  const dir = mkdtempSync(join(tmpdir(), "start-guard-"));
  scratch.push(dir);
  const [bin, data] = [join(dir, "bin"), join(dir, "it's data")];
  mkdirSync(bin);
  mkdirSync(join(data, "global"), { recursive: true });
  const control = Buffer.alloc(512);
  control.writeBigUInt64LE(BigInt(OURS));
  writeFileSync(join(data, "global/pg_control"), control);
  if (c.standby) writeFileSync(join(data, "standby.signal"), "");
  if (c.pass) writeFileSync(join(dir, "pass"), "");
  executable(
    join(bin, "pg_controldata"),
    `echo "Latest checkpoint's TimeLineID:       ${c.timeline ?? 1}"; echo "Min recovery ending loc's timeline:   0"\n`,
  );
  for (const [host, answer] of Object.entries(c.answers ?? {})) writeFileSync(join(dir, host), answer);
  executable(
    join(bin, "psql"),
    `host=; while [ $# -gt 0 ]; do [ "$1" = -h ] && host=$2; [ "$1" = -p ] && [ "$2" != 5432 ] && exit 9; shift; done
echo "$host" >>${dir}/asked
answer=$(cat "${dir}/$host")
case $answer in '!'*) echo "psql: error: connection to server at \\"$host\\", port 5432 failed: \${answer#!}" >&2; exit 2 ;; esac
echo "$answer"
`,
  );
  executable(join(bin, "systemctl"), `echo ${c.system ?? "running"}\n`);
  const script = startGuard({
    ...spec,
    dataDirectory: data,
    nodeId: 1,
    port: 5432,
    isWitness: c.isWitness ?? false,
    peers: c.peers ?? PEERS,
    withoutPeers: c.withoutPeers ?? "refuse",
    binDirectory: bin,
    startAnyway: join(dir, "pass"),
    windowSeconds: c.windowSeconds ?? 1,
  });
  const began = Date.now();
  const { status, stderr } = spawnSync("/bin/sh", ["-s"], {
    input: script,
    encoding: "utf8",
    env: { PATH: `${bin}:/usr/bin:/bin` },
  });
  const asked = existsSync(join(dir, "asked"))
    ? spawnSync("wc", ["-l", join(dir, "asked")], { encoding: "utf8" })
    : undefined;
  return {
    status,
    said: stderr.trim(),
    asked: Number.parseInt(asked?.stdout ?? "0", 10),
    passLeft: existsSync(join(dir, "pass")),
    ms: Date.now() - began,
  };
}

const standby = (timeline = 1, identifier = OURS): string => `standby ${identifier} ${timeline}`;
const refused = "!Connection refused";
const silent = "!timeout expired";

describe("it starts", () => {
  test.each<[string, Case]>([
    ["a standby, whatever the peers say", { standby: true, answers: { db2: `primary ${OURS} 2` } }],
    ["the only node of a cluster", { peers: [] }],
    ["a witness, which never is a primary", { isWitness: true, answers: { db2: `primary ${OURS} 1` } }],
    ["both peers are its standbys", { answers: { db2: standby(), db3: standby() } }],
    ["one peer is its standby, the other host is gone", { answers: { db2: standby(), db3: silent } }],
    ["nothing runs on a peer, the other host is gone", { answers: { db2: refused, db3: silent } }],
    ["a peer is primary of something else", { answers: { db2: "primary 42 9", db3: standby() } }],
    ["a standby is older than this instance", { timeline: 3, answers: { db2: standby(2), db3: silent } }],
    [
      "a standby still reads its WAL",
      { answers: { db2: "!FATAL:  the database system is not yet accepting connections", db3: silent } },
    ],
    [
      "the witness knows it as primary",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 1 -" } },
    ],
    [
      "the witness knows no primary yet",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 0 -" } },
    ],
    ["at boot, with its standby there", { system: "starting", answers: { db2: standby(), db3: refused } }],
  ])("%s", (_, c) => {
    const { status, said } = guard(c);
    expect({ status, said }).toEqual({ status: 0, said: "" });
  });
});

describe("it refuses, and says why and what to type", () => {
  test.each<[string, Case, RegExp]>([
    [
      "a peer is primary",
      { answers: { db2: silent, db3: `primary ${OURS} 2` } },
      /n3 \(db3:5432\) is primary on timeline 2.*pulumi up/,
    ],
    [
      "a peer is primary on our own timeline",
      { answers: { db2: standby(), db3: `primary ${OURS} 1` } },
      /n3 \(db3:5432\) is primary on timeline 1.*second one\. Type: pulumi up/,
    ],
    [
      "a standby follows a newer primary",
      { answers: { db2: standby(2), db3: silent } },
      /n2 \(db2:5432\) is on timeline 2, this instance on 1.*pulumi up/,
    ],
    [
      "the witness knows another primary",
      { peers: [PEERS[0] as GuardPeer, WITNESS], answers: { db2: silent, db3: "witness 2 -" } },
      /witness n3 .* knows node 2 as primary, this is node 1/,
    ],
    [
      "no peer answers",
      { answers: { db2: silent, db3: "!No route to host" } },
      /1 of 3 nodes.*2 are needed.*n2: .*timeout expired; n3: .*No route to host.*sudo touch .*pass && sudo systemctl start postgresql-main\.service/,
    ],
    [
      "the password is wrong",
      { answers: { db2: '!FATAL:  password authentication failed for user "repmgr"', db3: silent } },
      /n2: .*password authentication failed/,
    ],
    [
      "a peer that may become primary is still starting",
      { answers: { db2: "!FATAL:  the database system is starting up", db3: standby() } },
      /n2: .*starting up/,
    ],
    [
      "at boot, when nothing runs on the peers yet",
      { system: "starting", answers: { db2: refused, db3: refused } },
      /1 of 3 nodes.*Connection refused/,
    ],
    [
      "two nodes, and the other host is gone",
      { peers: PEERS.slice(0, 1), answers: { db2: silent } },
      /1 of 2 nodes.*2 are needed/,
    ],
  ])("%s", (_, c, message) => {
    const { status, said } = guard(c);
    expect(status).toBe(1);
    expect(said).toMatch(message);
    expect(said.split("\n")).toHaveLength(1);
  });
});

describe("with start_without_peers: allow", () => {
  const withoutPeers = "allow";
  test("it starts when no peer answers, and says so", () => {
    const { status, said, ms } = guard({ withoutPeers, windowSeconds: 2, answers: { db2: silent, db3: silent } });
    expect({ status, said }).toEqual({
      status: 0,
      said: expect.stringMatching(/^starts although only 1 of 3 nodes.*start_without_peers is allow.*n2: /) as string,
    });
    expect(ms).toBeGreaterThan(1_000);
  });
  test.each<[string, Record<string, string>]>([
    ["a peer is primary", { db2: silent, db3: `primary ${OURS} 2` }],
    ["a standby follows a newer primary", { db2: standby(2), db3: silent }],
  ])("it refuses all the same when %s", (_, answers) => {
    expect(guard({ withoutPeers, answers })).toMatchObject({ status: 1 });
  });
});

test("it decides at once when the peers answer", () => {
  const { ms, asked } = guard({ answers: { db2: standby(), db3: standby() } });
  expect(asked).toBe(2);
  expect(ms).toBeLessThan(1_000);
});

test("it goes on asking until its window ends", () => {
  const { asked, ms } = guard({ answers: { db2: silent, db3: silent } });
  expect(asked).toBeGreaterThanOrEqual(4);
  expect(ms).toBeLessThan(5_000);
});

test("the pass lets one start through and is gone", () => {
  const c = { pass: true, answers: { db2: silent, db3: silent } };
  expect(guard(c)).toMatchObject({ status: 0, asked: 0, passLeft: false });
  expect(guard({ ...c, standby: true })).toMatchObject({ status: 0, passLeft: false });
});

test("the units name nothing that another cluster of the host could share", () => {
  const own = (text: string): string[] =>
    text.match(/^(ExecStart|ExecStartPre|RuntimeDirectory|LogsDirectory)=.*$/gm) ?? [];
  expect(own(postgresqlUnit(spec))).toEqual([
    "ExecStartPre=/etc/repmgr/main/start-guard",
    'ExecStart=/usr/lib/postgresql/17/bin/postgres -D "/srv/pg data/main"',
    "RuntimeDirectory=postgresql",
    "LogsDirectory=postgresql/main",
  ]);
  expect(own(repmgrdUnit(spec))).toEqual([
    `ExecStart=/usr/lib/postgresql/17/bin/repmgrd -f /etc/repmgr/main/repmgr.conf --daemonize=false --pid-file=${clusterPaths(spec).repmgrdPidFile}`,
    "RuntimeDirectory=repmgrd-main",
  ]);
});

test("PostgreSQL is never restarted by systemd, repmgrd always, and neither unit needs sudo", () => {
  expect(postgresqlUnit(spec)).toMatch(/^Restart=no$/m);
  expect(postgresqlUnit(spec)).toMatch(/^RequiresMountsFor="\/srv\/pg data\/main"$/m);
  expect(repmgrdUnit(spec)).toMatch(/^Restart=always$/m);
  expect(repmgrdUnit(spec)).not.toMatch(/^Requires/m);
  expect(postgresqlUnit(spec) + repmgrdUnit(spec)).not.toContain("sudo");
});

test.each([
  ["/srv/100%/main", "/srv/100%%/main"],
  ['/srv/a "b" \\c', '"/srv/a \\"b\\" \\\\c"'],
])("a path that systemd would read otherwise is quoted: %s", (path, word) => expect(systemdWord(path)).toBe(word));

test("a path that no unit can hold is refused", () => {
  expect(() => systemdWord("/srv/$HOME")).toThrow(/0x24/);
  expect(() => systemdWord("/srv/a\nb")).toThrow(/0x0a/);
});
