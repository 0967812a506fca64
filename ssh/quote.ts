/**
 * All quoting of the project. Every function takes a plain value and returns it in the spelling of one language,
 * delimiters included, and throws when that language cannot hold the value at all.
 */

function refuse(value: string, forbidden: RegExp, holder: string): void {
  const found = forbidden.exec(value);
  if (!found) return;
  const code = found[0].charCodeAt(0).toString(16).padStart(2, "0");
  throw new Error(`${holder} cannot hold the character 0x${code}, found at position ${found.index} of the value`);
}

/** One word for a POSIX shell. @throws Error on NUL */
export function sh(word: string): string {
  refuse(word, /\0/, "a shell word");
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A whole command for a POSIX shell, every word quoted. @throws Error on NUL */
export function shJoin(words: readonly string[]): string {
  return words.map(sh).join(" ");
}

/** A string constant for PostgreSQL, right whatever standard_conforming_strings says. @throws Error on NUL */
export function sqlLiteral(value: string): string {
  refuse(value, /\0/, "an SQL string");
  const quoted = `'${value.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return value.includes("\\") ? `E${quoted}` : quoted;
}

/** A quoted identifier for PostgreSQL. @throws Error on NUL, when empty, and over 63 bytes, which the server would cut */
export function sqlIdentifier(name: string): string {
  refuse(name, /\0/, "an SQL identifier");
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > 63) throw new Error(`an SQL identifier has 1 to 63 bytes, "${name}" has ${bytes}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** The value of one key in a libpq connection string; bare when that is safe. @throws Error on NUL */
export function conninfoValue(value: string): string {
  refuse(value, /\0/, "a connection string");
  if (/^[\w.:/@%,+-]+$/.test(value)) return value;
  return `'${value.replace(/['\\]/g, "\\$&")}'`;
}

const CONF_ESCAPES: Readonly<Record<string, string>> = {
  "'": "''",
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A value in postgresql.conf; always quoted, which every type of setting accepts. @throws Error on NUL */
export function postgresConfValue(value: string): string {
  refuse(value, /\0/, "postgresql.conf");
  return `'${value.replace(/['\\\b\f\n\r\t]/g, (character) => CONF_ESCAPES[character] ?? character)}'`;
}

/** A value in repmgr.conf: repmgr's scanner (configfile-scan.l) has the grammar of postgresql.conf. @throws Error on NUL */
export function repmgrConfValue(value: string): string {
  refuse(value, /\0/, "repmgr.conf");
  return postgresConfValue(value);
}

/**
 * One field of a .pgpass line. The wildcard is a bare `*` written by the caller: here a `*` stands for itself.
 * @throws Error on NUL and on line breaks, which the file cannot hold
 */
export function pgpassField(value: string): string {
  refuse(value, /[\0\n\r]/, ".pgpass");
  const escaped = value.replace(/[:\\]/g, "\\$&");
  return /^[*#]/.test(escaped) ? `\\${escaped}` : escaped;
}

/**
 * One word of a systemd unit file, wherever a list of words stands: specifiers and quotes lose their meaning.
 * @throws Error on NUL and line breaks, and on `$`, which means something in commands and nothing in paths
 */
export function systemdWord(word: string): string {
  refuse(word, /[\0\n\r$]/, "a systemd unit");
  const plain = word.replaceAll("%", "%%");
  if (/^[^\s"'\\;]+$/.test(plain)) return plain;
  return `"${plain.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * A path as a regular expression of SELinux's file contexts that matches it alone; what separates words there stands for
 * any character. @throws Error on NUL
 */
export function pathPattern(path: string): string {
  refuse(path, /\0/, "a file context");
  return path.replace(/[.^$?*+|[\](){}\\]/g, "\\$&").replace(/\s/g, ".");
}
