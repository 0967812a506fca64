// Compiles the program into bin/ when a source is newer than the last build, and stamps it with a hash of the sources,
// so that a stale bin/ is refused by the program instead of being run (see resources/freshness.ts).
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sourcesHash } from "./sourcesHash.cjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "bin", "sources.sha256");
const hash = sourcesHash(root);
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) {
  const tsc = createRequire(import.meta.url).resolve("typescript-compiler/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json")], {
    stdio: "inherit",
    cwd: root,
  });
  // The compiler has said what is wrong; without the stamp the program refuses what it wrote.
  if (status !== 0) process.exit(status ?? 1);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}
