import fc from "fast-check";
import { includesConfD, parsePostgresConf, renderPostgresConf } from "../../facts/postgresConf";
import { renderRepmgrConf } from "../../facts/repmgrConf";
import { parseSudoCommands } from "../../providers/repmgrNode";
import { render } from "../../templates/render";

const name = fc
  .stringMatching(/^[a-z_][a-z0-9_]{0,20}(\.[a-z_]{1,9})?$/)
  .filter((n) => !n.startsWith("include") && n !== "__proto__");
const hostile = fc.oneof(
  fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", "")),
  fc.constantFrom(
    "",
    "'",
    "''",
    "\\",
    "\\'",
    "a\nb = 'c'",
    "# no comment",
    "{{x}} & <b>",
    "it's 100% \\n",
    "\u2028",
    "=",
    " ' = ' ",
  ),
);
const settings = fc.dictionary(name, hostile, { noNullPrototype: true });

test("postgresql.conf holds any value, and says nothing else", () => {
  fc.assert(
    fc.property(settings, (want) => {
      const text = renderPostgresConf("main", want);
      expect(parsePostgresConf(text)).toEqual(want);
      expect(includesConfD(text)).toBe(true);
    }),
  );
});

test("repmgr.conf holds any value, in the order given", () => {
  fc.assert(fc.property(settings, (want) => expect(parsePostgresConf(renderRepmgrConf("main", want))).toEqual(want)));
  expect(Object.keys(parsePostgresConf(renderRepmgrConf("main", { node_id: "1", conninfo: "x", a: "y" })))).toEqual([
    "node_id",
    "conninfo",
    "a",
  ]);
});

test("sudoers holds the commands it was given", () => {
  const commands = ["/usr/bin/systemctl start postgresql-main", "/usr/bin/systemctl stop postgresql-main"];
  const text = render("sudoers", { cluster: "main", commands });
  expect(parseSudoCommands(text)).toEqual(commands);
  expect(parseSudoCommands(`${text}%wheel ALL=(ALL) ALL\n`)).toEqual([...commands, "%wheel ALL=(ALL) ALL"]);
});

describe("what people write by hand", () => {
  test.each<[string, Record<string, string>]>([
    ["port = 5432", { port: "5432" }],
    ["port 5432", { port: "5432" }],
    ["port=5432# why", { port: "5432" }],
    ["  Work_Mem = '64MB' # generous", { work_mem: "64MB" }],
    ["a = 'it''s'", { a: "it's" }],
    ["a = 'it\\'s'", { a: "it's" }],
    ["a = 1\na = 2", { a: "2" }],
    ["auto_explain.log_min_duration = 250ms\r", { "auto_explain.log_min_duration": "250ms" }],
    ["#port = 5432", {}],
    ["include_dir 'x'\ninclude = 'y'\ninclude_if_exists='z'", {}],
    ["a = ''", { a: "" }],
  ])("%p", (text, expected) => expect(parsePostgresConf(text)).toEqual(expected));

  test.each([
    ["include_dir = 'conf.d'", true],
    ["# ours\n\ninclude_dir 'conf.d'\nport = 1", true],
    ["port = 1\ninclude_dir = 'conf.d'", false],
    ["#include_dir = 'conf.d'", false],
    ["include_dir = 'conf.d.old'", false],
    ["", false],
  ])("conf.d is read first: %p %p", (text, expected) => expect(includesConfD(text)).toBe(expected));
});
