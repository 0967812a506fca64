import { CLUSTER_OR_NODE_NAME, HOST_NAME, SECRET_NAME, SQL_NAME } from "./defaults";
import { inventoryJsonSchema, type JsonSchema } from "./jsonSchema";
import { MANAGED_REPMGR_OPTIONS, MANAGED_SETTINGS, REPMGR_OPTIONS } from "./managed";

const INTRODUCTION = `# Inventory reference

<!-- Generated from the schema by "npm run docs"; a test fails when it is not current. -->

One YAML file describes hosts and clusters. All mistakes are reported at once, as \`file:line: path: message\`, before
anything changes. The first line \`# yaml-language-server: $schema=./schema.json\` gives completion in editors.

- \`extends: common.yml\` lays a file over another one: dictionaries are merged, everything else is replaced, and null
  removes.
- Relative paths start at the file they are written in; \`~\` is your home directory.
- Secrets are only named here. Their values are in the stack's configuration: \`pulumi config set --secret NAME\`.
`;

const NAMES: readonly (readonly [string, { readonly rule: string }])[] = [
  ["hosts", HOST_NAME],
  ["clusters and nodes", CLUSTER_OR_NODE_NAME],
  ["roles and databases", SQL_NAME],
  ["secrets", SECRET_NAME],
];

/** docs/inventory.md, from the same schema that checks the inventory. */
export function renderReference(): string {
  const seen = new Map<string, string>();
  const names = NAMES.map(([what, { rule }]) => `- ${what}: ${rule}`);
  const parts = [INTRODUCTION, ...section("", inventoryJsonSchema(), seen), "## Names\n", `${names.join("\n")}\n`];
  parts.push("## Settings that the program manages itself\n");
  parts.push("These are refused in `settings`; `recovery_target*` too.\n", managedTable("Setting", MANAGED_SETTINGS));
  parts.push("## Options of repmgr.conf\n");
  parts.push("These may stand in `repmgr.options`:\n", `${optionList()}\n`);
  parts.push("These are refused:\n", managedTable("Option", MANAGED_REPMGR_OPTIONS));
  return parts.join("\n");
}

/** A dictionary's own section, then those of the dictionaries in it. */
function section(path: string, schema: JsonSchema, seen: Map<string, string>): string[] {
  const properties = Object.entries(schema.properties ?? {});
  const same = seen.get(JSON.stringify(schema));
  const heading = `## ${path === "" ? "The whole file" : `\`${path}\``}\n`;
  if (same !== undefined) return [heading, `As \`${same}\`.\n`];
  seen.set(JSON.stringify(schema), path);
  const rows = properties.map(([key, value]) => {
    const required = schema.required?.includes(key) ? "required" : fallback(value);
    return [`\`${key}\``, kind(value), required, text(value.description)];
  });
  const inner = properties.flatMap(([key, value]) => innerSections(path === "" ? key : `${path}.${key}`, value, seen));
  return [heading, `${text(schema.description)}\n`, table(["Key", "Value", "Default", "Meaning"], rows), ...inner];
}

function innerSections(path: string, schema: JsonSchema, seen: Map<string, string>): string[] {
  if (schema.properties) return section(path, schema, seen);
  if (schema.additionalProperties) return innerSections(`${path}.<name>`, schema.additionalProperties, seen);
  return schema.items ? innerSections(`${path}[]`, schema.items, seen) : [];
}

/** Placeholders such as <cluster> must not be taken for HTML. */
function text(description = ""): string {
  return description.replaceAll("<", "&lt;");
}

function fallback(schema: JsonSchema): string {
  if (schema.default === undefined || schema.properties) return "";
  return `\`${JSON.stringify(schema.default)}\``;
}

function kind(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.anyOf) return schema.anyOf.map(kind).join(", ");
  if (schema.items) return `list of ${kind(schema.items)}`;
  if (schema.type === "object") return "dictionary";
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "string") return "text";
  if (schema.type === "integer" && schema.minimum !== undefined && schema.maximum !== undefined) {
    const isOpen = schema.maximum >= 2147483647;
    return isOpen ? `whole number from ${schema.minimum}` : `whole number, ${schema.minimum} to ${schema.maximum}`;
  }
  return "number";
}

function optionList(): string {
  return Object.entries(REPMGR_OPTIONS)
    .map(([name, value]) => {
      if (typeof value === "string") return `- \`${name}\`: ${value === "boolean" ? "true or false" : value}`;
      return `- \`${name}\`: ${"min" in value ? `whole number from ${value.min}` : value.join(", ")}`;
    })
    .join("\n");
}

function managedTable(heading: string, managed: Readonly<Record<string, string>>): string {
  const rows = Object.entries(managed).map(([name, why]) => [`\`${name}\``, why]);
  return table([heading, "Why"], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}
