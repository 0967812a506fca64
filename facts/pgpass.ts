/** A line of a password file: host, port, database, user, password; undefined is the wildcard. */
export type PgpassEntry = readonly (string | undefined)[];

/** The entries of a password file in order (PostgreSQL documentation, 34.16 "The Password File"). */
export function parsePgpass(text: string): PgpassEntry[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => fields(line));
}

/** The password that libpq takes, which is that of the first entry that matches. @param wanted host, port, database, user */
export function passwordFor(entries: readonly PgpassEntry[], wanted: readonly string[]): string | undefined {
  const found = entries.find((entry) => wanted.every((value, index) => (entry[index] ?? value) === value));
  return found?.[4];
}

function fields(line: string): PgpassEntry {
  const found: string[] = [];
  let field = "";
  for (let index = 0; index < line.length; index++) {
    // The password is the last field, and a colon in it needs no escape.
    if (line[index] === ":" && found.length < 4) {
      found.push(field);
      field = "";
      continue;
    }
    if (line[index] === "\\" && index + 1 < line.length) index++;
    field += line.charAt(index);
  }
  return [...found, field].map((text, index) => (index < 4 && text === "*" ? undefined : text));
}
