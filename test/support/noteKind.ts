import { execFileSync } from "node:child_process";
import { fileProbe, type FileFact } from "../../facts/file";
import type { BaseInputs, Kind } from "../../providers/kind";

/** The smallest kind that has everything: a note and its copies in a directory of a host, and a seal that covers them. */
export interface NoteInputs extends BaseInputs {
  readonly host: string;
  readonly name: string;
  readonly directory: string;
  readonly text: string;
  readonly mode: string;
  /** Written by the program as "closed"; observed. */
  readonly seal: string;
}

export interface NoteFacts {
  readonly note: FileFact | undefined;
  readonly seal: FileFact | undefined;
}

/** Who owns what the tests write: whoever runs them. */
export const OWNER = ["-un", "-gn"].map((flag) => execFileSync("id", [flag], { encoding: "utf8" }).trim()).join(":");

const sealOf = (text: string): string => `sealed ${text.length}\n`;

export const noteKind: Kind<NoteInputs, NoteFacts, { size: number }> = {
  name: "Note",
  managed: ["host", "name", "directory", "text", "mode", "seal"],
  identity: ["host", "name"],
  id: ({ host, name }) => `${host}/${name}`,
  validate: ({ text, mode }) => [
    ...(text === "" ? ["a note must say something"] : []),
    ...(/^0[0-7]{3}$/.test(mode) ? [] : [`${mode} is no mode`]),
  ],
  async observe(ctx, { host, directory, name }) {
    const [note, seal] = await Promise.all([
      ctx.ask(host, fileProbe(`${directory}/${name}`)),
      ctx.ask(host, fileProbe(`${directory}/${name}.seal`)),
    ]);
    return { note, seal };
  },
  isAbsent: ({ note, seal }) => note === undefined && seal === undefined,
  plan({ host, directory, name, text, mode }, { note, seal }) {
    const path = `${directory}/${name}`;
    const isRight = note?.content === text && note.mode === mode;
    const isSealed = isRight && seal?.content === sealOf(text);
    return [
      ...(seal === undefined || isSealed
        ? []
        : [{ do: "run" as const, host, why: "the seal is broken", script: `rm -f '${path}.seal'` }]),
      ...(isRight
        ? []
        : [
            { do: "putFile" as const, host, why: `the note is not "${text}"`, path, content: text, owner: OWNER, mode },
          ]),
      ...(isSealed
        ? []
        : [{ do: "run" as const, host, why: "seal the note", script: `cat >'${path}.seal'`, stdin: sealOf(text) }]),
    ];
  },
  project(inputs, { note, seal }) {
    const text = note?.content ?? "";
    const isSealed = seal?.content === sealOf(text);
    return {
      inputs: { ...inputs, text, mode: note?.mode ?? "", seal: isSealed ? "closed" : "open" },
      outputs: { size: text.length },
    };
  },
  planDelete: ({ note, seal }, { host, directory, name }) =>
    [seal && `${name}.seal`, note && name]
      .filter((file) => file !== undefined)
      .map((file) => ({ do: "run", host, why: `${file} goes`, script: `rm -f '${directory}/${file}'` })),
};
