/** Rows of a table for a terminal, a line each: every column as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, at) =>
    Math.max(...rows.map((row) => printable(row[at] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => printable(cell).padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** A value could hold what a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The beginning of a text that is too wide for its column. */
export function short(text: string, widest: number): string {
  return text.length <= widest ? text : `${text.slice(0, widest - 1)}…`;
}
