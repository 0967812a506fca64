import { createInterface } from "node:readline/promises";

/** Asks whether to do what was just shown; without a terminal nobody has said yes. */
export async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Do it? [y/N] ").finally(() => terminal.close());
  return /^y(es)?$/i.test(answer.trim());
}
