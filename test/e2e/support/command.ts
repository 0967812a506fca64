import { type Finished, runChild } from "../../../scripts/childProcess";
import { projectRoot } from "../../../scripts/projectRoot";
import { seconds } from "./deadlines";
import { CANARIES } from "./secrets";
import type { World } from "./world";

/** Types `npm run COMMAND -- ...` as a person with this stack would; no secret may be in what it says. */
export async function run({ stack }: World, command: string, ...args: readonly string[]): Promise<Finished> {
  const done = await runChild({
    what: `npm run ${command}`,
    command: "npm",
    args: ["run", "--silent", command, "--", ...args, "--stack", "e2e", "--config-file", stack.configFile],
    cwd: projectRoot(),
    env: { ...process.env, ...stack.environment },
    deadlineMs: seconds(120),
  });
  expect(CANARIES.filter((canary) => done.output.includes(canary))).toEqual([]);
  return done;
}
