import { fileProbe, type FileFact } from "../facts/file";
import { isTimer, UNIT_FILE_STATES, unitProbe, type UnitFact, type UnitFileState } from "../facts/unit";
import { unitPath } from "../families";
import type { BaseInputs, Kind } from "./kind";
import { planUnit, planUnitDelete } from "./systemdUnitPlan";
import { isHash, shownText, type TextSources, type UnitScript, wantedText } from "./unitScript";

export interface SystemdUnitInputs extends BaseInputs {
  readonly host: string;
  readonly cluster: string;
  readonly node: string;
  /** "repmgrd-main.service" */
  readonly unit: string;
  /** Absent: a unit that others have written. Then only whether it runs is this program's business. */
  readonly content?: string;
  /** What the unit needs besides its own file. In order of path. */
  readonly files: readonly UnitScript[];
  /** Absent in what the states of the first versions keep: there the texts themselves are. */
  readonly sources?: TextSources;
  /** The program wants "enabled" or "disabled"; a host may show anything. */
  readonly state: UnitFileState;
  /** Absent for PostgreSQL, whose run state RepmgrNode owns. */
  readonly running?: boolean;
  /** Files that its work leaves behind; they go with it. */
  readonly leaves?: readonly string[];
  /** Where the daemon writes its process id once it works; needed, in a unit of ours, to tell a daemon from one that dies and is restarted. */
  readonly pidFile?: string;
  /** Drop-ins a person made for this unit; the program writes []. */
  readonly dropIns: readonly string[];
}

export interface SystemdUnitFacts {
  readonly file: FileFact | undefined;
  /** In the order of the inputs. */
  readonly files: readonly (FileFact | undefined)[];
  readonly unit: UnitFact;
}

export interface SystemdUnitOutputs {
  /** systemd's own word: "active", "inactive", "failed" ... */
  readonly active: string;
}

/** A unit of one cluster, the scripts it runs, and whether it starts with the host. */
export const systemdUnitKind: Kind<SystemdUnitInputs, SystemdUnitFacts, SystemdUnitOutputs> = {
  name: "SystemdUnit",
  managed: ["host", "unit", "content", "files", "state", "running", "dropIns"],
  identity: ["host", "unit"],
  id: ({ host, unit }) => `${host}/${unit}`,

  validate({ host, unit, content, state, running, pidFile, files }) {
    const problems: string[] = [];
    if (!/^[\w@:.-]+\.(service|timer)$/.test(unit))
      problems.push(`${host}: "${unit}" is no name of a service or timer`);
    if (!UNIT_FILE_STATES.includes(state) || (state !== "enabled" && state !== "disabled")) {
      problems.push(`${host}: ${unit} can be wanted "enabled" or "disabled", not "${state}"`);
    }
    if (running !== undefined && content !== undefined && pidFile === undefined && !isTimer(unit))
      problems.push(`${host}: ${unit} shall run, but has no pidFile`);
    for (const { path } of files) {
      if (!path.startsWith("/")) problems.push(`${host}: the script "${path}" of ${unit} needs an absolute path`);
    }
    return problems;
  },

  async observe(ctx, { host, unit, content, files, pidFile }) {
    const [file, found, ...scripts] = await Promise.all([
      content === undefined ? undefined : ctx.ask(host, fileProbe(unitPath(unit))),
      ctx.ask(host, unitProbe(unit, pidFile)),
      ...files.map(({ path }) => ctx.ask(host, fileProbe(path))),
    ]);
    return { file, files: scripts, unit: found };
  },

  isAbsent: ({ file, files, unit }) =>
    file === undefined && files.every((f) => f === undefined) && unit.state === "absent" && unit.active === "inactive",

  // Spelled out where the host has another text, or one of the first versions wrote the state.
  inTheWordsOf(before, now) {
    const texts = new Map(before.files?.map(({ path, content }) => [path, content]));
    const files = now.files.map((file) => {
      const other = texts.get(file.path);
      return other === undefined || isHash(other) ? file : { ...file, content: wantedText(file, now.sources ?? {}) };
    });
    return { files };
  },

  plan: planUnit,

  project(inputs, have) {
    if (inputs.content === undefined) {
      return { inputs: { ...inputs, running: have.unit.isReady }, outputs: { active: have.unit.active } };
    }
    const files = inputs.files.flatMap((file, index) => {
      const found = have.files[index];
      if (found === undefined) return [];
      return [{ path: file.path, content: shownText(found.content, file), mode: found.mode, owner: found.owner }];
    });
    return {
      inputs: {
        ...inputs,
        content: have.file?.content ?? "",
        files,
        state: have.unit.state,
        ...(inputs.running === undefined ? {} : { running: have.unit.isReady }),
        dropIns: have.unit.dropIns,
      },
      outputs: { active: have.unit.active },
    };
  },

  planDelete: planUnitDelete,
};
