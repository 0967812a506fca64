import { sh, shJoin } from "../ssh/quote";
import type { Probe } from "./probe";

export interface FileFact {
  /** "postgres:postgres" */
  readonly owner: string;
  /** "0640" */
  readonly mode: string;
  /** Seconds since 1970, with fractions. */
  readonly modifiedAt: number;
  readonly content: string;
}

const STAT = "%U:%G 0%a %.Y";

/** Shell on "$f". */
const READ = `[ -e "$f" ] || exit 44
stat -c '${STAT}' "$f"
cat "$f"`;

/** A whole small text file; undefined when there is none. */
export function fileProbe(path: string): Probe<FileFact | undefined> {
  return {
    key: `file ${path}`,
    nothing: undefined,
    file: path,
    script: `f=${sh(path)}\n${READ}`,
    parse({ code, stdout, stderr }) {
      if (code === 44) return undefined;
      if (code !== 0) throw new Error(stderr);
      const end = stdout.indexOf("\n");
      const [owner, mode, modified] = stdout.slice(0, end).split(" ");
      if (owner === undefined || mode === undefined || modified === undefined)
        throw new Error(`unexpected first line: ${stdout.slice(0, end)}`);
      return { owner, mode, modifiedAt: Number(modified), content: stdout.slice(end + 1) };
    },
  };
}

/**
 * Shell: the answers of fileProbe about many files, with two processes fewer for each. One stat speaks of all that exist,
 * in their order; what came up since is looked at singly.
 * @param answer the file of an answer, as a word of the shell: answer("$1", "out")
 * @param files with the number that names the answers
 */
export function filesScript(
  answer: (number: string, what: "out" | "err" | "code") => string,
  files: readonly { readonly number: number; readonly path: string }[],
): string {
  const into = `>${answer("$1", "out")} 2>${answer("$1", "err")}`;
  return `read_file() {
  f=$2
  if [ "\${line#* * * }" = "$f" ]; then
    { printf '%s\\n' "\${line%" $f"}"; cat "$f"; } ${into}
    echo $? >${answer("$1", "code")}
    line= && IFS= read -r line
  else
    ( ${READ} ) ${into}
    echo $? >${answer("$1", "code")}
  fi
}
stat -c '${STAT} %n' ${shJoin(files.map(({ path }) => path))} 2>/dev/null | {
  line= && IFS= read -r line
${files.map(({ number, path }) => `  read_file ${number} ${sh(path)}`).join("\n")}
}`;
}

/** Whether anything stands at a path. */
export function existsProbe(path: string): Probe<boolean> {
  return {
    key: `exists ${path}`,
    nothing: false,
    script: `if [ -e ${sh(path)} ]; then echo yes; else echo no; fi`,
    parse({ stdout }) {
      const said = stdout.trim();
      if (said !== "yes" && said !== "no") throw new Error(`neither yes nor no: "${said}"`);
      return said === "yes";
    },
  };
}
