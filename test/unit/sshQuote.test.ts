import { execFileSync } from "node:child_process";
import fc from "fast-check";
import {
  conninfoValue,
  pgpassField,
  postgresConfValue,
  repmgrConfValue,
  sh,
  shJoin,
  sqlIdentifier,
  sqlLiteral,
  systemdWord,
} from "../../ssh/quote";

const HOSTILE = [
  "",
  " ",
  "'",
  "''",
  '"',
  "\\",
  "\\'",
  "a'b\"c",
  "$(id)",
  "`id`",
  "$HOME",
  "; reboot",
  "a\nb\n",
  "\n",
  "\t*?[a]~",
  "!!",
  "-n",
  "#",
  "grüße 🐘",
  "\u202e",
  "é\u0301",
  "'; DROP TABLE t; --",
];

/** Any text without NUL, heavy in the characters that quoting is about. */
const text = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: fc.constantFrom("'", '"', "\\", "$", "`", "\n", "\r", " ", ":", "*", "#", "a", "é", "!") }),
  fc.string({ unit: "grapheme" }).filter((value) => !value.includes("\0")),
);

/** What a real shell makes of words: each followed by a byte that no word can hold. */
function shellWords(command: string): string[] {
  const output = execFileSync("/bin/sh", ["-c", `for w in ${command}; do printf '%s\\0' "$w"; done`]);
  return output.toString("utf8").split("\0").slice(0, -1);
}

describe("shell words", () => {
  it("come out of /bin/sh as they went in", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 40 }), (words) => {
        expect(shellWords(shJoin(words))).toEqual(words);
      }),
      { numRuns: 150 },
    );
  });

  it.each(HOSTILE)("hold %j", (word) => expect(shellWords(sh(word))).toEqual([word]));

  it("refuse NUL and say where it stands", () => {
    expect(() => sh("ab\0c")).toThrow("a shell word cannot hold the character 0x00, found at position 2 of the value");
  });
});

/** PostgreSQL's own reading of a string constant, standard_conforming_strings on or off. */
function readSqlLiteral(sql: string, conforming: boolean): string {
  const isEscape = sql.startsWith("E");
  const body = (isEscape ? sql.slice(1) : sql).slice(1, -1);
  const unquoted = body.replaceAll("''", "'");
  return isEscape || !conforming ? unquoted.replace(/\\(.)/gs, "$1") : unquoted;
}

describe("SQL", () => {
  it("literals read the same whatever standard_conforming_strings says", () => {
    fc.assert(
      fc.property(text, (value) => {
        const sql = sqlLiteral(value);
        expect(sql).toMatch(/^E?'([^']|'')*'$/s);
        expect([readSqlLiteral(sql, true), readSqlLiteral(sql, false)]).toEqual([value, value]);
      }),
    );
  });

  it("spells literals as people expect them", () => {
    expect([sqlLiteral("it's"), sqlLiteral("a\\b")]).toEqual(["'it''s'", "E'a\\\\b'"]);
  });

  it("quotes identifiers, and refuses those the server would cut or reject", () => {
    expect(sqlIdentifier('my "db"')).toBe('"my ""db"""');
    expect(sqlIdentifier("a".repeat(63))).toHaveLength(65);
    expect(() => sqlIdentifier("ä".repeat(32))).toThrow("has 64");
    expect(() => sqlIdentifier("")).toThrow("1 to 63 bytes");
    expect(() => sqlIdentifier("a\0")).toThrow("0x00");
  });
});

/** conninfo_parse() of libpq, for one value. */
function readConninfo(written: string): string {
  if (!written.startsWith("'")) return written;
  return written.slice(1, -1).replace(/\\(.)/gs, "$1");
}

describe("connection strings", () => {
  it("hold any value", () => {
    fc.assert(
      fc.property(text, (value) => {
        const written = conninfoValue(value);
        expect(written).toMatch(/^([^\s'\\]+|'([^'\\]|\\.)*')$/s);
        expect(readConninfo(written)).toBe(value);
      }),
    );
  });

  it("stay readable where nothing needs quoting", () => {
    expect([conninfoValue("10.0.0.1"), conninfoValue("/run/pg"), conninfoValue("")]).toEqual([
      "10.0.0.1",
      "/run/pg",
      "''",
    ]);
  });
});

/** GUC_scanstr() of PostgreSQL, which repmgr took over. */
function readConf(written: string): string {
  const escapes: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
  return written
    .slice(1, -1)
    .replace(/\\(.)|''/gs, (pair, character: string | undefined) =>
      character ? (escapes[character] ?? character) : pair.slice(1),
    );
}

describe.each([
  ["postgresql.conf", postgresConfValue],
  ["repmgr.conf", repmgrConfValue],
])("%s", (_name, quote) => {
  it("holds any value on one line", () => {
    fc.assert(
      fc.property(text, (value) => {
        const written = quote(value);
        expect(written).toMatch(/^'([^'\\\n]|\\.|'')*'$/);
        expect(readConf(written)).toBe(value);
      }),
    );
  });

  it("refuses NUL by the file's name", () => expect(() => quote("\0")).toThrow(`${_name} cannot hold`));
});

/** The fields of a .pgpass line as passwordFromFile() of libpq splits and reads them. */
function readPgpass(line: string): string[] {
  const fields = [""];
  for (const [, escaped, plain] of line.matchAll(/\\(.)|(.)/gsu)) {
    if (plain === ":") fields.push("");
    else fields.push(`${fields.pop() ?? ""}${escaped ?? plain ?? ""}`);
  }
  return fields;
}

describe(".pgpass", () => {
  it("holds any value that fits on a line", () => {
    const fitting = text.filter((value) => !/[\n\r]/.test(value));
    fc.assert(
      fc.property(fc.array(fitting, { minLength: 5, maxLength: 5 }), (values) => {
        const line = values.map(pgpassField).join(":");
        expect(line).not.toMatch(/^#/);
        expect(readPgpass(line)).toEqual(values);
      }),
    );
  });

  it("never makes a wildcard of a value", () => expect(pgpassField("*")).toBe("\\*"));

  it("refuses line breaks", () => expect(() => pgpassField("a\nb")).toThrow("0x0a, found at position 1"));
});

/** extract_first_word() of systemd with specifiers expanded, for one word. */
function readSystemd(written: string): string {
  const unquoted = written.startsWith('"') ? written.slice(1, -1).replace(/\\(.)/gs, "$1") : written;
  return unquoted.replaceAll("%%", "%");
}

describe("words of systemd units", () => {
  it("hold any value that means the same in every setting", () => {
    const fitting = fc.oneof(text, fc.string({ unit: fc.constantFrom("%", '"', "\\", " ", "/", "a", "'") }));
    fc.assert(
      fc.property(
        fitting.filter((value) => !/[\0\n\r$]/.test(value)),
        (value) => {
          const written = systemdWord(value);
          expect(written).toMatch(/^([^\s"'\\;]+|"([^"\\]|\\.)*")$/s);
          expect(readSystemd(written)).toBe(value);
        },
      ),
    );
  });

  it("refuse what one setting expands and another does not", () => {
    expect(systemdWord("/var/lib/100%")).toBe("/var/lib/100%%");
    expect(() => systemdWord("/srv/$HOME")).toThrow("a systemd unit cannot hold the character 0x24");
    expect(() => systemdWord("a\nb")).toThrow("0x0a");
  });
});
