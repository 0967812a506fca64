import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { splitAnswers } from "../../facts/loader";
import type { ProbeAnswer } from "../../facts/probe";
import { togetherScripts } from "../../facts/together";
import { unitProbe } from "../../facts/unit";
import { justNow } from "./kindFixture";

let work: string;
beforeEach(() => (work = mkdtempSync(join(tmpdir(), "together-"))));
afterEach(() => rmSync(work, { recursive: true }));

const SERVICE = ["UnitFileState=enabled", "ActiveState=active", "SubState=running", "NeedDaemonReload=no"];
const STARTED = "Sun 2026-11-29 20:06:01.5 UTC";

/** What the probes are told where systemctl is this function of the shell. */
function ask(systemctl: string, probes: readonly ReturnType<typeof unitProbe>[]): Map<number, ProbeAnswer> {
  const numbered = probes.map((probe, number) => ({ ...probe, number }));
  const [script = ""] = togetherScripts("@@b", numbered);
  const { status, stderr } = spawnSync("sh", ["-c", `systemctl() { ${systemctl}; }\n${script}`], {
    encoding: "utf8",
    env: { ...process.env, work },
  });
  expect([status, stderr]).toEqual([0, ""]);
  return splitAnswers(readFileSync(join(work, "units"), "utf8"), "@@b");
}

test("many units are asked about with one systemctl, and each answer is that of its unit", () => {
  const pidFile = join(work, "it's repmgrd.pid");
  writeFileSync(pidFile, "4711\n");
  const probes = [
    unitProbe("repmgrd-main.service", pidFile),
    unitProbe("postgresql-main.service"),
    unitProbe("repmgr-check-main.timer"),
    unitProbe("repmgrd-gone.service", join(work, "nothing")),
  ];
  const blocks = [
    [...SERVICE, "MainPID=4711", "NRestarts=2", `ExecMainStartTimestamp=${STARTED}`, "DropInPaths="],
    [...SERVICE, "MainPID=12", "NRestarts=0", `ExecMainStartTimestamp=${STARTED}`, "DropInPaths="],
    [...SERVICE, `ActiveEnterTimestamp=${STARTED}`, "DropInPaths="],
    ["UnitFileState=", "ActiveState=inactive", "SubState=dead", "NeedDaemonReload=no", "MainPID=0", "NRestarts=0"],
  ];
  writeFileSync(join(work, "said"), `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\nDropInPaths=\n`);
  const answers = ask(`echo "$@" >>"${work}/asked"; cat "${work}/said"`, probes);
  expect(readFileSync(join(work, "asked"), "utf8").trim().split("\n")).toHaveLength(1);
  const facts = probes.map((probe, number) => {
    const answer = answers.get(number);
    if (answer === undefined) throw new Error(`no answer to ${number}`);
    return probe.parse(answer, justNow());
  });
  expect(facts.map(({ state, active, isReady, restarts }) => [state, active, isReady, restarts])).toEqual([
    ["enabled", "active", true, 2],
    ["enabled", "active", true, 0],
    ["enabled", "active", true, 0],
    ["absent", "inactive", false, 0],
  ]);
  expect(facts.map(({ startedAt }) => startedAt)).toEqual([...Array<number>(3).fill(1795982761.5), 0]);
});

test("what systemctl says when it fails is told of every unit", () => {
  const probes = [unitProbe("a.service"), unitProbe("b.service", "/nothing/here")];
  const answers = ask('echo "Failed to connect to bus" >&2; return 1', probes);
  expect([...answers].map(([, { code, stderr }]) => [code, stderr])).toEqual([
    [1, "Failed to connect to bus\n"],
    [1, "Failed to connect to bus\n"],
  ]);
  expect(() => probes[0]?.parse(answers.get(0) ?? { code: 0, stdout: "", stderr: "" }, justNow())).toThrow(
    "exit status 1: Failed to connect to bus",
  );
});
