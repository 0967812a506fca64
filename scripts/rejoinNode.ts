import type { ClusterSpec, NodeSpec } from "../config/types";
import { memberOf, observeCluster, thePrimary } from "../providers/cluster";
import { type BaseInputs, type Kind, Refused } from "../providers/kind";
import { Lifecycle } from "../providers/lifecycle";
import { pgInstanceKind } from "../providers/pgInstance";
import { repmgrNodeKind } from "../providers/repmgrNode";
import { systemdUnitKind } from "../providers/systemdUnit";
import { instanceInputs, nodeInputs, repmgrdInputs } from "../resources/inputs";
import { clusterInputs } from "./clusterLook";
import type { ClusterSession } from "./clusterSession";

type AnyKind = Kind<BaseInputs, unknown, object>;

/** One of the three resources that make a node come back, with its inputs as the program has them. */
interface Part {
  readonly kind: AnyKind;
  readonly inputs: BaseInputs;
}

/** Data, place in the cluster, daemon: in the order in which they need each other. */
function partsOf({ inventory, secret }: ClusterSession, spec: ClusterSpec, node: NodeSpec): Part[] {
  const repmgrPassword = secret(spec.repmgrPasswordSecret);
  const tlsKey = node.tls && { tlsKey: secret(node.tls.keySecret) };
  const part = (kind: object, inputs: object): Part => {
    const { name } = kind as AnyKind;
    return { kind: kind as AnyKind, inputs: { ...(inputs as BaseInputs), kind: name, pending: [] } };
  };
  return [
    part(pgInstanceKind, { ...instanceInputs(spec, inventory, node), repmgrPassword, ...tlsKey }),
    part(repmgrNodeKind, { ...nodeInputs(spec, inventory, node), repmgrPassword }),
    part(systemdUnitKind, repmgrdInputs(spec, inventory, node)),
  ];
}

export interface NodePlan {
  /** The node that is primary now. */
  readonly primary: string;
  /** "pg1: why", one for each action known now; [] when there is nothing to do. */
  readonly lines: readonly string[];
}

/**
 * What bringing a node back will do, as the kinds plan it now; what only shows after the first steps is not in it.
 * @throws Refused when no node or two are primary, when the node is it, or for what the kinds refuse
 * @throws Unreachable when any host of the cluster cannot be asked: roles are never guessed
 */
export async function planOfNode(session: ClusterSession, spec: ClusterSpec, node: NodeSpec): Promise<NodePlan> {
  const ctx = session.hostsOf(spec);
  const inputs = clusterInputs(session, spec);
  const view = await observeCluster(ctx, inputs);
  const primary = thePrimary(inputs, view)?.member.node;
  if (primary === undefined) {
    throw new Refused(
      `cluster ${spec.name}: no node takes writes, so ${node.name} has nobody to come back to. ` +
        `See "npm run status -- ${spec.name}"; "pulumi up" brings a primary back, or waits for repmgrd's election`,
    );
  }
  if (primary === node.name) {
    throw new Refused(
      `cluster ${spec.name}: ${node.name} is primary, there is nothing to come back to. See "npm run status -- ${spec.name}"`,
    );
  }
  const hasData = memberOf(view, node.name).facts.data === "present";
  const [data, ...rest] = partsOf(session, spec, node) as [Part, ...Part[]];
  const lines: string[] = [];
  // Without data there is no node yet to plan for.
  for (const { kind, inputs: want } of hasData ? [data, ...rest] : [data]) {
    const have = await kind.observe(ctx, want);
    lines.push(...kind.plan(want, have).map(({ host, why }) => `${host}: ${why}`));
  }
  if (!hasData) lines.push(`${node.host}: then start it, let it follow ${primary}, register it`);
  return { primary, lines };
}

/** @throws Error naming host, action and what was said; what was done before it stays, and the next try goes on from there */
export async function rejoinNode(session: ClusterSession, spec: ClusterSpec, node: NodeSpec): Promise<void> {
  const lifecycle = new Lifecycle(session.world);
  for (const { kind, inputs } of partsOf(session, spec, node)) await lifecycle.update(kind, { ...inputs });
}
