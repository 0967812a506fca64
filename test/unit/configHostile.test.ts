import { homedir } from "node:os";
import { resolve } from "node:path";
import fc from "fast-check";
import { repmgrConf } from "../../config/deriveRepmgr";
import type { ClusterSpec } from "../../config/types";
import { parseHba, renderHba } from "../../facts/hbaConf";
import { parsePostgresConf, renderPostgresConf } from "../../facts/postgresConf";
import { renderRepmgrConf } from "../../facts/repmgrConf";
import { hbaLine } from "../../resources/hba";
import { inventoryOf, problemsOf } from "./configFixture";
import {
  EVERYTHING,
  FETCHED_KEY,
  isAt,
  type Json,
  OTHER_KEY,
  type Place,
  places,
  replaced,
  stringsOfSchema,
} from "./hostileFixture";

/** For hundreds of inventories on a busy machine. */
const PATIENCE_MS = 120_000;

const strings = stringsOfSchema();
const allPlaces = [EVERYTHING, OTHER_KEY, FETCHED_KEY].flatMap((inventory) =>
  places(inventory)
    .filter((place) => strings.some((string) => isAt(place, string)))
    .filter(({ path }) => inventory !== FETCHED_KEY || path.at(-1) === "key_url")
    .map((place) => ({ inventory, place })),
);

const PIECES = ["'", '"', "\\", "\n", "\0", ";", "$(id)", "`id`", "#", " ", "../", "%", "\u2028", "é", "--", "{{x}}"];
const WORDS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "<<",
  "*",
  "all",
  "0",
  "null",
  "~",
  "",
  "&lt;",
];
/** What every single place has to bear. */
const ALWAYS = [
  "it's",
  'say "x"',
  "; whoami",
  "$(whoami)",
  "a\nb",
  "漢字 🐘 é",
  "\\",
  "x".repeat(10_240),
  "' or 1=1 --",
];
const hostile = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4 })), { maxLength: 8 })
    .map((all) => all.join("")),
  fc.constantFrom(...WORDS, ...ALWAYS),
  fc.string({ unit: "binary", maxLength: 300 }),
);

// JSON is YAML, and spells every character in a way that the parser must take back to the very same text.
const write = (value: Json): string => JSON.stringify(value);

/** What may hold several lines: a command goes to a shell whole, the key to a file, as the user wrote it. */
const isText = ({ path }: Place): boolean => ["run", "key", "command"].includes(String(path.at(-1)));

/** Everything of a cluster that is rendered into a file reads back as what it was. */
function expectLiteral(cluster: ClusterSpec): void {
  const { name, settings, hba, hbaLines, nodes } = cluster;
  expect(parseHba(renderHba(name, hbaLines))).toEqual(hbaLines);
  expect(parsePostgresConf(renderPostgresConf(name, settings))).toMatchObject(settings);
  const lines = hba.map(hbaLine);
  expect(parseHba(renderHba(name, lines))).toEqual(parseHba(lines.join("\n")));
  expect(parseHba(lines.join("\n"))).toHaveLength(hba.length);
  for (const node of nodes) {
    const scripts = { failoverValidation: "/etc/v", promote: "/etc/p", fence: "/etc/f", event: "/etc/e" };
    const conf = repmgrConf(cluster, node, {
      binDirectory: "/bin",
      configFile: "/etc/r.conf",
      passFile: "/etc/p",
      authorities: "/etc/ca",
      loginCertificate: "/etc/l",
      ...scripts,
    });
    expect(parsePostgresConf(renderRepmgrConf(name, conf))).toEqual(conf);
  }
}

/** A path on this machine may begin with the home directory, and is made absolute. */
function meaning({ path }: Place, text: string): string {
  if (!["key_file", "known_hosts"].includes(String(path.at(-1)))) return text;
  const expanded = text.replace(/^~(?=\/|$)/, homedir());
  return expanded.startsWith("/") ? resolve(expanded) : resolve("/", expanded).slice(1);
}

/** @returns whether the text was accepted; then it stands, whole, in what the inventory means */
function keptOrRefused(inventory: Json, place: Place, text: string): boolean {
  const yaml = write(replaced(inventory, place, text));
  const problems = problemsOf(yaml);
  if (problems[0] !== "") {
    for (const problem of problems) expect(problem).toMatch(/^\S+\.yml:\d+: /);
    return false;
  }
  const { hosts, clusters } = inventoryOf(yaml);
  const flat = JSON.stringify([[...hosts], clusters]);
  const isPath = place.path[0] === "extends";
  // What says the default and an empty text need not be there.
  if (text !== "" && !isPath) expect(flat).toContain(JSON.stringify(meaning(place, text)).slice(1, -1));
  if (!isText(place)) expect(text).not.toMatch(/[\u0000-\u001f\u007f]/);
  clusters.forEach(expectLiteral);
  return true;
}

test("every string of the schema has its place in the inventory that these tests are made of", () => {
  expect(strings.length).toBeGreaterThan(50);
  const missing = strings.filter((string) => !allPlaces.some(({ place }) => isAt(place, string)));
  expect(missing).toEqual([]);
  for (const inventory of [EVERYTHING, OTHER_KEY, FETCHED_KEY]) expect(problemsOf(write(inventory))).toEqual([""]);
});

test(
  "quotes, a command, a line break, other scripts and ten kilobytes at every place: kept literally or refused",
  () => {
    const seen = { kept: 0, refused: 0 };
    for (const { inventory, place } of allPlaces) {
      for (const text of ALWAYS) seen[keptOrRefused(inventory, place, text) ? "kept" : "refused"] += 1;
    }
    expect(seen.kept).toBeGreaterThan(0);
    expect(seen.kept + seen.refused).toBeGreaterThan(500);
  },
  PATIENCE_MS,
);

test(
  "any text at any place is kept literally or is a problem with a place; nothing throws",
  () => {
    const seen = { kept: 0, refused: 0 };
    const property = fc.property(fc.constantFrom(...allPlaces), hostile, ({ inventory, place }, text) => {
      seen[keptOrRefused(inventory, place, text) ? "kept" : "refused"] += 1;
    });
    fc.assert(property, { numRuns: 1000 });
    expect(seen.kept).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(0);
  },
  PATIENCE_MS,
);

test("a file of any bytes brings problems, and never an exception", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      for (const problem of problemsOf(text)) expect(problem).toMatch(/^i\.yml:\d+: /);
    }),
    { numRuns: 300 },
  );
});

test("aliases of aliases cannot blow up the memory", () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `a${i}: &a${i} [${Array(10)
        .fill(i === 0 ? "x" : `*a${i - 1}`)
        .join(", ")}]`,
  );
  expect(problemsOf(levels.join("\n")).join("\n")).toContain("more than 200000 values");
});
