import { parsePostgresConf } from "./postgresConf";

const LINE = /^(\s*)([A-Za-z_][\w.]*)(\s*=\s*|\s+)('(?:[^'\\]|''|\\.)*'|[^\s#']+)/;

/**
 * A postgresql.conf or repmgr.conf that a person wrote, with other values: comments, order and included files stay. Of a
 * setting that stands there more than once the last line counts, so that one is changed; a setting that is not wanted
 * any more becomes a comment; a new one goes to the end.
 * @param quote the spelling of a value in the file
 */
export function editConf(
  text: string,
  want: Readonly<Record<string, string>>,
  quote: (value: string) => string,
): string {
  const have = parsePostgresConf(text);
  const lines = text.replace(/\n$/, "").split("\n");
  const at = (name: string): number => lines.findLastIndex((line) => LINE.exec(line)?.[2]?.toLowerCase() === name);
  for (const name of Object.keys(have)) {
    const value = want[name];
    if (value === have[name]) continue;
    if (value !== undefined) {
      lines[at(name)] = (lines[at(name)] ?? "").replace(
        LINE,
        (_, indent, key, equals) => `${indent}${key}${equals}${quote(value)}`,
      );
      continue;
    }
    for (let index = at(name); index >= 0; index = at(name)) lines[index] = `#${lines[index] ?? ""}`;
  }
  const added = Object.keys(want).filter((name) => have[name] === undefined);
  return `${[...lines, ...added.map((name) => `${name} = ${quote(want[name] ?? "")}`)].join("\n")}\n`;
}
