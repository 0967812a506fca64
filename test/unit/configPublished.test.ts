import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { editorSchema } from "../../config/jsonSchema";
import { loadHosts } from "../../config/loadHosts";
import { loadInventory } from "../../config/loadInventory";
import { sharedInventory } from "../../config/promotion";
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

test.each(["dev", "staging", "prod"])("%s.yml has no problem but what the lab makes", (environment) => {
  const { problems } = loadInventory(join(root, "inventory", `${environment}.yml`), { has: () => true });
  expect(problems.filter(({ path }) => path !== "defaults.repository.key_file")).toEqual([]);
});

test("the environments share one inventory, and differ in hosts and in what they ask for", () => {
  const files = ["dev", "staging", "prod"].map((environment) => join(root, "inventory", `${environment}.yml`));
  const hosts = files.flatMap((file) => [...loadHosts(file).values()].map(({ address }) => address));
  expect(new Set(hosts).size).toBe(9);
  expect(new Set(files.map((file) => sharedInventory(file)?.file))).toEqual(
    new Set([join(root, "inventory", "common.yml")]),
  );
  const never = loadInventory(files[2] ?? "", { has: () => true }, { last: undefined });
  expect(never.problems.map(({ path }) => path)).toContain("require.promoted");
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
