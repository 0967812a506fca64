import { unitProbe } from "../../facts/unit";
import { Refused } from "../../providers/kind";
import { systemdUnitKind, type SystemdUnitFacts, type SystemdUnitInputs } from "../../providers/systemdUnit";
import { textOf, unitScript } from "../../providers/unitScript";
import { file, outline, parsed, recorded, scripts } from "./kindFixture";

const postgresql: SystemdUnitInputs = {
  kind: "SystemdUnit",
  pending: [],
  reach: {},
  host: "pg3",
  cluster: "main",
  node: "n1",
  unit: "postgresql-main.service",
  content: "[Service]\n",
  files: [{ path: "/etc/repmgr/main/start-guard", content: "#!/bin/sh\n", mode: "0755", owner: "root:root" }],
  state: "enabled",
  dropIns: [],
};
const repmgrd: SystemdUnitInputs = {
  ...postgresql,
  unit: "repmgrd-main.service",
  files: [],
  running: true,
  pidFile: "/run/repmgrd-main/repmgrd.pid",
};
const running = parsed(unitProbe(repmgrd.unit, repmgrd.pidFile), recorded("unit-repmgrd"));
const nothing = parsed(unitProbe("nothing-here.service", "/run/x"), recorded("unit-absent"));
const guard = file("#!/bin/sh\n", { mode: "0755" });
const converged: SystemdUnitFacts = { file: file("[Service]\n"), files: [], unit: running };
const stopped: SystemdUnitFacts = {
  file: file("[Service]\n"),
  files: [guard],
  unit: { ...running, active: "inactive", isReady: false, startedAt: 0 },
};

test("a real repmgrd that works", () => {
  expect(running).toMatchObject({ state: "enabled", active: "active", isReady: true, restarts: 0, dropIns: [] });
  expect(running.startedAt).toBeCloseTo(Date.UTC(2026, 10, 23, 20, 32, 27) / 1000 + 0.540613, 5);
  expect(systemdUnitKind.plan(repmgrd, converged)).toEqual([]);
  expect(systemdUnitKind.project(repmgrd, converged).inputs).toEqual(repmgrd);
});

test("a unit nobody has heard of is absent, and is made in the order that survives a cut", () => {
  const bare = { file: undefined, files: [], unit: nothing };
  expect(systemdUnitKind.isAbsent(bare)).toBe(true);
  const actions = systemdUnitKind.plan(repmgrd, bare);
  expect(outline(actions)).toEqual(["putFile /etc/systemd/system/repmgrd-main.service", "run", "run", "waitFor"]);
  expect(scripts(actions).split("\n")).toEqual([
    "systemctl enable 'repmgrd-main.service'",
    "systemctl restart 'repmgrd-main.service'",
  ]);
  expect(systemdUnitKind.planDelete(bare, repmgrd, [])).toEqual([]);
});

test("a daemon that systemd calls active but that never began its work is not running", () => {
  const text = recorded("unit-repmgrd").replace(/PidFile=.*/, "PidFile=");
  const unit = parsed(unitProbe(repmgrd.unit, repmgrd.pidFile), text);
  expect(systemdUnitKind.project(repmgrd, { ...converged, unit }).inputs.running).toBe(false);
  expect(outline(systemdUnitKind.plan(repmgrd, { ...converged, unit }))).toEqual(["run", "waitFor"]);
});

test("a daemon started before its file was written is restarted: the run before was cut there", () => {
  const newer = { ...converged, file: file("[Service]\n", { modifiedAt: running.startedAt + 1 }) };
  expect(scripts(systemdUnitKind.plan(repmgrd, newer))).toContain("restart");
});

test.each([
  ["its unit", { file: file("[Service]\n# by hand\n") }],
  ["its guard", { files: [file("#!/bin/sh\nexit 0\n", { mode: "0755" })] }],
  ["its guard's mode", { files: [file("#!/bin/sh\n", { mode: "0777" })] }],
  ["a drop-in", { unit: { ...stopped.unit, dropIns: ["/etc/systemd/system/postgresql-main.service.d/x.conf"] } }],
  ["enabling", { unit: { ...stopped.unit, state: "disabled" as const } }],
])("a hand's change to %s of PostgreSQL shows and is undone without a word to the server", (_, change) => {
  const have: SystemdUnitFacts = { ...stopped, unit: { ...stopped.unit, active: "active", startedAt: 1 }, ...change };
  expect(systemdUnitKind.project(postgresql, have).inputs).not.toEqual(postgresql);
  const script = scripts(systemdUnitKind.plan(postgresql, have));
  expect(script).not.toMatch(/restart|stop|start /);
  expect(systemdUnitKind.plan(postgresql, have).length).toBeGreaterThan(0);
});

test("a masked unit gets its file back", () => {
  const masked = { ...stopped, file: file("", { mode: "0777" }), unit: { ...stopped.unit, state: "masked" as const } };
  const actions = systemdUnitKind.plan(postgresql, masked);
  expect(actions.map(({ why }) => why)[0]).toContain("masked");
  expect(outline(actions)).toEqual(["putFile /etc/systemd/system/postgresql-main.service", "run"]);
});

test("drop-ins that hold for every service are the system's own", () => {
  const paths = "/usr/lib/systemd/system/service.d/10-timeout.conf /etc/systemd/system/repmgrd-main.service.d/a.conf";
  const text = recorded("unit-repmgrd").replace("DropInPaths=", `DropInPaths=${paths}`);
  const { dropIns } = parsed(unitProbe(repmgrd.unit, repmgrd.pidFile), text);
  expect(dropIns).toEqual(["/etc/systemd/system/repmgrd-main.service.d/a.conf"]);
});

test("the wait for a daemon that dies says what it said last", async () => {
  const [wait] = systemdUnitKind.plan(repmgrd, { ...converged, unit: nothing }).slice(-1);
  if (wait?.do !== "waitFor") throw new Error("no wait");
  const dying = { ...running, active: "activating", isReady: false, restarts: 7 };
  const seen = await wait.look((_, probe) =>
    Promise.resolve((probe.key.startsWith("last words") ? "no metadata record found" : dying) as never),
  );
  expect(seen).toMatch(/activating, restarted 7 times; it says: no metadata record found.*journalctl/);
});

test("delete: PostgreSQL's unit stays while the server runs", () => {
  const alive = { ...stopped, unit: { ...stopped.unit, active: "active" } };
  expect(() => systemdUnitKind.planDelete(alive, postgresql, [])).toThrow(Refused);
});

test("delete: repmgrd is stopped, a stopped PostgreSQL loses unit and guard", () => {
  expect(scripts(systemdUnitKind.planDelete(converged, repmgrd, []))).toContain("disable --now 'repmgrd-main.service'");
  const script = scripts(systemdUnitKind.planDelete(stopped, postgresql, []));
  expect(script).toContain("rm' '-f' '/etc/systemd/system/postgresql-main.service' '/etc/repmgr/main/start-guard'");
  expect(script).toContain("rmdir --ignore-fail-on-non-empty");
});

describe("a script that is known by its hash", () => {
  const path = "/etc/repmgr/main/start-guard";
  const source = { template: "check.service", view: { cluster: "main", check: "/etc/repmgr/main/check" } };
  const script = unitScript(path, source, "0755");
  const hashed: SystemdUnitInputs = { ...postgresql, files: [script], sources: { [path]: source } };
  const text = textOf(source);
  const have = (content: string): SystemdUnitFacts => ({ ...stopped, files: [file(content, { mode: "0755" })] });

  test("is as wanted with the text that has the hash, and is written as that text", () => {
    expect(systemdUnitKind.plan(hashed, have(text))).toEqual([]);
    expect(systemdUnitKind.project(hashed, have(text)).inputs).toEqual(hashed);
    expect(systemdUnitKind.plan(hashed, have("another"))).toMatchObject([{ do: "putFile", path, content: text }]);
  });

  test("is not as wanted where the host's text is the hash itself", () => {
    expect(outline(systemdUnitKind.plan(hashed, have(script.content)))).toEqual([`putFile ${path}`]);
    expect(systemdUnitKind.project(hashed, have(script.content)).inputs).not.toEqual(hashed);
  });

  test("is spelled out where another text was found or kept, so that a review shows what differs", () => {
    const found = systemdUnitKind.project(hashed, have("another")).inputs;
    expect(found.files).toMatchObject([{ path, content: "another" }]);
    const wanted = { ...hashed, ...systemdUnitKind.inTheWordsOf?.(found, hashed) };
    expect(wanted.files).toMatchObject([{ path, content: text }]);
    expect(systemdUnitKind.plan(wanted, have(text))).toEqual([]);
    // Once it is as wanted the next look says so with the hash.
    expect(systemdUnitKind.project(wanted, have(text)).inputs).toEqual(hashed);
    for (const before of [{}, hashed]) {
      expect(systemdUnitKind.inTheWordsOf?.(before, hashed)).toEqual({ files: hashed.files });
    }
  });

  test("is refused when its template is another one by now", () => {
    const other = { ...hashed, sources: { [path]: { ...source, view: {} } } };
    expect(() => systemdUnitKind.plan(other, have(""))).toThrow(/start-guard.*has changed since.*run pulumi again/);
  });
});

test.each(["", "ActiveState=active\n", recorded("unit-repmgrd").replace("enabled", "sideways")])(
  "an answer of systemctl that does not tell is no answer (%#)",
  (text) => expect(() => parsed(unitProbe("x.service", "/run/x"), text)).toThrow(),
);

test("what systemd would not take is refused before", () => {
  const problems = systemdUnitKind.validate({ ...repmgrd, unit: "a b", state: "masked", pidFile: undefined });
  expect(problems).toHaveLength(3);
});
