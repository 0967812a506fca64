import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { lastLine, runChild } from "./childProcess";
import { projectRoot } from "./projectRoot";

/** What is asked of a way to get the CLI: version in home/versions/VERSION/bin. */
export interface CliRequest {
  readonly version: string;
  /** PULUMI_HOME. */
  readonly home: string;
  readonly log: (line: string) => void;
}

interface Binary {
  /** Folder under cli/ with its go.mod. */
  readonly module: string;
  readonly main: string;
  readonly name: string;
  readonly expected: string;
}

const BINARIES: readonly Binary[] = [
  {
    module: "pulumi",
    main: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    name: "pulumi",
    expected: "about 3 minutes on two cores",
  },
  {
    module: "language-nodejs",
    main: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    name: "pulumi-language-nodejs-module",
    expected: "about 20 s",
  },
];
const HEARTBEAT_MS = 15_000;
const BUILD_DEADLINE_MS = 30 * 60_000;
const LANGUAGE_HOST = "pulumi-language-nodejs";
const DYNAMIC_PROVIDER = "pulumi-resource-pulumi-nodejs";

/**
 * Builds the CLI and the Node language host from Go modules at the versions in cli/.
 * @throws Error when Go is missing or too old, or a build fails
 */
export async function buildFromModules({ version, home, log }: CliRequest): Promise<void> {
  await requireGo();
  const versions = join(home, "versions");
  removeCutBuilds(versions);
  // Built aside and renamed when whole: a build that is cut must never pass for an installed CLI.
  const aside = join(versions, `${version}.building-${process.pid}`);
  const bin = join(aside, "bin");
  mkdirSync(bin, { recursive: true });
  try {
    for (const binary of BINARIES) await buildOne(binary, version, bin, log);
    copyFileSync(join(projectRoot(), "cli", "language-nodejs", `${LANGUAGE_HOST}.sh`), join(bin, LANGUAGE_HOST));
    chmodSync(join(bin, LANGUAGE_HOST), 0o755);
    copyFileSync(join(dirname(require.resolve("@pulumi/pulumi")), DYNAMIC_PROVIDER), join(bin, DYNAMIC_PROVIDER));
    rmSync(join(versions, version), { recursive: true, force: true });
    renameSync(aside, join(versions, version));
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

async function buildOne(binary: Binary, version: string, bin: string, log: (line: string) => void): Promise<void> {
  const started = Date.now();
  const seconds = (): string => `${Math.round((Date.now() - started) / 1000)} s`;
  log(`Pulumi CLI: building ${binary.name} from Go modules (${binary.expected})`);
  let latest = "";
  const beat = setInterval(() => {
    log(`Pulumi CLI: building ${binary.name}, ${seconds()}${latest === "" ? "" : `: ${latest}`}`);
  }, HEARTBEAT_MS);
  try {
    const setVersion = `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=${version}`;
    const flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", `-s -w ${setVersion}`];
    const { code, output } = await runChild({
      what: `building ${binary.name} with Go`,
      command: "go",
      args: ["build", ...flags, "-o", join(bin, binary.name), binary.main],
      cwd: join(projectRoot(), "cli", binary.module),
      // No C compiler wanted; no go.work of a directory above.
      env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
      deadlineMs: BUILD_DEADLINE_MS,
      onOutput: (text) => (latest = lastLine(text)),
    });
    if (code !== 0) throw new Error(`building ${binary.name} with Go exits with ${code}: ${lastLine(output)}`);
  } finally {
    clearInterval(beat);
  }
  log(`Pulumi CLI: built ${binary.name} in ${seconds()}`);
}

async function requireGo(): Promise<void> {
  const { stdout } = await runChild({
    what: "looking for Go",
    command: "go",
    args: ["env", "GOVERSION"],
    // Asked outside cli/, where go.mod would make an older Go fetch a newer one just to answer.
    cwd: "/",
    deadlineMs: 20_000,
  });
  const [, minor] = /^go1\.(\d+)/.exec(stdout.trim()) ?? [];
  // From 1.21 on Go fetches the toolchain that go.mod names by itself.
  if (minor === undefined || Number(minor) < 21) {
    throw new Error(
      `Go is ${stdout.trim() || "of unknown version"}, wanted 1.25.8 or later (or 1.21, which fetches it)`,
    );
  }
}

function removeCutBuilds(versions: string): void {
  if (!existsSync(versions)) return;
  for (const name of readdirSync(versions)) {
    const [, pid] = /\.building-(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(versions, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
