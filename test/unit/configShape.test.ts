import { C, type Case, N2, runCases, SETTING } from "./configFixture";

const NODE_NAME = "no good name: a lower-case letter, then lower-case letters, digits and _, 40 at most";
const SQL_NAME = "no good name: a lower-case letter or _, then lower-case letters, digits and _, 63 at most";
const TAKEN = "is taken by PostgreSQL or repmgr; choose another name";

const shape: Case[] = [
  ["misspelt key", [["settings:", "setings:"]], [`15: ${C}.setings: unknown key 'setings'; did you mean 'settings'?`]],
  [
    "unknown key far from all",
    [["role: primary", "role: primary, zzz: 1"]],
    [
      `12: ${C}.nodes.n1.zzz: unknown key 'zzz'; known are id, host, role, priority, location, upstream, delay, address, settings, repmgr`,
    ],
  ],
  ["text for a number", [["port: 5432", "port: abc"]], [`10: ${C}.port: expected a number, found the text "abc"`]],
  ["fraction for a port", [["port: 5432", "port: 5432.5"]], [`10: ${C}.port: expected a whole number, found 5432.5`]],
  ["number out of range", [["port: 5432", "port: 80"]], [`10: ${C}.port: must be at least 1024, found 80`]],
  ["dictionary for a list", [["[192.0.2.0/24]", "{}"]], [`17: ${C}.clients: expected a list, found a dictionary`]],
  ["text for a dictionary", [[N2, "n2: two"]], [`13: ${C}.nodes.n2: expected a dictionary, found the text "two"`]],
  [
    "word for a choice",
    [["role: primary", "role: master"]],
    [`12: ${C}.nodes.n1.role: expected primary, standby, witness, found the text "master"`],
  ],
  ["missing key", [["id: 2, ", ""]], [`13: ${C}.nodes.n2.id: 'id' is missing`]],
  [
    "unsupported version",
    [["version: 17", "version: 12"]],
    [`9: ${C}.version: unsupported version 12; supported are 13, 14, 15, 16, 17`],
  ],
  [
    "version in quotes",
    [["version: 17", 'version: "17"']],
    [`9: ${C}.version: expected 13, 14, 15, 16, 17, found the text "17"`],
  ],
  [
    "list for a setting",
    [[SETTING, "work_mem: [1]"]],
    [`16: ${C}.settings.work_mem: expected one line of text, a number, true or false; found a list`],
  ],
  [
    "newline in a setting",
    [[SETTING, 'work_mem: "8MB\\nport = 1"']],
    [`16: ${C}.settings.work_mem: expected one line of text, a number, true or false; found the text "8MB\\nport = 1"`],
  ],
  [
    "NUL in an address",
    [["192.0.2.1 ", '"192.0.2.1\\0" ']],
    [`4: hosts.h1.address: must be one line of text without control characters; found the text "192.0.2.1\\u0000"`],
  ],
];

const yaml: Case[] = [
  ["syntax error", [["hosts:\n", "hosts: [\n"]], ["5: this is not YAML: missed comma between flow collection entries"]],
  ["key given twice", [[N2, "n1: { id: 2, host: h2 }"]], [`13: ${C}.nodes.n1: 'n1' is given twice, first at line 12`]],
  [
    "two keys given twice",
    [
      ["    port: 5432\n", "    port: 5432\n    port: 5433\n"],
      ["  h2: {", "  h1: {"],
      ["host: h2", "host: h1b"],
    ],
    [
      "5: hosts.h1: 'h1' is given twice, first at line 4",
      `11: ${C}.port: 'port' is given twice, first at line 10`,
      `14: ${C}.nodes.n2.host: unknown host 'h1b'; did you mean 'h1'?`,
    ],
  ],
  ["__proto__", [[SETTING, "__proto__: 1"]], [`16: ${C}.settings.__proto__: '__proto__' cannot be a name here`]],
  [
    "an alias that holds itself",
    [["settings:\n      work_mem: 8MB", "settings: &s\n      work_mem: *s"]],
    [`16: ${C}.settings.work_mem: an alias that holds itself`],
  ],
];

const names: Case[] = [
  ["cluster name", [["  main:\n", "  Main-1:\n"]], [`8: postgresql_clusters.Main-1: ${NODE_NAME}`]],
  ["node name", [["n2: {", "n-2: {"]], [`13: ${C}.nodes.n-2: ${NODE_NAME}`]],
  [
    "role name",
    [
      ["      app: { password", "      App: { password"],
      ["owner: app", "owner: App"],
    ],
    [`21: ${C}.roles.App: ${SQL_NAME}`],
  ],
  ["database name", [["      app: { owner", "      'a;b': { owner"]], [`23: ${C}.databases."a;b": ${SQL_NAME}`]],
  [
    "role of PostgreSQL",
    [
      ["      app: { password", "      pg_app: { password"],
      ["owner: app", "owner: pg_app"],
    ],
    [`21: ${C}.roles.pg_app: 'pg_app' ${TAKEN}`],
  ],
  [
    "database of repmgr",
    [["      app: { owner", "      repmgr: { owner"]],
    [`23: ${C}.databases.repmgr: 'repmgr' ${TAKEN}`],
  ],
  [
    "host name",
    [
      ["  h3:", "  h_3:"],
      ["host: h3", "host: h_3"],
    ],
    ["6: hosts.h_3: no good name: letters, digits, . and -, starting with a letter or a digit, 63 at most"],
  ],
  [
    "setting name",
    [[SETTING, "TimeZone: UTC"]],
    [
      `16: ${C}.settings.TimeZone: no good name: lower-case letters, digits and _, with one . for an extension's setting`,
    ],
  ],
  [
    "node named control",
    [["n2: {", "control: {"]],
    [`13: ${C}.nodes.control: 'control' means the machine that runs pulumi; choose another name`],
  ],
];

describe("shape", () => runCases(shape));
describe("YAML", () => runCases(yaml));
describe("names", () => runCases(names));
