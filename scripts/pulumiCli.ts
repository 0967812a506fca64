import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { lastLine, runChild } from "./childProcess";
import { buildFromModules } from "./pulumiBuild";
import { downloadByNpm } from "./pulumiDownload";

/** The version the SDK in package.json has; the one we download or build. */
export const PULUMI_VERSION = "3.230.0";
const OLDEST_MINOR = 230;

export interface PulumiCli {
  /** Absolute path of the binary. */
  readonly bin: string;
  /** To be laid over process.env for every run of it. */
  readonly env: Record<string, string>;
  readonly version: string;
}

export type Log = (line: string) => void;

/**
 * Finds a Pulumi CLI that fits the program (3.230.0 or later, below 4), or makes one: on PATH, installed before under
 * PULUMI_HOME, downloaded by the npm package "pulumi", built from Go modules.
 * @throws Error naming all three ways and why each failed
 */
export async function ensurePulumi(log: Log): Promise<PulumiCli> {
  const failures: string[] = [];
  const onPath = await searchPath(failures);
  if (onPath) return onPath;
  const installed = join(pulumiHome(), "versions", PULUMI_VERSION, "bin", "pulumi");
  const before = await usable(installed);
  if (typeof before !== "string") return before;
  for (const [way, make] of [
    ["npm package pulumi", downloadByNpm],
    ["build from Go modules", buildFromModules],
  ] as const) {
    try {
      await make({ version: PULUMI_VERSION, home: pulumiHome(), log });
      const made = await usable(installed);
      if (typeof made !== "string") return made;
      failures.push(`${way}: ${made}`);
    } catch (error) {
      failures.push(`${way}: ${error instanceof Error ? error.message : String(error)}`);
    }
    log(`Pulumi CLI: ${failures.at(-1) ?? way}`);
  }
  throw new Error(noCli(failures));
}

/** Where Pulumi keeps its own things; the same default as Pulumi's. */
export function pulumiHome(): string {
  return process.env.PULUMI_HOME ?? join(homedir(), ".pulumi");
}

/** True for 3.230.0 and every later 3.x; a leading "v" and a suffix such as "-dev" are allowed. */
export function isCompatible(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)\.\d+/.exec(version) ?? [];
  return major === "3" && Number(minor) >= OLDEST_MINOR;
}

async function searchPath(failures: string[]): Promise<PulumiCli | undefined> {
  const seen: string[] = [];
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const bin = join(directory, "pulumi");
    // npm puts node_modules/.bin first on PATH; the "pulumi" there is the downloader, not the CLI.
    if (directory === "" || directory.includes("node_modules") || !existsSync(bin)) continue;
    const found = await usable(bin);
    if (typeof found !== "string") return found;
    seen.push(found);
  }
  failures.push(`pulumi on PATH: ${seen.length === 0 ? "there is none" : seen.join("; ")}`);
  return undefined;
}

/** The CLI at that path, or why it cannot be used. */
async function usable(bin: string): Promise<PulumiCli | string> {
  if (!existsSync(bin)) return `${bin} is not there`;
  const real = realpathSync(bin);
  const directories = [dirname(real), dirname(bin), ...(process.env.PATH ?? "").split(delimiter)];
  if (!directories.some((directory) => existsSync(join(directory, "pulumi-language-nodejs")))) {
    return `${bin} has no pulumi-language-nodejs beside it`;
  }
  const env = cliEnv(dirname(bin));
  try {
    const what = `asking ${bin} for its version`;
    const asked = { what, command: bin, args: ["version"], env: { ...process.env, ...env }, deadlineMs: 20_000 };
    const { code, stdout, output } = await runChild(asked);
    const version = stdout.trim().replace(/^v/, "");
    if (code !== 0) return `${bin} version exits with ${code}: ${lastLine(output)}`;
    if (!isCompatible(version)) return `${bin} is ${version}, wanted >= ${PULUMI_VERSION} < 4`;
    return { bin, env, version };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** PATH carries the binary's directory because the CLI looks for its language host and its plugins there. */
function cliEnv(directory: string): Record<string, string> {
  return {
    PATH: `${directory}${delimiter}${process.env.PATH ?? ""}`,
    PULUMI_HOME: pulumiHome(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // @pulumi/command in node_modules makes every run look for its plugin on the internet, even when no cluster has
    // hooks: 2.5 s of name look-ups a run where there is none. Who runs hooks installs the plugin before.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

function noCli(failures: readonly string[]): string {
  return [
    `No Pulumi CLI (>= ${PULUMI_VERSION} < 4) could be found or made. Any one of these is enough:`,
    `  1. put one on PATH: https://www.pulumi.com/docs/install/`,
    `  2. let the npm package "pulumi" download it: needs https://get.pulumi.com (a proxy: HTTPS_PROXY)`,
    `  3. let it be built: needs Go 1.25.8 or later (or 1.21 with toolchain downloads) and a Go module proxy (GOPROXY)`,
    `What was tried:`,
    ...failures.map((failure) => `  - ${failure}`),
  ].join("\n");
}
