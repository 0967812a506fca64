import { parseArgs } from "node:util";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { type ClusterSession, nodeNamed, runCommand, withClusterSession } from "./clusterSession";
import { CommandError, STACK_OPTIONS, stackChoice } from "./ownStack";

/**
 * Runs a command about one node: `npm run NAME -- CLUSTER NODE [--yes]`, on the user's own stack.
 * @param act is told whether the person has said yes beforehand; returns the exit status
 */
export function runNodeCommand(
  name: string,
  usage: string,
  act: (session: ClusterSession, cluster: ClusterSpec, node: NodeSpec, sure: boolean) => Promise<number>,
): void {
  runCommand(name, usage, async (args) => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...STACK_OPTIONS, yes: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    const [cluster, node] = positionals;
    if (cluster === undefined || node === undefined || positionals.length > 2)
      throw new CommandError(`name a cluster and one of its nodes\n${usage}`);
    return withClusterSession(stackChoice(values), (session) => {
      const spec = session.cluster(cluster);
      return act(session, spec, nodeNamed(spec, node), values.yes);
    });
  });
}
