import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { parseHost } from "../../facts/host";
import { parseInstance } from "../../facts/instance";
import { labelsProbe, parseLabels, SELINUX_MODE } from "../../facts/selinux";
import { Refused } from "../../providers/kind";
import { labelQuestion, type LabelView } from "../../providers/instanceLabels";
import { pgInstanceKind, type PgInstanceInputs } from "../../providers/pgInstance";
import * as facts from "../support/facts";
import { absent, plan } from "./instancePlanFixture";
import { parsed, recorded } from "./kindFixture";

const AT = "/data/pg/main";
const OURS = { port: 5433, dataDirectory: AT };

/** Of a guest of the lab, with a rule for everything. */
const RIGHT = `semanage=1
port=system_u:object_r:postgresql_port_t:s0
rsync=0
place=data 1 system_u:object_r:postgresql_db_t:s0 ${AT}
place=log 1 system_u:object_r:postgresql_log_t:s0 /var/log/postgresql/main
place=socket 1 system_u:object_r:postgresql_runtime_t:s0 /run/postgresql
place=way 1 system_u:object_r:var_t:s0 /data/pg
place=way 1 system_u:object_r:var_t:s0 /data
look=/data verified.
look=/data/pg verified.
`;
/** Of the same guest before anything was installed. */
const FRESH = `semanage=1
rsync=0
place=data 0 system_u:object_r:default_t:s0 ${AT}
place=log 0 system_u:object_r:postgresql_log_t:s0 /var/log/postgresql/main
place=socket 0 system_u:object_r:postgresql_runtime_t:s0 /run/postgresql
place=way 0 system_u:object_r:default_t:s0 /data/pg
place=way 1 system_u:object_r:default_t:s0 /data
look=/data verified.
`;
const PORT = "port 5433 is no port of PostgreSQL by the policy, not postgresql_port_t";
const DATA = `${AT} is default_t by the policy, not postgresql_db_t`;
const WAYS = ["/data/pg", "/data"].map((way) => `${way} is default_t by the policy, not var_t`);

const view = (text: string, mode: LabelView["mode"] = "enforcing"): LabelView => ({ mode, ...parseLabels(text) });
const without = (text: string, ...lines: string[]): string =>
  lines.reduce((rest, line) => rest.replace(line, ""), text);

function planned(labels: LabelView, over: Partial<PgInstanceInputs> = {}): ReturnType<typeof plan> {
  const inputs = facts.instanceInputs(1, { ...OURS, ...over });
  return plan(inputs, facts.instanceFacts(inputs, facts.healthy(), { labels }));
}

function shown(labels: LabelView, over: Partial<PgInstanceInputs> = {}): readonly string[] | undefined {
  const inputs = facts.instanceInputs(1, { ...OURS, ...over });
  return pgInstanceKind.project(inputs, facts.instanceFacts(inputs, facts.healthy(), { labels })).inputs.labels;
}

describe("whether there is SELinux", () => {
  test.each<[string, string, string | undefined]>([
    ["enforcing", "selinux=1\n", "enforcing"],
    ["permissive", "selinux=0\n", "permissive"],
    ["disabled", "", undefined],
  ])("%s", (_, said, mode) => {
    expect(parseInstance(`repmgrd=active\n${said}data=absent\n`).selinux).toBe(mode);
    expect(parseHost(`${recorded("host")}\n${said}`).selinux).toBe(mode);
  });
});

test("what is asked of every host starts no process, and a host without SELinux has nothing to say", () => {
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", SELINUX_MODE], {
    env: { PATH: "/nowhere" },
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(stdout).toBe(existsSync("/sys/fs/selinux/enforce") ? expect.stringMatching(/^(selinux=[01]\n)?$/) : "");
});

test("an instance that is as wanted has nothing to show and nothing to be done, and what a state remembers is forgotten", () => {
  expect(planned(view(RIGHT))).toEqual([]);
  expect(shown(view(RIGHT), { labels: ["port 5433 was wrong"] })).toBeUndefined();
  const defaults = view(without(RIGHT, "port=system_u:object_r:postgresql_port_t:s0\n"));
  expect(planned(defaults, { port: 5432, settings: facts.instanceInputs(1).settings })).toEqual([]);
});

test("before there are data, one batch of rules, and what is there is labelled after it", () => {
  const inputs = facts.instanceInputs(1, OURS);
  const have = facts.instanceFacts(inputs, facts.view([absent, absent, absent]), { labels: view(FRESH) });
  const [rules, restore, ...rest] = plan(inputs, have);
  expect(rules).toMatchObject({ do: "run", host: "pg1" });
  expect(rules?.why).toBe(`SELinux has to know of the cluster: ${[PORT, DATA, ...WAYS].join("; ")}`);
  expect(rules?.do === "run" && rules.stdin).toBe(
    [
      "port -a -t postgresql_port_t -p tcp 5433",
      "fcontext -a -t postgresql_db_t '/data/pg/main(\\.building)?(/.*)?'",
      "fcontext -a -t var_t '/data/pg'",
      "fcontext -a -t var_t '/data'",
      "",
    ].join("\n"),
  );
  expect(restore?.do === "run" && restore.script).toBe("restorecon -F '/data'");
  expect(facts.whys(rest).some((why) => why.includes("initdb"))).toBe(true);
});

test.each<[string, string, string[], string[]]>([
  [
    "a file that was moved here from a home directory",
    `${RIGHT}look=${AT}/PG_VERSION has context unconfined_u:object_r:user_home_t:s0, should be system_u:object_r:postgresql_db_t:s0\n`,
    [`${AT}/PG_VERSION is user_home_t, not postgresql_db_t`],
    [`restorecon -RF '${AT}'`],
  ],
  [
    "the right type in another category",
    `${RIGHT}look=${AT}/base has context system_u:object_r:postgresql_db_t:s0:c1, should be system_u:object_r:postgresql_db_t:s0\n`,
    [`${AT}/base is system_u:object_r:postgresql_db_t:s0:c1, not system_u:object_r:postgresql_db_t:s0`],
    [`restorecon -RF '${AT}'`],
  ],
  [
    "a directory on the way that nobody may pass",
    `${RIGHT}look=/data has context system_u:object_r:default_t:s0, should be system_u:object_r:var_t:s0\n`,
    ["/data is default_t, not var_t"],
    ["restorecon -F '/data'"],
  ],
  [
    "a directory on the way that somebody gave another label",
    `${RIGHT}look=/data has context system_u:object_r:public_content_t:s0, should be system_u:object_r:var_t:s0\n`,
    [],
    [],
  ],
  ["a rule for the port that is gone", without(RIGHT, "port=system_u:object_r:postgresql_port_t:s0\n"), [PORT], []],
  [
    "a port that was given to another service",
    RIGHT.replace("postgresql_port_t", "http_port_t"),
    ["port 5433 is http_port_t, not postgresql_port_t"],
    [],
  ],
  [
    "a rule for the data that is gone, and files that are still right",
    `${RIGHT.replace("postgresql_db_t", "default_t")}look=${AT}/base has context system_u:object_r:postgresql_db_t:s0, should be system_u:object_r:default_t:s0\n`,
    [DATA],
    [`restorecon -RF '${AT}'`],
  ],
  [
    "a tablespace elsewhere",
    `${RIGHT}place=data 1 system_u:object_r:default_t:s0 /ssd/fast\n`,
    ["/ssd/fast is default_t by the policy, not postgresql_db_t"],
    ["restorecon -RF '/ssd/fast'"],
  ],
  [
    "a place where the policy gives no label at all",
    RIGHT.replace("system_u:object_r:postgresql_db_t:s0", "<<none>>"),
    [`${AT} is without a label by the policy, not postgresql_db_t`],
    [`restorecon -RF '${AT}'`],
  ],
])("%s is shown, and up repairs it", (_, text, problems, restores) => {
  expect(shown(view(text)) ?? []).toEqual(problems);
  const scripts = planned(view(text)).map((action) => (action.do === "run" ? action.script : action.do));
  expect(scripts.filter((script) => script.startsWith("restorecon"))).toEqual(restores);
  expect(scripts.length > restores.length).toBe(
    problems.some((problem) => !restores.length || / by the policy/.test(problem)),
  );
});

describe("rsync in archive_command", () => {
  const settings = { ...facts.instanceInputs(1).settings, archive_command: "rsync -a %p backup:/srv/wal/%f" };

  test("turns the policy's switch for it on", () => {
    const [action] = planned(view(RIGHT), { settings });
    expect(action?.do === "run" && action.stdin).toBe("boolean -m --on postgresql_can_rsync\n");
  });

  test.each([
    ["that is on", RIGHT.replace("rsync=0", "rsync=1")],
    ["that the policy does not have", without(RIGHT, "rsync=0\n")],
  ])("leaves a switch alone %s", (_, text) => {
    expect(shown(view(text), { settings })).toBeUndefined();
  });

  test("is nothing to a cluster that does not use it", () => {
    expect(shown(view(RIGHT))).toBeUndefined();
  });
});

describe("without semanage", () => {
  const bare = without(FRESH, "semanage=1\n");

  test("an enforcing host is refused, with what to type", () => {
    expect(() => planned(view(bare))).toThrow(Refused);
    expect(() => planned(view(bare))).toThrow(
      /^pg1: SELinux is enforcing here.*missing: port 5433 .*Type there: sudo apt-get install policycoreutils-python-utils$/,
    );
    expect(() => planned(view(bare), { family: "redhat" })).toThrow(/sudo dnf install policycoreutils-python-utils$/);
  });

  test("a permissive host is told so once, and has no drift that up could not repair", () => {
    const labels = view(bare, "permissive");
    const inputs = facts.instanceInputs(1, OURS);
    const have = facts.instanceFacts(inputs, facts.healthy(), { labels });
    expect(plan(inputs, have)).toEqual([]);
    expect(shown(labels)).toBeUndefined();
    expect(pgInstanceKind.remarks?.(inputs, have)).toEqual([
      expect.stringMatching(/^pg1: SELinux is permissive here.*apt-get install .*, before SELinux enforces$/),
    ]);
  });

  test("a host that needs no rule is as good as any", () => {
    expect(planned(view(without(RIGHT, "semanage=1\n")))).toEqual([]);
  });
});

test("a permissive host is labelled like an enforcing one", () => {
  expect(facts.whys(planned(view(FRESH, "permissive")))).toEqual(facts.whys(planned(view(FRESH))));
});

test("an instance that others have set up is not asked about", () => {
  const layout = {} as NonNullable<PgInstanceInputs["layout"]>;
  expect(labelQuestion(facts.instanceInputs(1, { layout }))).toBeUndefined();
});

test("names of directories are quoted in rules and commands", () => {
  const path = "/srv/it's (new)/a.b+c";
  const labels = view(RIGHT.replaceAll(AT, path).replace("postgresql_db_t", "default_t"));
  const [rules, restore] = planned(labels, { dataDirectory: path });
  expect(rules?.do === "run" && rules.stdin).toBe(
    "fcontext -a -t postgresql_db_t '/srv/it'\\''s.\\(new\\)/a\\.b\\+c(\\.building)?(/.*)?'\n",
  );
  expect(restore?.do === "run" && restore.script).toBe("restorecon -RF '/srv/it'\\''s (new)/a.b+c'");
});

test("the question is shell, whatever the directories are called", () => {
  const path = "/srv/it's (new)/$(a) `b`";
  const { script } = labelsProbe({
    port: 5433,
    dataDirectory: path,
    tablespaces: [path],
    configFile: path,
    logDirectory: path,
    socketDirectory: path,
  });
  const { status, stderr } = spawnSync("/bin/sh", ["-n"], { input: script, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});

test("an answer that is cut off or makes no sense is no answer", () => {
  const probe = labelsProbe({ ...OURS, tablespaces: [], configFile: "", logDirectory: "", socketDirectory: "" });
  expect(() => parsed(probe, "place=somewhere\n")).toThrow(/no place/);
  expect(() => parsed(probe, RIGHT, 1)).toThrow(/exit status 1/);
});
