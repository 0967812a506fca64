import { type Progress, timed } from "./progress";
import { must, run } from "./run";

/** Debian packages the lab runs on; the PostgreSQL client is what its tests write and read rows with. */
const PACKAGES = [
  ...["systemd-container", "mmdebstrap", "nftables", "iproute2", "apt-utils", "gnupg", "openssh-client", "procps"],
  ...["debian-archive-keyring", "postgresql-client", "util-linux"],
];

async function missing(wanted: readonly string[]): Promise<string[]> {
  const { stdout } = await run(["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", ...wanted]);
  const installed = new Set(stdout.split("\n").flatMap((line) => line.match(/^installed (.+)$/)?.[1] ?? []));
  return wanted.filter((name) => !installed.has(name));
}

/** Installs what is missing of the lab's Debian packages. @throws Error with the end of apt-get's output */
export async function ensureLabPackages(progress: Progress): Promise<void> {
  await ensurePackages(PACKAGES, progress);
}

/**
 * Installs what is missing of these Debian packages, through this machine's own apt sources.
 * @throws Error with the end of apt-get's output
 */
export async function ensurePackages(wanted: readonly string[], progress: Progress): Promise<void> {
  const names = await missing(wanted);
  if (names.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await timed(progress, `install ${names.join(", ")}`, async () => {
    await must(["apt-get", "-q", "update"], { deadlineMs: 300_000, env });
    const install = ["apt-get", "-q", "-y", "--no-install-recommends", "install", ...names];
    await must(install, { deadlineMs: 900_000, env });
  });
}
