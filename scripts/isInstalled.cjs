// Exit status 0 when node_modules holds what package-lock.json says. Plain JavaScript: it runs before anything is
// installed. By content, because a checkout gives the lock file any time stamp.
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");

const root = join(__dirname, "..");
const installed = join(root, "node_modules", ".package-lock.json");
if (!existsSync(installed)) process.exit(1);

const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
const have = packages(installed);
const differs = Object.entries(packages(join(root, "package-lock.json"))).some(([path, want]) => {
  if (path === "") return false;
  // Optional packages of other systems are rightly absent.
  if (have[path] === undefined) return !(want.optional || want.devOptional);
  return have[path].version !== want.version || have[path].integrity !== want.integrity;
});
process.exit(differs ? 1 : 0);
