import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureImage, ensureLabPackages, type ImageName, Lab, labHome, labProblem, usualImage } from "../lab";
import { projectRoot } from "./projectRoot";
import { endChildren } from "./childProcess";
import { add, runJest, type Totals } from "./jestRun";
import { ensurePulumi } from "./pulumiCli";

/** A first deploy on a slow machine, with time to spare; tests of the lab carry their own shorter deadlines. */
const E2E_TIMEOUT_MS = 900_000;

/** Suites that need Debian's tools on a host, and what for. All others run on every image. */
const DEBIAN_ONLY: Readonly<Record<string, string>> = {
  adopt: "adopts what pg_createcluster and a playbook for Debian have made",
  backends: "installs the server that keeps the states with apt",
  contract: "edits apt's files and installs ufw with apt",
  debian12: "boots hosts of Debian 12 and 13",
  firewall: "installs ufw with apt",
  selinux: "boots a guest of Debian beside hosts of Debian",
  state: "compares with a state of Debian's packages",
};

const DEBIAN_PROGRAMS = "/usr/lib/postgresql";

interface Run {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logs: string;
  readonly stop: AbortSignal;
}

const started = Date.now();
const say = (line: string): void => {
  console.log(`[${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}`);
};

async function main(): Promise<number> {
  const given = process.argv.slice(2);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) say(`${signal}: ending the tests and taking the lab down`);
      stopping.abort();
      endChildren();
    });
  }
  const logs = join(projectRoot(), "logs", `test-${new Date().toISOString().replace(/[:.]/g, "-")}`);
  mkdirSync(logs, { recursive: true });
  const env = { ...process.env, ...(given.includes("--full") ? { REPMGR_PULUMI_FULL: "1" } : {}) };
  const args = given.filter((arg) => !["--full", "--matrix"].includes(arg));
  const run: Run = { args, env, logs, stop: stopping.signal };
  let totals = await runJest({ ...run, projects: ["unit", "contract", "program"] });
  if (!stopping.signal.aborted) totals = add(totals, await endToEnd(run, usualImage()));
  if (!stopping.signal.aborted && given.includes("--matrix")) totals = add(totals, await onOther(run));
  say(`logs: ${logs}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  if (stopping.signal.aborted) return 130;
  return totals.failed === 0 ? 0 : 1;
}

/** The same suites on the image that the run before was not made on. */
function onOther(run: Run): Promise<Totals> {
  const image: ImageName = usualImage() === "redhat" ? "debian13" : "redhat";
  const logs = join(run.logs, image);
  mkdirSync(logs);
  say(`the suites again, on the image ${image}`);
  return endToEnd({ ...run, logs }, image);
}

async function endToEnd(run: Run, image: ImageName): Promise<Totals> {
  const suites = e2eSuites();
  if (suites.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const problem = labProblem();
  if (problem !== undefined) {
    say(`${suites.length} suites cannot run here (${suites.join(", ")}): ${problem}`);
    return { passed: 0, failed: 0, skipped: suites.length };
  }
  const absent = image === "redhat" ? Object.entries(DEBIAN_ONLY) : [];
  for (const [name, why] of absent) say(`${name} cannot run on the image ${image}: it ${why}`);
  const without = absent.map(([name]) => `--testPathIgnorePatterns=e2e/${name}\\.test`);
  try {
    const cli = await ensurePulumi(say);
    const ran = await onLabs({ ...run, args: [...run.args, ...without], env: { ...run.env, ...cli.env } }, image);
    return { ...ran, skipped: ran.skipped + absent.length };
  } catch (error) {
    say(`the e2e suites did not run: ${error instanceof Error ? error.message : String(error)}`);
    return { passed: 0, failed: 1, skipped: suites.length };
  }
}

/** A suite waits more than it works: for a failover to be noticed, a host to boot, a timeout to pass. */
const LABS = 2;

/** On labs of their own, so that one a person keeps for a demo is left alone; their snapshots stay for the next time. */
async function onLabs(run: Run, image: ImageName): Promise<Totals> {
  await ensureLabPackages(say);
  await ensureImage(image, say);
  const first = process.env.REPMGR_PULUMI_LAB ?? join(labHome(), "test");
  const labs = Array.from({ length: LABS }, (_, n) => Lab.open(n === 0 ? first : `${first}-${n + 1}`));
  for (const lab of labs) lab.claim("npm test");
  try {
    return await runJest({
      ...run,
      projects: ["e2e"],
      args: [`--maxWorkers=${labs.length}`, `--testTimeout=${E2E_TIMEOUT_MS}`, ...run.args],
      // process.env again: claim has just named the session in it.
      env: {
        ...{ ...process.env, ...run.env, REPMGR_PULUMI_IMAGE: image },
        ...{ PATH: `${psqlDirectories()}${run.env.PATH ?? ""}` },
        ...{ REPMGR_PULUMI_LABS: JSON.stringify(labs.map(({ dir }) => dir)), REPMGR_PULUMI_LOGS: run.logs },
      },
    });
  } finally {
    for (const lab of labs) {
      await lab.down();
      lab.release();
    }
  }
}

/** Debian's psql is a Perl script that chooses a version; the clients of the tests start it some thousand times. */
function psqlDirectories(): string {
  const versions = existsSync(DEBIAN_PROGRAMS) ? readdirSync(DEBIAN_PROGRAMS) : [];
  return versions.map((version) => `${join(DEBIAN_PROGRAMS, version, "bin")}:`).join("");
}

function e2eSuites(): string[] {
  return readdirSync(join(projectRoot(), "test", "e2e"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.replace(/\.test\.ts$/, ""));
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
