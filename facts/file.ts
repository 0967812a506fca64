import { sh } from "../ssh/quote";
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

/** How stat(1) tells what a FileFact begins with. */
export const STAT = "%U:%G 0%a %.Y";

/** Shell on "$f". */
export const READ = `[ -e "$f" ] || exit 44
stat -c '${STAT}' "$f"
cat "$f"`;

/** A whole small text file; undefined when there is none. */
export function fileProbe(path: string): Probe<FileFact | undefined> {
  return {
    key: `file ${path}`,
    nothing: undefined,
    together: { of: "file", path },
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
