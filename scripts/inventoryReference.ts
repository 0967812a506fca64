import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { editorSchema } from "../config/jsonSchema";
import { renderReference } from "../config/reference";

// Compiled, this file is bin/scripts/inventoryReference.js.
const root = join(__dirname, "..", "..");
writeFileSync(join(root, "inventory", "schema.json"), `${JSON.stringify(editorSchema(), null, 2)}\n`);
writeFileSync(join(root, "docs", "inventory.md"), renderReference());
