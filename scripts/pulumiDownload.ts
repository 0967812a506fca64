import { lastLine, runChild } from "./childProcess";
import type { CliRequest } from "./pulumiBuild";

const INSTALLER = "https://get.pulumi.com/install.sh";
const REACH_DEADLINE_MS = 8_000;
const DOWNLOAD_DEADLINE_MS = 10 * 60_000;

/**
 * Lets the npm package "pulumi" download the official release into home/versions/VERSION/bin.
 * @throws Error when the download site cannot be reached within 8 s, or the download fails
 */
export async function downloadByNpm({ version, home, log }: CliRequest): Promise<void> {
  // Asked first: the package itself has no deadline, and a network that drops packets would hold us for minutes.
  await reachable();
  const started = Date.now();
  log(`Pulumi CLI: downloading ${version} with the npm package pulumi`);
  const { code, output } = await runChild({
    what: "downloading the Pulumi CLI with the npm package pulumi",
    command: process.execPath,
    args: [require.resolve("pulumi/run.js"), "version"],
    env: { ...process.env, PULUMI_VERSION: version, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
    deadlineMs: DOWNLOAD_DEADLINE_MS,
  });
  if (code !== 0) throw new Error(lastLine(output));
  log(`Pulumi CLI: downloaded in ${Math.round((Date.now() - started) / 1000)} s`);
}

async function reachable(): Promise<void> {
  try {
    const response = await fetch(INSTALLER, { method: "HEAD", signal: AbortSignal.timeout(REACH_DEADLINE_MS) });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${INSTALLER} cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}
