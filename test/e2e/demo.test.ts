import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Lab, labHome } from "../../lab";
import { run } from "../../lab/run";
import { projectRoot } from "../../scripts/projectRoot";
import { isFull } from "./support/fullOnly";

const ROOT = projectRoot();
const DEADLINE_MS = 600_000;

/** Somebody's own, which a test must not take down. */
const isKept =
  existsSync(join(ROOT, ".pulumi-state")) || (existsSync(labHome()) && Lab.open(labHome()).status().length > 0);
if (isKept) process.stderr.write("demo is skipped: there is one that was kept; npm run demo -- --down takes it away\n");

/** As in the README; the failover is in full mode, other suites have their own. */
(isKept ? test.skip : test)("npm run demo shows a cluster on hosts of its own, and leaves nothing behind", async () => {
  const { REPMGR_PULUMI_LAB: _, REPMGR_PULUMI_IMAGE: _image, ...env } = process.env;
  const changed = async (): Promise<string> => (await run(["git", "-C", ROOT, "status", "--porcelain"])).stdout;
  const before = await changed();
  const argv = [process.execPath, join(ROOT, "bin/scripts/demo.js"), ...(isFull ? [] : ["--no-failover"])];
  const { code, stdout, stderr } = await run(["env", "-C", ROOT, ...argv], { env, deadlineMs: DEADLINE_MS });
  expect({ code, end: (stdout + stderr).slice(-3_000) }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/n1 .*primary .*\* running/);
  expect(stdout.match(/standby .*running/g)?.length).toBeGreaterThanOrEqual(2);
  expect(Lab.open(labHome()).status()).toEqual([]);
  expect(existsSync(join(ROOT, ".pulumi-state"))).toBe(false);
  expect(await changed()).toBe(before);
  expect(readdirSync(join(ROOT, ".lab")).sort()).toEqual(["id_ed25519", "known_hosts", "repository.asc"]);
});
