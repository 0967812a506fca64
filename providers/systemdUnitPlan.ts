import { type Action, asRoot, type WaitFor } from "../actions/action";
import type { FileFact } from "../facts/file";
import { isTimer, lastWordsProbe, unitProbe } from "../facts/unit";
import { unitPath } from "../families";
import { shJoin, sh } from "../ssh/quote";
import { dateNow } from "./commands";
import { type Claims, isRenamed } from "./claims";
import { Refused } from "./kind";
import type { SystemdUnitFacts, SystemdUnitInputs } from "./systemdUnit";
import { isText, type UnitScript, wantedText } from "./unitScript";

const READY_DEADLINE_MS = 60_000;

/**
 * Files first, then what systemd knows of them, then the process. PostgreSQL itself is never restarted here. Only a repmgrd whose
 * files are as wanted can be started and stopped without root.
 */
export function planUnit(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  const files = [
    ...planScripts(want, have),
    ...planFile(want, have),
    ...planDropIns(want, have),
    ...planState(want, have),
  ];
  const run = planRun(want, have);
  return [...asRoot(files), ...(files.length > 0 || isTimer(want.unit) ? asRoot(run) : run)];
}

/** @throws Refused while PostgreSQL runs: taking its unit away would leave it without one to stop it by */
export function planUnitDelete(have: SystemdUnitFacts, inputs: SystemdUnitInputs, claims: Claims): Action[] {
  if (isRenamed(claims, inputs)) return [];
  const { host, unit, cluster, running, files, leaves = [] } = inputs;
  if (inputs.content === undefined) return planLeave(have, inputs);
  const isActive = !["inactive", "failed"].includes(have.unit.active);
  if (isActive && running === undefined) {
    throw new Refused(
      `${host}: ${unit} of the cluster ${cluster} is ${have.unit.active}; its unit is not removed under it. ` +
        `Stop it first: sudo systemctl stop ${unit}`,
    );
  }
  const scripts = files.filter((_, index) => have.files[index] !== undefined).map(({ path }) => path);
  const isThere = have.file !== undefined || have.unit.state !== "absent" || have.unit.dropIns.length > 0;
  if (!isThere && !isActive && scripts.length === 0) return [];
  const script = [
    have.unit.state === "absent" ? "" : `systemctl disable ${isActive ? "--now " : ""}${sh(unit)}`,
    // What it has just started may be about to write.
    isTimer(unit) ? `systemctl stop ${sh(serviceOf(unit))} 2>/dev/null || true` : "",
    leaves.length === 0 ? "" : shJoin(["rm", "-f", ...leaves]),
    shJoin(["rm", "-f", unitPath(unit), ...have.unit.dropIns, ...scripts]),
    removeEmpty([...have.unit.dropIns, ...scripts]),
    "systemctl daemon-reload",
    `systemctl reset-failed ${sh(isTimer(unit) ? serviceOf(unit) : unit)} 2>/dev/null || true`,
  ];
  const stop = isActive ? "stop it and " : "";
  const why = `${unit} is no longer wanted: ${stop}remove it${scripts.length > 0 ? ` and ${scripts.join(", ")}` : ""}`;
  return asRoot([{ do: "run", host, why, script: script.filter((line) => line !== "").join("\n") }]);
}

/** What a timer starts. */
function serviceOf(timer: string): string {
  return timer.replace(/timer$/, "service");
}

/** A unit that others have written stays; what it watched is no longer there, so it stops. */
function planLeave(have: SystemdUnitFacts, { host, unit, cluster }: SystemdUnitInputs): Action[] {
  if (!have.unit.isReady) return [];
  const why = `${cluster} on this host is no longer managed: stop ${unit}; it was there before, so it stays and starts with the host`;
  return [{ do: "run", host, why, script: `systemctl stop ${sh(unit)}` }];
}

function planScripts(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  return want.files.flatMap((file, index): Action[] => {
    const problem = scriptProblem(file, have.files[index]);
    if (problem === undefined) return [];
    const why = `${file.path}, which ${want.unit} runs, ${problem}`;
    return [{ do: "putFile", host: want.host, why, ...file, content: wantedText(file, want.sources ?? {}) }];
  });
}

function scriptProblem(want: UnitScript, have: FileFact | undefined): string | undefined {
  if (have === undefined) return "is not there";
  if (!isText(have.content, want)) return "has another text";
  if (have.mode !== want.mode) return `has the mode ${have.mode}, wanted ${want.mode}`;
  if (have.owner !== want.owner) return `belongs to ${have.owner}, wanted ${want.owner}`;
  return undefined;
}

function planFile(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  const { content } = want;
  if (content === undefined || have.file?.content === content) return [];
  return [
    {
      do: "putFile",
      host: want.host,
      why: describeFile(want, have),
      path: unitPath(want.unit),
      content,
      found: have.file?.content ?? null,
      owner: "root:root",
      mode: "0644",
    },
  ];
}

function describeFile(want: SystemdUnitInputs, have: SystemdUnitFacts): string {
  if (have.unit.state.startsWith("masked")) return `${want.unit} is masked, so it cannot start: put its file back`;
  if (have.file === undefined) return `${want.unit} of the cluster ${want.cluster} is not there`;
  if (want.running !== undefined) return `${want.unit} has another text`;
  return `${want.unit} has another text; PostgreSQL is left alone, it takes effect at its next planned restart`;
}

function planDropIns(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  const extra = have.unit.dropIns.filter((path) => !want.dropIns.includes(path));
  if (extra.length === 0 || want.content === undefined) return [];
  const why = `${extra.join(", ")} changes ${want.unit} behind the inventory's back`;
  return [{ do: "run", host: want.host, why, script: `${shJoin(["rm", "-f", ...extra])}\n${removeEmpty(extra)}` }];
}

/** enable and disable make systemd read its files again, too. */
function planState(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  const { host, unit, state } = want;
  if (want.content === undefined) return [];
  const isStale = planFile(want, have).length > 0 || planDropIns(want, have).length > 0 || have.unit.needsReload;
  if (have.unit.state === state) {
    if (!isStale) return [];
    return [{ do: "run", host, why: `systemd has to read ${unit} again`, script: "systemctl daemon-reload" }];
  }
  const why =
    state === "enabled"
      ? `${unit} has to start with the host; now it is ${have.unit.state}`
      : `${unit} must not start with the host; now it is ${have.unit.state}`;
  return [{ do: "run", host, why, script: `systemctl ${state === "enabled" ? "enable" : "disable"} ${sh(unit)}` }];
}

function planRun(want: SystemdUnitInputs, have: SystemdUnitFacts): Action[] {
  const { host, unit, running } = want;
  if (running === undefined) return [];
  const isStopped = ["inactive", "failed"].includes(have.unit.active);
  if (!running) {
    return isStopped ? [] : [{ do: "run", host, why: `${unit} must not run`, script: `systemctl stop ${sh(unit)}` }];
  }
  const changes = [...planScripts(want, have), ...planFile(want, have), ...planDropIns(want, have)].length > 0;
  const isOld = changes || [have.file, ...have.files].some((f) => (f?.modifiedAt ?? 0) > have.unit.startedAt);
  if (have.unit.isReady && !isOld) return [];
  const now = have.unit.isReady ? "runs with what it had before" : `is ${have.unit.active} and does not do its work`;
  const why = `${unit} has to run; it ${have.unit.active === "inactive" ? "is stopped" : now}`;
  // The service of a timer may have been written by a run that was cut before systemd read it.
  const reload = isTimer(unit) ? ["systemctl daemon-reload"] : [];
  const dates =
    changes || want.content === undefined ? [] : [dateNow([unitPath(unit), ...want.files.map(({ path }) => path)])];
  const script = [...dates, ...reload, `systemctl restart ${sh(unit)}`].join("\n");
  const effect = isTimer(unit) ? {} : { effect: "repmgrd" as const };
  return [{ do: "run", host, ...effect, why, script }, waitUntilReady(want)];
}

function waitUntilReady(want: SystemdUnitInputs): WaitFor {
  const { host, unit, pidFile } = want;
  return {
    do: "waitFor",
    host,
    why: `${unit} runs and has begun its work`,
    deadlineMs: READY_DEADLINE_MS,
    look: async (ask) => {
      const [seen, words] = await Promise.all([ask(host, unitProbe(unit, pidFile)), ask(host, lastWordsProbe(unit))]);
      if (seen.isReady) return undefined;
      return `${unit} is ${seen.active}, restarted ${seen.restarts} times; it says: ${words}. Look at: sudo journalctl -u ${unit}`;
    },
  };
}

/** Directories that hold nothing any more go, too. */
function removeEmpty(paths: readonly string[]): string {
  const directories = [...new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))))];
  if (directories.length === 0) return "";
  return `for directory in ${shJoin(directories)}; do
  [ ! -d "$directory" ] || rmdir --ignore-fail-on-non-empty "$directory"
done`;
}
