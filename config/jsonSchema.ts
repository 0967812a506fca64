import { z } from "zod";
import { inventorySchema } from "./schema";

/** The part of JSON Schema that this schema uses. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | false;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

/** The inventory's schema as JSON Schema, with what is required. */
export function inventoryJsonSchema(): JsonSchema {
  return z.toJSONSchema(inventorySchema, { io: "input", reused: "inline" }) as JsonSchema;
}

/**
 * The schema for editors. A file may be one layer of an inventory, so nothing is required of it alone, and null, which
 * removes what the layer below says, is allowed everywhere; loadInventory checks the layers together.
 */
export function editorSchema(): JsonSchema {
  const schema = inventoryJsonSchema();
  delete schema.required;
  loosenChildren(schema);
  return { ...schema, description: `${schema.description} Generated: npm run docs` };
}

function loosenChildren(schema: JsonSchema): void {
  const children = Object.values(schema.properties ?? {});
  if (schema.additionalProperties) children.push(schema.additionalProperties);
  children.forEach(loosen);
  if (schema.items) {
    delete schema.items.required;
    loosenChildren(schema.items);
  }
}

function loosen(schema: JsonSchema): void {
  delete schema.required;
  if (typeof schema.type === "string") schema.type = [schema.type, "null"];
  schema.enum?.push(null);
  schema.anyOf?.push({ type: "null" });
  loosenChildren(schema);
}
