import { type DriftReport, driftReport, errorReport } from "./driftReport";
import { parseReview } from "./driftSteps";
import { runOnStack, type StackChoice } from "./ownStack";

const DEADLINE_MS = 15 * 60_000;

/**
 * Looks at the hosts with the user's own stack, backend and passphrase: what is asked is a preview of theirs. What keeps the
 * hosts from being reviewed is a report, too.
 */
export async function reviewStack(choice: StackChoice): Promise<DriftReport> {
  try {
    return await review(choice);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return errorReport({ stack: choice.stack ?? "(the selected one)", errors: [message], messages: [] }, new Date());
  }
}

async function review(choice: StackChoice): Promise<DriftReport> {
  // With this set to true the CLI prints its events one by one instead.
  const env = { PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "false" };
  const { stdout, output, code } = await runOnStack(choice, ["preview", "--json", "--show-sames"], DEADLINE_MS, env);
  // Without a stack or its passphrase the engine says so in plain words and prints no JSON.
  if (!stdout.trimStart().startsWith("{")) throw new Error(output.trim().replace(/^error: /, ""));
  const found = parseReview(stdout);
  if (code === 0 || found.errors.length > 0) return driftReport(found, new Date());
  throw new Error(
    `pulumi preview ended with exit status ${code} and named no error: ${output.slice(stdout.length).trim()}`,
  );
}
