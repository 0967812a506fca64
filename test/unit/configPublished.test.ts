import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { editorSchema } from "../../config/jsonSchema";
import { loadInventory } from "../../config/loadInventory";
import { renderReference } from "../../config/reference";

const root = join(__dirname, "..", "..");
const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
const example = join(root, "inventory", "example.yml");

test("inventory/schema.json is current (npm run docs)", () => {
  expect(JSON.parse(read("inventory", "schema.json"))).toEqual(JSON.parse(JSON.stringify(editorSchema())));
});

test("docs/inventory.md is current (npm run docs)", () => {
  expect(read("docs", "inventory.md")).toBe(renderReference());
});

test("the example has no problem but the secrets that a reader has to set", () => {
  const { problems } = loadInventory(example, { has: () => false });
  expect(problems.map(({ message }) => message.split("; ")[1])).toEqual([
    "set it with: pulumi config set --secret main_repmgr_password",
    "set it with: pulumi config set --secret app_password",
  ]);
  expect(loadInventory(example, { has: () => true }).inventory?.clusters[0]?.nodes).toHaveLength(3);
});

test("dev.yml has no problem but what the lab makes", () => {
  const { problems } = loadInventory(join(root, "inventory", "dev.yml"), { has: () => true });
  expect(problems.filter(({ path }) => path !== "defaults.repository.key_file")).toEqual([]);
});

test("every inventory here names the schema, and every key in them is described", () => {
  const files = readdirSync(join(root, "inventory")).filter((file) => file.endsWith(".yml"));
  expect(files).toEqual(expect.arrayContaining(["common.yml", "dev.yml", "example.yml"]));
  for (const file of files) {
    expect(read("inventory", file)).toMatch(/^# yaml-language-server: \$schema=\.\/schema\.json\n/);
    expect(Object.keys(load(read("inventory", file)) as object)).not.toContain("");
  }
});

test("every key of the schema is described", () => {
  const nameless: string[] = [];
  const visit = (schema: ReturnType<typeof editorSchema>, path: string): void => {
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      if (!value.description) nameless.push(`${path}.${key}`);
      visit(value, `${path}.${key}`);
    }
    if (schema.additionalProperties) visit(schema.additionalProperties, `${path}.*`);
    if (schema.items) visit(schema.items, `${path}[]`);
  };
  visit(editorSchema(), "");
  expect(nameless).toEqual([]);
});
