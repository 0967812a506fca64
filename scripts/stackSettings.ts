import { z } from "zod";
import { CommandError, runOnStack, type StackChoice } from "./ownStack";

const DEADLINE_MS = 60_000;
const PROJECT = "repmgr-pulumi:";
const configuration = z.record(z.string(), z.object({ value: z.string().optional() }));

/**
 * The configuration of a stack, of this project, by name without its prefix.
 * @param secrets "shown": in plain text; "hidden": their names are there, and undefined as their value
 * @throws CommandError with what pulumi said
 */
export async function stackSettings(
  choice: StackChoice,
  secrets: "shown" | "hidden",
): Promise<ReadonlyMap<string, string | undefined>> {
  const more = secrets === "shown" ? ["--show-secrets"] : [];
  const { stdout, output, code } = await runOnStack(choice, ["config", "--json", ...more], DEADLINE_MS);
  // What it printed before it failed may hold a secret.
  if (code !== 0)
    throw new CommandError(
      output
        .replace(stdout, "")
        .trim()
        .replace(/^error: /, ""),
    );
  const all = Object.entries(configuration.parse(JSON.parse(stdout)));
  return new Map(
    all.flatMap(([name, { value }]) =>
      name.startsWith(PROJECT) ? [[name.slice(PROJECT.length), value] as const] : [],
    ),
  );
}
