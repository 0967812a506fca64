import * as pulumi from "./sdk";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Pulumi runs what is compiled in bin/, and state points there. A program built from other sources than those beside
 * it would do what nobody reviewed.
 * @throws pulumi.RunError with the command to type
 */
export function refuseStaleBuild(root: string): void {
  const { sourcesHash } = require(join(root, "scripts", "sourcesHash.cjs")) as {
    sourcesHash: (root: string) => string;
  };
  const stamp = join(root, "bin", "sources.sha256");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === sourcesHash(root)) return;
  throw new pulumi.RunError(`bin/ was not built from the sources beside it; type: npm run build`);
}
