import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureLabPackages, Lab, labProblem } from "../lab";
import { until } from "../lab/wait";
import { Writer } from "../lab/writer";
import { clusterShow, isPrimary, roles } from "./demoHosts";
import { endChildren } from "./childProcess";
import { projectRoot } from "./projectRoot";
import { ensurePulumi } from "./pulumiCli";
import { LocalStack } from "./stack";

const HOSTS = ["pg1", "pg2", "pg3"];
const USAGE = `usage: npm run demo [-- --keep | --down | --no-failover]
  --keep         leave the hosts and the stack as they are at the end, to play with
  --no-failover  stop after the first deployment; do not cut the power of the primary's host
  --down         remove hosts and stack of an earlier demo, and nothing else`;

const began = Date.now();

function say(line: string): void {
  console.log(`[${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

function title(text: string): void {
  console.log(`\n=== ${text}`);
}

/** Shows Pulumi's own output as it comes. @throws Error when the command fails */
async function show(what: string, run: (onOutput: (text: string) => void) => Promise<{ code: number }>): Promise<void> {
  const start = Date.now();
  const { code } = await run((text) => process.stdout.write(text));
  if (code !== 0) throw new Error(`${what} ended with exit status ${code}`);
  say(`${what}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.filter((arg) => !["--keep", "--down", "--no-failover"].includes(arg));
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(" ")}\n${USAGE}`);
  const problem = labProblem();
  if (problem !== undefined) throw new Error(`the demo needs real hosts, and nothing was changed: ${problem}`);
  const lab = Lab.open();
  lab.claim("npm run demo");
  const state = join(projectRoot(), ".pulumi-state");

  if (args.includes("--down")) return tearDown(lab, state);
  title("1. set-up: Pulumi CLI, system packages, base image, three hosts");
  await ensureLabPackages(say);
  const cli = await ensurePulumi(say);
  await lab.up(HOSTS.length, { progress: say });
  refuseOtherAddresses(lab);
  say(`hosts: ${HOSTS.map((name) => `${name} ${lab.host(name).address}`).join(", ")}`);

  title("2. pulumi up on the stack dev");
  const stack = await LocalStack.open({
    cli,
    project: projectRoot(),
    state,
    name: "dev",
    inventory: "inventory/dev.yml",
    secrets: { main_repmgr_password: undefined, app_password: undefined },
  });
  await show("pulumi up", (out) => stack.up(out));

  title("3. the cluster");
  await showCluster(lab, ["pg1", "pg2"]);
  const connection = await connectionOf(stack);
  say(`connection string: ${connection}`);
  say(`what it was made from: inventory/dev.yml over inventory/common.yml`);
  say(`every change that was made, and why: ${stack.actionLog}`);
  say(`to look around (at the end with --keep): npm run lab -- ssh pg1; then: sudo -u postgres psql app`);
  if (!args.includes("--no-failover")) await failover(lab, stack, connection);
  await finish(args.includes("--keep"), lab, stack);
}

/** inventory/dev.yml names addresses; a second lab on this machine gets others. */
function refuseOtherAddresses(lab: Lab): void {
  const { address } = lab.host("pg1");
  if (address === "198.18.0.11") return;
  throw new Error(
    `another lab on this machine has 198.18.0.0/24, so pg1 got ${address} and inventory/dev.yml says 198.18.0.11. ` +
      `Type "npm run lab -- down" in the folder of the other one, then "npm run demo -- --down" here, and start again.`,
  );
}

async function failover(lab: Lab, stack: LocalStack, connection: string): Promise<void> {
  const before = await roles(lab, HOSTS);
  const [oldPrimary] = HOSTS.filter((host) => before.get(host) === "primary");
  if (oldPrimary === undefined) throw new Error(`no host has the primary: ${JSON.stringify([...before])}`);
  const others = HOSTS.filter((host) => host !== oldPrimary);

  title(`4. cut the power of ${oldPrimary}, the primary's host, while a client inserts a row every 50 ms`);
  const writer = new Writer(connection, await passFile(stack));
  writer.start();
  await until("the client writes", 15_000, () => writer.acknowledged.length > 20 || writer.lastError || "no row yet");
  const cutAt = Date.now();
  await lab.poweroff(oldPrimary);
  say(`${oldPrimary} is off`);
  let newPrimary = "";
  await until("a standby takes over", 90_000, async () => {
    const found = await Promise.all(others.map((host) => isPrimary(lab, host)));
    newPrimary = others[found.indexOf(true)] ?? "";
    return newPrimary !== "" || "both are still standbys";
  });
  say(`${newPrimary} takes over`);
  const rowsThen = writer.acknowledged.length;
  await until(
    "the client writes again",
    60_000,
    () => writer.acknowledged.length > rowsThen + 20 || writer.lastError || "no row yet",
  );
  say(`writes were refused for ${(writer.longestGapMs(cutAt) / 1000).toFixed(1)} s`);

  title(`5. power on ${oldPrimary} again; review; repair`);
  await lab.poweron(oldPrimary, say);
  await show("pulumi preview", (out) => stack.preview(out));
  await show("pulumi up", (out) => stack.up(out));
  writer.stop();
  const after = await roles(lab, HOSTS);
  await showCluster(lab, [oldPrimary, newPrimary]);
  for (const host of HOSTS) {
    const wanted = host === newPrimary ? "primary" : "standby";
    if (after.get(host) !== wanted) throw new Error(`${host} is ${after.get(host)}, expected ${wanted}`);
  }
  await verifyRows(lab, newPrimary, oldPrimary, writer);
}

/** Every row that was acknowledged is looked for on the primary, then awaited on the node that came back. */
async function verifyRows(lab: Lab, primary: string, back: string, writer: Writer): Promise<void> {
  const sql = "select string_agg(id::text, ',' order by id) from tick";
  const kept = new Set((await query(lab, primary, sql)).split(",").map(Number));
  const lost = writer.acknowledged.filter(({ id }) => !kept.has(id));
  say(
    `rows acknowledged: ${writer.acknowledged.length}; of these lost: ${lost.length} (replication is asynchronous here)`,
  );
  const last = Math.max(...kept);
  await until(`row ${last} arrives on ${back}`, 30_000, async () => {
    const seen = await query(lab, back, "select max(id) from tick");
    return Number(seen) >= last || `newest row there: ${seen}`;
  });
  say(`${back} follows again: row ${last} has arrived there`);
}

async function query(lab: Lab, host: string, sql: string): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host, ["psql", "-XAtqc", sql, "app"], { user: "postgres" });
  if (code !== 0) throw new Error(`${host}: ${stderr.trim()}`);
  return stdout.trim();
}

async function showCluster(lab: Lab, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    console.log(`repmgr cluster show, as ${host} sees it:`);
    const { code, text } = await clusterShow(lab, host);
    console.log(text);
    if (code !== 0) throw new Error(`repmgr cluster show on ${host} ended with exit status ${code}`);
  }
}

async function connectionOf(stack: LocalStack): Promise<string> {
  const { clusters } = (await stack.outputs()) as { clusters: { main: { connectionStrings: { app: string } } } };
  return clusters.main.connectionStrings.app;
}

async function passFile(stack: LocalStack): Promise<string> {
  const path = join(projectRoot(), ".pulumi-state", "pgpass");
  writeFileSync(path, `*:*:app:app:${await stack.secret("app_password")}\n`, { mode: 0o600 });
  return path;
}

async function finish(keep: boolean, lab: Lab, stack: LocalStack): Promise<void> {
  title(keep ? "where to look next" : "clean up (use --keep to play with the hosts)");
  if (!keep) return tearDownHosts(lab, stack);
  const environment = join(projectRoot(), ".pulumi-state", "environment");
  const lines = Object.entries(stack.environment).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(environment, lines.join(""), { mode: 0o600 });
  console.log(`  . ${environment}
  pulumi preview --diff --stack dev --config-file ${stack.configFile}   # the drift review
  npm run lab -- ssh pg1                                   # look around; then: sudo -u postgres psql app
  npm run lab -- exec pg1 journalctl -u repmgrd-main       # what repmgrd decided, and why
  ${stack.actionLog}                                       # every change that was made, and why
  npm run demo -- --down                                   # remove it all`);
}

async function tearDownHosts(lab: Lab, stack: LocalStack): Promise<void> {
  await lab.down(say);
  stack.forget();
  say("hosts and stack are gone; image and CLI are kept for the next run");
}

async function tearDown(lab: Lab, state: string): Promise<void> {
  title("remove hosts and stack");
  await lab.down(say);
  rmSync(state, { recursive: true, force: true });
}

function interrupted(signal: NodeJS.Signals): void {
  console.log(`\n${signal}: ending what was started`);
  endChildren("SIGTERM");
  const lab = Lab.open();
  void lab.down(say).finally(() => process.exit(130));
}

process.once("SIGINT", interrupted);
process.once("SIGTERM", interrupted);
main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(`\ndemo failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
