import { sh } from "../ssh/quote";
import type { Probe } from "./probe";

/** What "systemctl is-enabled" can say (systemctl(1)), and "absent" where it says nothing. */
export const UNIT_FILE_STATES = [
  ...["enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "masked", "masked-runtime", "static"],
  ...["indirect", "disabled", "generated", "transient", "bad", "absent"],
] as const;
export type UnitFileState = (typeof UNIT_FILE_STATES)[number];

export interface UnitFact {
  readonly state: UnitFileState;
  /** "active", "activating", "inactive", "failed" ... */
  readonly active: string;
  /** The main process wrote its own id into the pid file; true without a pid file as soon as the unit is active. */
  readonly isReady: boolean;
  /** When the main process, or the timer, began; seconds since 1970, with fractions; 0 when there is none. */
  readonly startedAt: number;
  /** How often systemd had to start it again. */
  readonly restarts: number;
  /** The files on disk are newer than what systemd knows of them. */
  readonly needsReload: boolean;
  /** Drop-ins in directories of this very unit; those that hold for many units are the system's own. */
  readonly dropIns: readonly string[];
}

/** What systemctl is asked for; it leaves out what a kind of unit does not have. */
export const PROPERTIES = [
  ...["UnitFileState", "ActiveState", "SubState", "NeedDaemonReload", "DropInPaths"],
  ...["MainPID", "ExecMainStartTimestamp", "NRestarts"],
  // Of timers.
  "ActiveEnterTimestamp",
];

/** A timer has no process; it works as long as systemd calls it active. */
export function isTimer(unit: string): boolean {
  return unit.endsWith(".timer");
}

/** @param pidFile written by the daemon itself when it has begun its work */
export function unitProbe(unit: string, pidFile?: string): Probe<UnitFact> {
  const daemon = pidFile === undefined ? "" : `printf 'PidFile=%s\\n' "$(cat ${sh(pidFile)} 2>/dev/null)"`;
  return {
    key: `unit ${unit} ${pidFile ?? ""}`,
    together: { of: "unit", unit, ...(pidFile === undefined ? {} : { pidFile }) },
    script: `systemctl show --timestamp=us+utc -p ${PROPERTIES.join(",")} ${sh(unit)} || exit
${daemon}`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseUnit(unit, stdout, pidFile !== undefined);
    },
  };
}

/** @throws Error when systemctl left a property out */
export function parseUnit(unit: string, text: string, hasPidFile: boolean): UnitFact {
  const properties = new Map(text.split("\n").map((line) => splitOnce(line)));
  const value = (name: string): string => {
    const found = properties.get(name);
    if (found === undefined) throw new Error(`systemctl does not say ${name}: ${text.slice(0, 200)}`);
    return found;
  };
  const state = value("UnitFileState") || "absent";
  if (!isUnitFileState(state)) throw new Error(`unknown state of a unit file: ${state}`);
  const active = value("ActiveState");
  const isOfTimer = isTimer(unit);
  const pid = isOfTimer ? "0" : value("MainPID");
  const began = isOfTimer ? "ActiveEnterTimestamp" : "ExecMainStartTimestamp";
  return {
    state,
    active,
    // "active (exited)": systemd was told so by a script of old, and nothing of it runs.
    isReady:
      active === "active" &&
      properties.get("SubState") !== "exited" &&
      (!hasPidFile || (pid !== "0" && value("PidFile") === pid)),
    startedAt: (isOfTimer ? active === "active" : pid !== "0") ? parseTimestamp(value(began)) : 0,
    restarts: isOfTimer ? 0 : Number(value("NRestarts")),
    needsReload: value("NeedDaemonReload") === "yes",
    dropIns: value("DropInPaths")
      .split(" ")
      .filter((path) => path.includes(`/${unit}.d/`))
      .sort(),
  };
}

/** The last thing a unit said; for messages only. */
export function lastWordsProbe(unit: string): Probe<string> {
  return {
    key: `last words of ${unit}`,
    script: `journalctl --no-pager -q -o cat -n 1 -u ${sh(unit)}`,
    parse: ({ stdout }) => stdout.trim() || "(nothing in the journal)",
  };
}

function isUnitFileState(state: string): state is UnitFileState {
  return (UNIT_FILE_STATES as readonly string[]).includes(state);
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf("=");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}

/** "Sun 2025-11-23 20:06:01.123456 UTC" */
function parseTimestamp(text: string): number {
  const match = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? UTC$/.exec(text);
  if (match === null) throw new Error(`no time: "${text}"`);
  return Date.parse(`${match[1]}T${match[2]}Z`) / 1000 + Number(match[3] ?? 0);
}
