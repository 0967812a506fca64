import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { cpus, loadavg } from "node:os";
import type { Lab } from "../lab";
import { Floor } from "./floor";
import { bareHosts, endState, logins, proveReplication, writeInventory } from "./hosts";
import { LIMITS, RUNS } from "./limits";
import { describe, judge, summarize } from "./measure";
import { dir, onLab, openStacks, say } from "./onLab";
import { type Stacks, timePreview, timeUp } from "./stacks";

interface Measured {
  readonly floor: number[];
  readonly firstUp: number[];
  readonly firstUpWithPreview: number[];
  readonly emptyPreview: number[];
  readonly leanPreview: number[];
  readonly preview: number[];
  /** Logins on each host in one run. */
  readonly connections: { firstUp: number[]; firstUpWithPreview: number[]; preview: number[]; secondUp: number[] };
}

/** Runs it and says by how much the logins on each host grew. */
async function countLogins(lab: Lab, work: () => Promise<unknown>): Promise<number[]> {
  const before = await logins(lab);
  await work();
  return (await logins(lab)).map((count, index) => count - (before[index] ?? 0));
}

async function measure(lab: Lab): Promise<Measured> {
  const secrets = { main_repmgr_password: password(), app_password: password() };
  writeInventory(lab, join(dir, "inventory.yml"));
  const stacks = await openStacks(secrets);
  const m: Measured = {
    ...{ floor: [], firstUp: [], firstUpWithPreview: [], emptyPreview: [], leanPreview: [], preview: [] },
    connections: { firstUp: [], firstUpWithPreview: [], preview: [], secondUp: [] },
  };
  await firstUp(lab, stacks, m, false);
  const wanted = await endState(lab);
  const passwords = { repmgr: secrets.main_repmgr_password, app: secrets.app_password };
  const floor = await Floor.prepare(lab, join(dir, "floor"), passwords);
  await previews(lab, stacks, m);
  // In turns, so that what else the machine does falls on both.
  for (let round = 1; round <= RUNS.first; round++) {
    if (round > 1) await firstUp(lab, stacks, m, false);
    await deployFloor(lab, floor, wanted, m);
  }
  await firstUp(lab, stacks, m, true);
  return m;
}

async function deployFloor(lab: Lab, floor: Floor, wanted: string, m: Measured): Promise<void> {
  await bareHosts(lab);
  m.floor.push(await floor.run());
  await proveReplication(lab);
  const found = await endState(lab);
  if (found !== wanted) throw new Error(`the floor leaves another end state:\n${difference(wanted, found)}`);
  say(`floor: ${seconds(m.floor)}; same end state as pulumi up, and a row arrives on both standbys`);
}

async function firstUp(lab: Lab, stacks: Stacks, m: Measured, withPreview: boolean): Promise<void> {
  await bareHosts(lab);
  const stack = await stacks.fresh();
  const times = withPreview ? m.firstUpWithPreview : m.firstUp;
  const counted = await countLogins(lab, async () => times.push(await timeUp(stack, withPreview)));
  m.connections[withPreview ? "firstUpWithPreview" : "firstUp"] = counted;
  await proveReplication(lab);
  say(`first pulumi up${withPreview ? " with preview" : ""}: ${seconds(times)}; a row arrives on both standbys`);
}

/** On the stack that was deployed last. One look before the clock starts, so that both stacks find warm files. */
async function previews(lab: Lab, stacks: Stacks, m: Measured): Promise<void> {
  const [ours, empty, lean] = [await stacks.current(), await stacks.empty(), await stacks.emptyWithOurSdk()];
  m.connections.secondUp = await countLogins(lab, () => timeUp(ours, true));
  m.connections.preview = await countLogins(lab, () => timePreview(ours));
  await timePreview(empty);
  await timePreview(lean);
  // In turns, so that what else the machine does falls on both.
  for (let run = 1; run <= RUNS.preview; run++) {
    m.emptyPreview.push(await timePreview(empty));
    m.leanPreview.push(await timePreview(lean));
    m.preview.push(await timePreview(ours));
    say(`preview of an empty program: ${seconds(m.emptyPreview)}; ours, nothing changed: ${seconds(m.preview)}`);
  }
}

/** Prints the result. False when a limit is missed. */
function report(m: Measured): boolean {
  const floor = summarize(m.floor);
  const up = summarize(m.firstUp);
  const empty = summarize(m.emptyPreview);
  const preview = summarize(m.preview);
  const { connections } = m;
  const verdicts = [
    judge("first pulumi up / floor", up.median / floor.median, LIMITS.firstUp),
    judge("preview, nothing changed / empty program", preview.median / empty.median, LIMITS.preview),
    judge("SSH connections a host: preview", Math.max(...connections.preview), LIMITS.connections),
    judge("SSH connections a host: up --skip-preview", Math.max(...connections.firstUp), LIMITS.connections),
  ];
  console.log(`
three nodes, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}; medians                       least .. most
${describe("floor (bench/floor/deploy.sh)", floor)}
${describe("first pulumi up --skip-preview", up)}
${describe("first pulumi up, with its preview", summarize(m.firstUpWithPreview))}
${describe("preview of an empty program", empty)}
${describe("the same with our SDK stand-ins (vendor/)", summarize(m.leanPreview))}
${describe("preview with refresh, nothing changed", preview)}

${verdicts.map(({ line }) => line).join("\n")}
SSH connections a host, an up with its preview: first ${Math.max(...connections.firstUpWithPreview)}, second ${Math.max(...connections.secondUp)} (the engine starts one provider process for each of the two)`);
  return verdicts.every(({ holds }) => holds);
}

const password = (): string => randomBytes(18).toString("base64url");
const seconds = (times: readonly number[]): string => `${((times.at(-1) ?? 0) / 1000).toFixed(2)} s`;

function difference(wanted: string, found: string): string {
  const [a, b] = [wanted.split("\n"), found.split("\n")];
  const only = (lines: string[], others: string[], sign: string): string[] =>
    lines.filter((line) => !others.includes(line)).map((line) => `${sign} ${line}`);
  return [...only(a, b, "-"), ...only(b, a, "+")].join("\n");
}

onLab("npm run bench:quick", async (lab) => report(await measure(lab)));
