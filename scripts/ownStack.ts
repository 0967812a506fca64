import { resolve } from "node:path";
import { type Finished, runChild } from "./childProcess";
import { projectRoot } from "./projectRoot";
import { ensurePulumi } from "./pulumiCli";

/** Said by a person on the command line, where that cannot be done: no stack trace, no usage. */
export class CommandError extends Error {}

export interface StackChoice {
  /** Instead of the selected one, as for pulumi preview. */
  readonly stack?: string;
  /** Instead of Pulumi.<stack>.yaml, as for pulumi preview. */
  readonly configFile?: string;
}

export const STACK_OPTIONS = { stack: { type: "string" }, "config-file": { type: "string" } } as const;

/** @param values what parseArgs found of STACK_OPTIONS */
export function stackChoice(values: { readonly stack?: string; readonly "config-file"?: string }): StackChoice {
  const file = values["config-file"];
  return { stack: values.stack, configFile: file && fromHere(file) };
}

/** npm runs scripts in the project's folder; files are meant from where npm was typed. */
export function fromHere(file: string): string {
  return resolve(process.env.INIT_CWD ?? "", file);
}

/** Runs the CLI on the user's own stack, with their backend and passphrase. @throws Error as runChild does */
export async function runOnStack(
  { stack, configFile }: StackChoice,
  args: readonly [command: string, ...options: string[]],
  deadlineMs: number,
  env: NodeJS.ProcessEnv = {},
  stdin?: string,
): Promise<Finished> {
  const cli = await ensurePulumi((line) => console.error(line));
  const chosen = [
    ...(stack === undefined ? [] : ["--stack", stack]),
    ...(configFile === undefined ? [] : ["--config-file", configFile]),
  ];
  return runChild({
    what: `pulumi ${args[0]}`,
    command: cli.bin,
    args: [...args, "--non-interactive", ...chosen],
    cwd: projectRoot(),
    env: { ...process.env, ...cli.env, ...env },
    deadlineMs,
    stdin,
  });
}
