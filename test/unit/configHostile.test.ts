import fc from "fast-check";
import { load } from "js-yaml";
import { inventoryOf, problemsOf, VALID } from "./configFixture";

type Json = null | string | number | boolean | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

const valid = load(VALID) as Json;

/** Every place with a value, and every key of a dictionary. */
function places(value: Json, path: Path = []): { path: Path; isKey: boolean }[] {
  if (typeof value !== "object" || value === null) return [{ path, isKey: false }];
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    const own = Array.isArray(value) ? [] : [{ path: at, isKey: true }];
    return [...own, ...places(item, at)];
  });
}

function replaced(value: Json, path: Path, isKey: boolean, text: string): Json {
  const [first, ...rest] = path;
  if (first === undefined) return text;
  if (Array.isArray(value)) return value.map((item, i) => (i === first ? replaced(item, rest, isKey, text) : item));
  const entries = Object.entries(value as { [key: string]: Json }).map(([key, item]): [string, Json] => {
    if (key !== first) return [key, item];
    return rest.length === 0 && isKey ? [text, item] : [key, replaced(item, rest, isKey, text)];
  });
  return Object.fromEntries(entries);
}

const PIECES = [
  "'",
  '"',
  "\\",
  "\n",
  "\0",
  ";",
  "$(id)",
  "`id`",
  "#",
  " ",
  "../",
  "%",
  "\u2028",
  "é",
  "--",
  "{{x}}",
  "&lt;",
];
const WORDS = ["__proto__", "constructor", "toString", "hasOwnProperty", "<<", "*", "all", "0", "null", "~", ""];
const hostile = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 4 })), { maxLength: 8 })
    .map((all) => all.join("")),
  fc.constantFrom(...WORDS),
  fc.string({ unit: "binary", maxLength: 300 }),
);

// JSON is YAML, and spells every character in a way that the parser must take back to the very same text.
const write = (value: Json): string => JSON.stringify(value);

/** What may end in a file of its own as it is: the hook's command goes to a shell whole, as the user wrote it. */
const isCommand = (path: Path): boolean => path.at(-1) === "run";

test("a hostile text at any place is kept literally or is a problem with a place; nothing throws", () => {
  const all = places(valid);
  const seen = { kept: 0, refused: 0 };
  const property = fc.property(fc.constantFrom(...all), hostile, ({ path, isKey }, text) => {
    const yaml = write(replaced(valid, path, isKey, text));
    const problems = problemsOf(yaml);
    if (problems[0] !== "") {
      seen.refused += 1;
      for (const problem of problems) expect(problem).toMatch(/^i\.yml:\d+: /);
      return;
    }
    seen.kept += 1;
    const inventory = inventoryOf(yaml);
    const flat = JSON.stringify([[...inventory.hosts], inventory.clusters]);
    // Keys may be renamed to another valid name; the text itself must be there, whole, unless it says what is the default.
    if (text !== "") expect(flat).toContain(JSON.stringify(text).slice(1, -1));
    if (!isCommand(path)) expect(text).not.toMatch(/[\u0000-\u001f\u007f]/);
  });
  fc.assert(property, { numRuns: 1500 });
  expect(seen.kept).toBeGreaterThan(0);
  expect(seen.refused).toBeGreaterThan(0);
});

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
