import { parseArgs } from "node:util";
import { type ClusterSession, CommandError, nodeNamed, runCommand, withClusterSession } from "./clusterSession";
import { confirmed } from "./confirmed";
import { STACK_OPTIONS, stackChoice } from "./ownStack";
import { planOfNode, rejoinNode } from "./rejoinNode";

const USAGE = `usage: npm run rejoin -- CLUSTER NODE [--yes] [--stack NAME] [--config-file FILE]
Brings one node back under the node that is primary now: started, rewound, or cloned anew with its old data kept; then it
follows, has its slot and its registration, and its repmgrd runs. It is what "pulumi up" does for this node alone.
  --yes               do it without asking; needed where there is no terminal
  --stack NAME        instead of the selected one, as for pulumi preview
  --config-file FILE  instead of Pulumi.<stack>.yaml, as for pulumi preview
Exit status: 0 the node is whole, 2 it is refused or was not confirmed, and nothing was changed, 1 the command failed.`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...STACK_OPTIONS, yes: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [cluster, node] = positionals;
  if (cluster === undefined || node === undefined || positionals.length > 2)
    throw new CommandError(`name a cluster and one of its nodes\n${USAGE}`);
  return withClusterSession(stackChoice(values), (session) => rejoin(session, cluster, node, values.yes));
}

async function rejoin(session: ClusterSession, cluster: string, name: string, sure: boolean): Promise<number> {
  const spec = session.cluster(cluster);
  const node = nodeNamed(spec, name);
  const { primary, lines } = await planOfNode(session, spec, node);
  if (lines.length === 0) {
    console.log(`nothing to do: ${name} is whole, and ${primary} is primary`);
    return 0;
  }
  console.log(`${name} comes back under ${primary}, which is primary:\n${lines.map((line) => `  ${line}`).join("\n")}`);
  if (!sure && !(await confirmed())) {
    console.log(`nothing was changed; to do it, type "npm run rejoin -- ${cluster} ${name} --yes"`);
    return 2;
  }
  const begun = Date.now();
  await rejoinNode(session, spec, node);
  console.log(`${name} is back under ${primary} after ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
  return 0;
}

runCommand("rejoin", USAGE, main);
