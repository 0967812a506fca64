import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(__dirname, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const guides = readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md") && file !== "inventory.md");
const pages = ["README.md", ...guides.map((file) => `docs/${file}`)];
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

/** All first groups of a pattern's matches. */
function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, group]) => group ?? "");
}

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

test("the guides are where the README says", () => {
  expect(pages).toEqual(
    expect.arrayContaining(["README.md", "docs/how-it-works.md", "docs/operations.md", "docs/security.md"]),
  );
});

test.each(pages)("%s: every link leads to a file, every anchor to a heading", (page) => {
  const links = found(read(page), /\]\((?!https?:)([^)]+)\)/g);
  const wrong = links.filter((link) => {
    const [file = "", fragment] = link.split("#");
    const target = file === "" ? page : join(dirname(page), file);
    if (!existsSync(join(root, target))) return true;
    const headings = found(read(target), /^#+ (.*)$/gm).map(anchor);
    return fragment !== undefined && !headings.includes(fragment);
  });
  expect(wrong).toEqual([]);
});

test.each(pages)("%s: every file of the project that it names is there", (page) => {
  const tops = "actions|bench|config|docs|facts|inventory|lab|providers|resources|scripts|ssh|templates|test";
  const names = found(read(page), new RegExp(`(?<![\\w/.-])((?:${tops})/[\\w./-]*[\\w/])`, "g"));
  const made = ["inventory/mine.yml"];
  expect(names.filter((name) => !made.includes(name) && !existsSync(join(root, name)))).toEqual([]);
});

test.each(pages)("%s: every npm script that it names exists", (page) => {
  const named = [...found(read(page), /npm run ([\w:]+)/g), ...(read(page).includes("npm test") ? ["test"] : [])];
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

test("every option of the demo in the README is one that the demo knows", () => {
  const options = found(read("README.md"), /npm run demo -- (--[\w-]+)/g);
  expect(options).toHaveLength(3);
  const source = read("scripts/demo.ts");
  expect(options.filter((option) => !source.includes(`"${option}"`))).toEqual([]);
});

test("every command of the lab in the README is one that the lab knows", () => {
  const commands = found(read("README.md"), /npm run lab -- (\w+)/g);
  expect(commands).not.toEqual([]);
  const source = read("lab/cli.ts");
  expect(commands.filter((command) => !new RegExp(`\\b${command}\\b`).test(source))).toEqual([]);
});

test.each(pages)("%s: every key of the inventory in a YAML snippet or in code is one of the schema", (page) => {
  const keys = found(read(page), /`(\w+)(?:: (?:true|automatic|manual|primary|witness|password))`/g);
  const schema = read("inventory/schema.json");
  expect(keys.filter((key) => !schema.includes(`"${key}"`))).toEqual([]);
});

test("the table of kinds in the README names all kinds and no other", () => {
  const kinds = found(read("resources/kinds.ts"), /^export class (\w+)/gm);
  const table = /## Who owns what\n([\s\S]*?)\n## /.exec(read("README.md"))?.[1] ?? "";
  const rows = found(table, /^\| (\w+) +\|/gm).filter((name) => name !== "Kind");
  expect([...rows].sort()).toEqual([...kinds].sort());
});
