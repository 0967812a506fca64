import { restrictedProbe } from "../facts/host";
import { clusterPaths } from "../families";
import { rootOnce } from "../ssh/sudoRefusal";
import { directoryProblem } from "./clusterDirectory";
import type { Ctx } from "./kind";
import type { NodeFacts, PreflightInputs, PreflightNode } from "./preflight";

/** Why a login that may become postgres only can do nothing on a host: no run with full rights has prepared it for that. */
export function unpreparedProblems(
  inputs: PreflightInputs,
  { host }: PreflightNode,
  { instance }: NodeFacts,
): string[] {
  const problem = instance && directoryProblem(inputs, instance);
  // What is not there at all is among what the preview lists as root's.
  if (problem === undefined || instance?.directory === undefined) return [];
  const { directory } = clusterPaths(inputs);
  return [
    `the login may become postgres only, and ${directory} is ${problem}: postgres cannot replace its own files there. ${rootOnce(host)}`,
  ];
}

/** Why nodes cannot leave: their units, sudoers and firewall rules go with them. Asks only hosts of nodes that leave. */
export async function removalNeedsRoot(
  ctx: Ctx,
  inputs: PreflightInputs,
  before: PreflightInputs | undefined,
): Promise<string[]> {
  const leaving = (before?.nodes ?? []).filter(({ node }) => !inputs.nodes.some((now) => now.node === node));
  const problems = leaving.map(async ({ node, host }) => {
    // Whoever cannot be asked is named by what has to be done there.
    const isRestricted = await ctx.ask(host, restrictedProbe).catch(() => false);
    if (!isRestricted) return [];
    return [
      `cluster ${inputs.cluster}: ${node} leaves it, and its units, sudoers file and firewall rules on ${host} are root's, where the login may become postgres only. ${rootOnce(host)}`,
    ];
  });
  return (await Promise.all(problems)).flat();
}
