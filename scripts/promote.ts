import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatProblems, loadInventory } from "../config/loadInventory";
import { toPlain } from "../config/located";
import { parsePromotion, PROMOTED, type Promotion, type SharedInventory, sharedInventory } from "../config/promotion";
import { readInventory } from "../config/readInventory";
import { canonical, type Json } from "../providers/canonical";
import { Refused } from "../providers/kind";
import { endChildren, lastLine } from "./childProcess";
import { runCommand } from "./clusterSession";
import { committedRevision } from "./committed";
import { confirmed } from "./confirmed";
import { reviewStack } from "./driftReview";
import { asText, renderTable, verdictOf } from "./driftTable";
import { CommandError, fromHere, runOnStack, type StackChoice } from "./ownStack";
import { promoteDifference } from "./promoteDifference";
import { stackSettings } from "./stackSettings";
import { columns, short } from "./textTable";

const USAGE = `usage: npm run promote -- FROM TO [--yes] [--from-config-file FILE] [--config-file FILE]
Promotes what the stacks FROM and TO share, the inventory file that both extend, from FROM to TO, when FROM is deployed with
it and has no drift. Shows in what the two differ and records revision and hash in the configuration of TO; changes no host.
  --yes                    do it without asking; needed where there is no terminal
  --from-config-file FILE  instead of Pulumi.<FROM>.yaml
  --config-file FILE       instead of Pulumi.<TO>.yaml
Exit status: 0 it is promoted, 2 it is refused or was not confirmed, and nothing was recorded, 1 the command failed.`;

const DEADLINE_MS = 60_000;
const WIDEST = 48;

interface Environment {
  readonly name: string;
  readonly choice: StackChoice;
  readonly inventory: string;
  readonly hasSecret: (name: string) => boolean;
  readonly last: Promotion | undefined;
}

async function promote(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      "from-config-file": { type: "string" },
      "config-file": { type: "string" },
      yes: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [first, second] = positionals;
  if (first === undefined || second === undefined || positionals.length > 2 || first === second)
    throw new CommandError(`name two stacks, from which and to which\n${USAGE}`);
  const [from, to] = await Promise.all([
    environment(first, values["from-config-file"]),
    environment(second, values["config-file"]),
  ]);
  const shared = sharedBy(from, to);
  const revision = await committedRevision(shared.files);
  const promotion = { from: from.name, revision, hash: shared.hash, at: new Date().toISOString() };
  refuseUnready(from, to, promotion);
  await refuseDrift(from);
  // The review took seconds, in which somebody may have saved the file.
  if (sharedBy(from, to).hash !== shared.hash) throw new Refused(`${shared.file} was changed meanwhile; type it again`);
  console.log([...differenceLines(from, to), "", ...summary(shared, promotion, to.last)].join("\n"));
  if (to.last?.hash === shared.hash && to.last.revision === revision) {
    console.log(`nothing to do: ${to.name} has it already, from ${to.last.from} at ${to.last.at}`);
    return 0;
  }
  if (!values.yes && !(await confirmed())) {
    console.log(`nothing was recorded; to do it, type "npm run promote -- ${from.name} ${to.name} --yes"`);
    return 2;
  }
  await record(to, promotion);
  console.log(
    `recorded in the configuration of ${to.name}: commit it, and type "pulumi preview --stack ${to.name}", then "pulumi up --stack ${to.name}"`,
  );
  return 0;
}

async function environment(name: string, file?: string): Promise<Environment> {
  const choice = { stack: name, configFile: file === undefined ? undefined : fromHere(file) };
  const settings = await stackSettings(choice, "hidden");
  const inventory = settings.get("inventory");
  if (inventory === undefined)
    throw new CommandError(`stack ${name} names no inventory: type "pulumi config set inventory FILE --stack ${name}"`);
  const written = settings.get(PROMOTED);
  const last = parsePromotion(written === undefined ? undefined : JSON.parse(written));
  return { name, choice, inventory, hasSecret: (secret) => settings.has(secret), last };
}

/** @throws Refused when there is nothing that both have */
function sharedBy(from: Environment, to: Environment): SharedInventory {
  const [a, b] = [from, to].map(({ inventory }) => sharedInventory(inventory));
  if (a !== undefined && b !== undefined && resolve(a.file) === resolve(b.file)) return a;
  const what = [a, b].map((one) => one?.file ?? "nothing that can be read");
  throw new Refused(
    `${from.name} and ${to.name} share no inventory: ${from.inventory} extends ${what[0] ?? ""}, ${to.inventory} extends ` +
      `${what[1] ?? ""}. Put what both have into one file, and let both say "extends: FILE"`,
  );
}

/** @throws Refused when the target's inventory has problems, guardrails included, or the source was itself not promoted */
function refuseUnready(from: Environment, to: Environment, promotion: Promotion): void {
  if (from.last !== undefined && from.last.hash !== promotion.hash) {
    throw new Refused(
      `${from.name} runs, or would run, what was not promoted to it: type "npm run promote -- ${from.last.from} ${from.name}" first`,
    );
  }
  const { problems } = loadInventory(to.inventory, { has: to.hasSecret }, { last: promotion });
  if (problems.length > 0)
    throw new Refused(`with it the inventory of ${to.name} has problems:\n${formatProblems(problems)}`);
}

/** @throws Refused when the hosts of the stack are not exactly what its inventory says now, or could not be looked at */
async function refuseDrift({ name, choice }: Environment): Promise<void> {
  const report = await reviewStack(choice);
  if (report.result === "clean") {
    console.log(
      [`stack ${name}: ${verdictOf(report)}`, ...report.unseen.map((what) => `not looked at: ${what}`)].join("\n"),
    );
    return;
  }
  const isDeployed = report.result === "planned" ? ` Type "pulumi up --stack ${name}" first` : "";
  throw new Refused(
    `nothing is promoted from ${name}: it has to be deployed as it is, without drift.${isDeployed}\n${renderTable(report)}`,
  );
}

function differenceLines(from: Environment, to: Environment): string[] {
  const [a, b] = [from, to].map(({ inventory }) => resolved(inventory)) as [Json, Json];
  const rows = promoteDifference(a, b).map((one) => [
    one.property,
    ...[one.from, one.to].map((value) => short(asText(value), WIDEST)),
  ]);
  if (rows.length === 0) return [`${to.name} does not differ from ${from.name} but in its hosts`];
  const title = `${to.name} differs from ${from.name} in (hosts and what may hold a secret are not shown):`;
  return [title, ...columns([["property", from.name, to.name], ...rows]).map((line) => `  ${line}`)];
}

function resolved(inventory: string): Json {
  const { root } = readInventory(inventory);
  return root === undefined ? {} : canonical(toPlain(root));
}

function summary({ file, files }: SharedInventory, { revision, hash }: Promotion, last?: Promotion): string[] {
  const before = last === undefined ? "nothing" : `revision ${last.revision}, ${last.hash}`;
  const look = last === undefined ? [] : [`what changes: git diff ${last.revision} ${revision} -- ${files.join(" ")}`];
  return [`promotes ${file}: revision ${revision}, ${hash}`, `before: ${before}`, ...look];
}

/** One command writes all of it, so that no half of a promotion is ever there. */
async function record({ choice }: Environment, promotion: Promotion): Promise<void> {
  const pairs = Object.entries(promotion).flatMap(([key, value]) => [
    "--plaintext",
    `${PROMOTED}.${key}=${String(value)}`,
  ]);
  const { code, output } = await runOnStack(choice, ["config", "set-all", "--path", ...pairs], DEADLINE_MS);
  if (code !== 0) throw new CommandError(`pulumi config set-all: ${lastLine(output)}`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => endChildren(signal));
runCommand("promote", USAGE, promote);
