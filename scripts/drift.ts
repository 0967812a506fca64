import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { endChildren } from "./childProcess";
import { renderPage } from "./driftPage";
import type { DriftReport } from "./driftReport";
import { reviewStack } from "./driftReview";
import { renderTable } from "./driftTable";
import { fromHere, STACK_OPTIONS, type StackChoice, stackChoice } from "./ownStack";

const USAGE = `usage: npm run drift [-- --stack NAME] [--config-file FILE] [--json] [--html FILE]
  --stack NAME        instead of the selected one, as for pulumi preview
  --config-file FILE  instead of Pulumi.<stack>.yaml, as for pulumi preview
  --json              print the report as JSON (add --silent after "npm run", so that npm prints nothing)
  --html FILE         write it as a page, too: topology, drift, history of primaries
Exit status: 0 up would change nothing, 2 it would, 1 the hosts could not be reviewed.`;

const EXIT: Readonly<Record<DriftReport["result"], number>> = { clean: 0, drift: 2, planned: 2, error: 1 };

interface Options extends StackChoice {
  readonly json: boolean;
  readonly html?: string;
}

/** @throws Error for an option that there is not */
function options(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { ...STACK_OPTIONS, html: { type: "string" }, json: { type: "boolean", default: false } },
  });
  return { ...stackChoice(values), html: values.html && fromHere(values.html), json: values.json };
}

async function main(): Promise<number> {
  const given = options(process.argv.slice(2));
  const report = await reviewStack(given);
  console.log(given.json ? JSON.stringify(report, null, 2) : renderTable(report));
  if (given.html !== undefined) writeFileSync(given.html, renderPage(report));
  return EXIT[report.result];
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => endChildren(signal));
main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exitCode = 1;
  },
);
