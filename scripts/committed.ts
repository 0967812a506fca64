import { dirname, resolve } from "node:path";
import { Refused } from "../providers/kind";
import { type Finished, runChild } from "./childProcess";

const DEADLINE_MS = 30_000;

/**
 * The revision that holds the files as they are now.
 * @throws Refused when they are in no repository, or not as they were committed
 */
export async function committedRevision(files: readonly string[]): Promise<string> {
  const paths = files.map((file) => resolve(file));
  const [first] = paths;
  if (first === undefined) throw new Error("no file was named");
  const git = (...args: string[]): Promise<Finished> =>
    runChild({
      what: `git ${args[0] ?? ""}`,
      command: "git",
      args: ["-C", dirname(first), ...args],
      deadlineMs: DEADLINE_MS,
    });
  const tracked = await git("ls-files", "--error-unmatch", "--", ...paths);
  if (tracked.code !== 0)
    throw new Refused(`a promotion records a revision, and git does not know the files: ${tracked.output.trim()}`);
  const changed = (await git("status", "--porcelain", "--", ...paths)).stdout.trimEnd();
  if (changed !== "") throw new Refused(`not as committed, so no revision holds it:\n${changed}\nCommit it first`);
  const { code, stdout, output } = await git("rev-parse", "HEAD");
  if (code !== 0) throw new Refused(`git rev-parse HEAD: ${output.trim()}`);
  return stdout.trim();
}
