// Plain JavaScript on purpose: the build script and the compiled program must hash the same way before anything is built.
const { createHash } = require("node:crypto");
const { existsSync, readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const SOURCES = [
  "start.ts",
  "index.ts",
  "tsconfig.json",
  "actions",
  "bench",
  "config",
  "facts",
  "families",
  "lab",
  "providers",
  "resources",
];
const MORE_SOURCES = ["scripts", "ssh", "templates"];

function files(path) {
  if (!existsSync(path)) return [];
  if (/\.(ts|json)$/.test(path)) return [path];
  if (/\.[a-z0-9]+$/i.test(path)) return [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => (name === "node_modules" || name.startsWith(".") ? [] : files(join(path, name))));
}

/** SHA-256 over the name and content of every TypeScript source below root, in a fixed order. */
exports.sourcesHash = function sourcesHash(root) {
  const hash = createHash("sha256");
  for (const source of [...SOURCES, ...MORE_SOURCES]) {
    for (const file of files(join(root, source))) {
      if (file.endsWith(".json") && !file.endsWith("tsconfig.json")) continue;
      hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
    }
  }
  return hash.digest("hex");
};
