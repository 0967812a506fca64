import type { Action } from "../actions/action";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { type Claims, claimsOfOthers, isDirectoryClaimed, isRemoval, isRenamed } from "./claims";
import { type LiveMember, memberOf, thePrimary } from "./cluster";
import { Refused } from "./kind";
import { repmgr } from "./commands";
import { removalProblems } from "./removal";
import type { RepmgrNodeFacts, RepmgrNodeInputs } from "./repmgrNode";
import { planSlots } from "./slots";

const STOP_DEADLINE_MS = 300_000;

/**
 * Takes a node out of its cluster: stopped, its slots dropped, unregistered, repmgr's files gone. PgCluster's delete,
 * which runs first when the whole cluster goes, has emptied repmgr.nodes; that is how the two are told apart. What
 * another node of today's inventory has taken over is left alone.
 * @throws Refused for a node that a cluster which stays needs, for one that cannot be asked, and while two take writes
 */
export function planNodeDelete(have: RepmgrNodeFacts, inputs: RepmgrNodeInputs, claims: Claims): Action[] {
  const { node, cluster, nodeId } = inputs;
  if (isRenamed(claims, inputs)) return [];
  const primary = thePrimary(inputs, have.view);
  refuseNeeded(inputs, have, primary, claims);
  const isReused = claimsOfOthers(claims, inputs).some((claim) => claim.cluster === cluster && claim.id === nodeId);
  const row = isReused ? undefined : primary?.facts.repmgr?.nodes.find(({ id }) => id === nodeId);
  const unregister: Action[] =
    row === undefined || primary === undefined || primary.member.node === node
      ? []
      : [
          {
            do: "run",
            host: primary.member.host,
            why: `${node} leaves the cluster: unregister it${row.type === "primary" ? ", a primary that is no longer active" : ""}`,
            script: repmgr(inputs, `${row.type} unregister --node-id=${nodeId}`),
          },
        ];
  const slots = row === undefined ? [] : planSlots(inputs, have.view, { node, id: nodeId });
  // Its row is the proof that the slots are ours, so it goes after them: a cut in between must not leave them for ever.
  return [...planStop(inputs, have, claims), ...slots, ...unregister, ...planFiles(inputs, have)];
}

function planStop(inputs: RepmgrNodeInputs, { view }: RepmgrNodeFacts, claims: Claims): Action[] {
  const { host, node, cluster } = inputs;
  if (!memberOf(view, node).facts.alive || isDirectoryClaimed(claims, inputs)) return [];
  return [
    {
      do: "run",
      host,
      why: `${cluster}/${node} is no longer managed: stop its PostgreSQL`,
      script: `systemctl stop ${clusterPaths(inputs).postgresqlUnit}`,
      deadlineMs: STOP_DEADLINE_MS,
    },
  ];
}

function planFiles(inputs: RepmgrNodeInputs, have: RepmgrNodeFacts): Action[] {
  // Files of others were there before, so they stay.
  if (inputs.layout !== undefined) return [];
  const { host, node, cluster } = inputs;
  const paths = clusterPaths(inputs);
  const isAllowed = have.sudoers !== undefined || have.sudoList !== undefined;
  const files = [have.repmgrConf && paths.repmgrConf, isAllowed ? paths.sudoers : undefined].filter(
    (path) => path !== undefined,
  );
  if (files.length === 0) return [];
  const why = `${cluster}/${node} is no longer managed: remove repmgr's files`;
  return [{ do: "run", host, needs: "root", why, script: `rm -f ${files.map(sh).join(" ")}` }];
}

function refuseNeeded(
  inputs: RepmgrNodeInputs,
  { view }: RepmgrNodeFacts,
  primary: LiveMember | undefined,
  claims: Claims,
): void {
  const others = (primary?.facts.repmgr?.nodes ?? []).filter(({ id }) => id !== inputs.nodeId);
  if (primary !== undefined && others.length === 0) return;
  const joined = others.filter(({ id, active }) => active && !view.some(({ member }) => member.id === id));
  // A destroy takes the voters one after the other, and repmgrd of each before it.
  const joining = isRemoval(claims, inputs) ? joined.length : Infinity;
  const [problem] = removalProblems(inputs, view, [inputs.node], joining);
  if (problem !== undefined) throw new Refused(problem);
}
