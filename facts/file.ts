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

/**
 * Shell, in words of the shell itself: closed PATH succeeds where a login that is not root cannot tell whether it is there, because
 * a directory on the way may not be searched.
 */
export const CLOSED = `closed() {
  way=\${1%/*}
  while [ -n "$way" ] && [ ! -d "$way" ]; do way=\${way%/*}; done
  [ ! -x "\${way:-/}" ] && echo "$way may not be searched by this login" >&2
}`;

/** Shell on "$f". */
export const READ = `${CLOSED}
[ -e "$f" ] || { closed "$f" && exit 1; exit 44; }
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
    script: `${CLOSED}
if [ -e ${sh(path)} ]; then echo yes; elif ! closed ${sh(path)}; then echo no; fi`,
    parse({ stdout, stderr }) {
      const said = stdout.trim();
      if (said !== "yes" && said !== "no") throw new Error(`neither yes nor no: "${said}" ${stderr.trim()}`.trim());
      return said === "yes";
    },
  };
}
