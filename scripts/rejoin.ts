import type { ClusterSpec, NodeSpec } from "../config/types";
import type { ClusterSession } from "./clusterSession";
import { confirmed } from "./confirmed";
import { runNodeCommand } from "./nodeCommand";
import { planOfNode, rejoinNode } from "./rejoinNode";

const USAGE = `usage: npm run rejoin -- CLUSTER NODE [--yes] [--stack NAME] [--config-file FILE]
Brings one node back under the node that is primary now: started, rewound, or cloned anew with its old data kept; then it
follows, has its slot and its registration, and its repmgrd runs. It is what "pulumi up" does for this node alone.
  --yes               do it without asking; needed where there is no terminal
  --stack NAME        instead of the selected one, as for pulumi preview
  --config-file FILE  instead of Pulumi.<stack>.yaml, as for pulumi preview
Exit status: 0 the node is whole, 2 it is refused or was not confirmed, and nothing was changed, 1 the command failed.`;

async function rejoin(session: ClusterSession, spec: ClusterSpec, node: NodeSpec, sure: boolean): Promise<number> {
  const { name } = node;
  const { primary, lines } = await planOfNode(session, spec, node);
  if (lines.length === 0) {
    console.log(`nothing to do: ${name} is whole, and ${primary} is primary`);
    return 0;
  }
  console.log(`${name} comes back under ${primary}, which is primary:\n${lines.map((line) => `  ${line}`).join("\n")}`);
  if (!sure && !(await confirmed())) {
    console.log(`nothing was changed; to do it, type "npm run rejoin -- ${spec.name} ${name} --yes"`);
    return 2;
  }
  const begun = Date.now();
  await rejoinNode(session, spec, node);
  console.log(`${name} is back under ${primary} after ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
  return 0;
}

runNodeCommand("rejoin", USAGE, rejoin);
