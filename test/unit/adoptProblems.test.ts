import { changed, found, type Recorded, recorded, TARGETS } from "./adoptFixture";

const debian = recorded("debian");
const on2 = (from: string | RegExp, to: string): Recorded => changed(debian, "pg2", from, to);

test.each<[string, Recorded, RegExp[]]>([
  ["nothing", debian, []],
  [
    "a version that is not supported",
    on2(/^version=17$/gm, "version=12"),
    [
      /^pg2: PostgreSQL 12 is not supported; supported are 13, 14, 15, 16, 17$/,
      /^pg2: PostgreSQL is \/usr\/lib\/postgresql\/17\/bin\/postgres, supported is that of the packages, /,
      /^version is not the same on all hosts/,
    ],
  ],
  [
    "no repmgrd",
    on2(/^repmgrd\t.*\n/gm, ""),
    [/^pg2: no repmgrd runs here/, /^repmgrdUnit is not the same .*pg2: nothing/],
  ],
  [
    "PostgreSQL outside of systemd",
    on2("\tpostgresql@17-main.service\t", "\tsession-3.scope\t"),
    [
      /^pg2: PostgreSQL \(pid \d+\) runs outside of a unit of systemd \(session-3\.scope\)/,
      /^postgresqlUnit is not the same/,
    ],
  ],
  [
    "a tablespace that is not where the others have it",
    on2('"tablespaces" : {}', '"tablespaces" : {"fast": "/srv/fast"}'),
    [/^directory of the tablespace fast is not the same on all hosts.*pg1: nothing, pg2: \/srv\/fast/],
  ],
  [
    "a restart that is waited for",
    on2(
      /("max_connections": \{[^}]*"pendingRestart": )false/g,
      '"max_connections": {"setting": "150", "context": "postmaster", "sourceFile": null, "pendingRestart": true',
    ),
    [/^pg2: max_connections wait for a restart\. /],
  ],
  ["no extension", on2(/^repmgr=.*\n/gm, ""), [/^pg2: the database repmgr with the extension repmgr is not there/]],
  [
    "another database and role of repmgr",
    on2("user=repmgr dbname=repmgr connect", "user=ha dbname=hadb connect"),
    [/^pg2: conninfo in \/etc\/repmgr\.conf says user=ha, supported/, /^pg2: conninfo .* says dbname=hadb, supported/],
  ],
  [
    "a password in conninfo",
    on2("dbname=repmgr connect", "dbname=repmgr password=x connect"),
    [/^pg2: conninfo in \/etc\/repmgr\.conf holds a password, which would stand in the inventory/],
  ],
  [
    "a name the inventory cannot hold",
    on2(/node2\b/g, "Node-2"),
    [/^pg2: node_name in \/etc\/repmgr\.conf is "Node-2", supported are/],
  ],
  [
    "two primaries",
    on2('"inRecovery": true', '"inRecovery": false'),
    [/^2 of these hosts take writes \(pg1, pg2\); exactly one must$/],
  ],
  [
    "other data",
    on2(/^control=Database system identifier: .*$/gm, "control=Database system identifier: 7"),
    [/^system identifier is not the same/],
  ],
  [
    "a configuration in another place",
    on2("/etc/postgresql/17/main/postgresql.conf", "/etc/other.conf"),
    [/^pg2: nobody asked "file \/etc\/other\.conf"/],
  ],
])("%s is named, with its place", async (_, answers, expected) => {
  const { problems } = await found(answers);
  expect(problems).toHaveLength(expected.length);
  expected.forEach((pattern, index) => expect(problems[index]).toMatch(pattern));
});

test("a node that is not among the hosts", async () => {
  const { problems } = await found(debian, TARGETS.slice(0, 2));
  expect(problems).toEqual([
    expect.stringMatching(
      /^node3 \(node 3, host=198\.18\.3\.13 .*\) is registered and none of these hosts; name its host with --host too, or unregister it: repmgr standby unregister --node-id=3$/,
    ),
  ]);
});

test("several PostgreSQL on a host, and a host that does not answer: each host is told, and all at once", async () => {
  const line = /^(postgres\t\d+\t[^\t]*\t[^\t]*\t)(.*)$/gm.exec(debian.pg2?.processes?.stdout ?? "");
  const two = changed(
    debian,
    "pg2",
    line?.[0] ?? "none",
    `${line?.[0] ?? ""}\npostgres\t7\tx.service\t/x\t/srv/x\tpostgres\t5433\t/tmp`,
  );
  const { problems } = await found({ ...two, pg3: {} });
  expect(problems).toEqual([
    expect.stringMatching(
      /^pg2: several run here: .* on port 5432, \/srv\/x on port 5433\. Say which one with --port$/,
    ),
    'pg3: nobody asked "processes"',
  ]);
});
