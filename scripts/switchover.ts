import type { ClusterSpec, NodeSpec } from "../config/types";
import { observeCluster, thePrimary } from "../providers/cluster";
import { observeHandover, planSwitchover } from "../providers/switchover";
import { upstreamsOf } from "../resources/inputs";
import { clusterInputs } from "./clusterLook";
import type { ClusterSession } from "./clusterSession";
import { confirmed } from "./confirmed";
import { runNodeCommand } from "./nodeCommand";

const USAGE = `usage: npm run switchover -- CLUSTER NODE [--yes] [--stack NAME] [--config-file FILE]
Makes a standby primary in peace: the old primary stops cleanly and comes back as its standby, the others follow. It is what
"pulumi up" does for "preferred_primary: NODE", with the same gates; writes are refused for a second or two.
  --yes               do it without asking; needed where there is no terminal
  --stack NAME        instead of the selected one, as for pulumi preview
  --config-file FILE  instead of Pulumi.<stack>.yaml, as for pulumi preview
Exit status: 0 the node is primary, 2 it is refused or was not confirmed, and nothing was changed, 1 the command failed.`;

async function switchOver(
  session: ClusterSession,
  spec: ClusterSpec,
  { name: to }: NodeSpec,
  sure: boolean,
): Promise<number> {
  const inputs = { ...clusterInputs(session, spec), upstreams: upstreamsOf(spec) };
  const ctx = session.hostsOf(spec);
  const view = await observeCluster(ctx, inputs);
  const from = thePrimary(inputs, view)?.member.node;
  const actions = planSwitchover(inputs, { view, handover: await observeHandover(ctx, inputs, view) }, to, "asked for");
  if (actions.length === 0) {
    console.log(`nothing to do: ${to} is primary`);
    return 0;
  }
  console.log(`${from ?? "nobody"} is primary; all gates are open for a switchover to ${to}`);
  if (!sure && !(await confirmed())) {
    console.log(`nothing was changed; to do it, type "npm run switchover -- ${spec.name} ${to} --yes"`);
    return 2;
  }
  const begun = Date.now();
  await session.world.apply(`switchover ${spec.name}`, inputs.reach, actions);
  console.log(`${to} is primary and ${from ?? "?"} its standby after ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
  const wish = spec.preferredPrimary;
  if (wish !== undefined && wish !== to)
    console.log(`the inventory says "preferred_primary: ${wish}": the next "pulumi up" moves the primary there`);
  return 0;
}

runNodeCommand("switchover", USAGE, switchOver);
