import type { PreflightInputs, PreflightNode } from "./preflight";

/**
 * What is wrong with the nodes, as a sentence each that names the cluster. Whoever cannot be asked is named by the look at the
 * hosts, not here.
 */
export async function problemsOfNodes<T>(
  { cluster, nodes }: PreflightInputs,
  ask: (node: PreflightNode) => Promise<T>,
  judge: (node: PreflightNode, seen: T) => readonly string[],
): Promise<string[]> {
  const problems = await Promise.all(
    nodes.map((node) =>
      ask(node).then(
        (seen) => judge(node, seen),
        () => [],
      ),
    ),
  );
  return problems.flat().map((problem) => `cluster ${cluster}: ${problem}`);
}
