import type { Action } from "../actions/action";
import type { InstanceFacts } from "../facts/instance";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import type { ClusterInputs } from "./cluster";

/**
 * Of the directory of a cluster's small files. Root's scripts and postgres' own files (passwords, certificates, repmgr.conf) are
 * both in it; the sticky bit lets postgres replace its own by a rename, and none of root's.
 */
export const CLUSTER_DIRECTORY = "root:postgres 01775";

/** How the directory differs from what it must be; undefined where it does not, and where others have laid out theirs. */
export function directoryProblem({ layout }: Pick<ClusterInputs, "layout">, facts: InstanceFacts): string | undefined {
  const { directory } = facts;
  return layout !== undefined || directory === CLUSTER_DIRECTORY ? undefined : (directory ?? "absent");
}

export function planDirectory(want: ClusterInputs & { readonly host: string }, facts: InstanceFacts): Action[] {
  const problem = directoryProblem(want, facts);
  if (problem === undefined) return [];
  const { directory } = clusterPaths(want);
  const why = `${directory} is ${problem}, wanted ${CLUSTER_DIRECTORY}: postgres replaces its own files there, and none of root's`;
  return [
    {
      do: "run",
      host: want.host,
      needs: "root",
      why,
      script: `install -d -o root -g postgres -m 1775 ${sh(directory)}`,
    },
  ];
}
