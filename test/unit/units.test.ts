import { clusterPaths } from "../../families";
import { postgresqlUnit, repmgrdUnit } from "../../resources/units";
import { systemdWord } from "../../ssh/quote";

const spec = {
  cluster: "main",
  version: 17,
  family: "debian",
  dataDirectory: "/srv/pg data/main",
  limits: { openFiles: 65536, oomScoreAdjust: -900 },
} as const;

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

test("the limits of PostgreSQL's unit are those of the inventory", () => {
  const text = postgresqlUnit({ ...spec, limits: { openFiles: 4096, oomScoreAdjust: -1000 } });
  expect(text.match(/^(OOMScoreAdjust|LimitNOFILE)=.*$/gm)).toEqual(["OOMScoreAdjust=-1000", "LimitNOFILE=4096"]);
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
