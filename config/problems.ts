import type { Problem } from "./types";

/** Sorted by place; the same problem at the same place is said once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const unique = new Map(
    problems.map((problem) => [JSON.stringify([problem.file, problem.line, problem.path, problem.message]), problem]),
  );
  return [...unique.values()].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || compare(a.path, b.path) || compare(a.message, b.message),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A problem is one line whatever a name in it holds, and cannot speak to the terminal. */
function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** "inventory/prod.yml:12: hosts.db1.address: ...", one problem a line, sorted by place. */
export function formatProblems(problems: readonly Problem[]): string {
  const lines = sortProblems(problems).map(({ file, line, path, message }) => {
    return visible(`${file}:${line}: ${path === "" ? "" : `${path}: `}${message}`);
  });
  return lines.join("\n");
}
