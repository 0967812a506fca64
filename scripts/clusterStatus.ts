import type { ClusterSpec } from "../config/types";
import type { InstanceFacts } from "../facts/instance";
import { type ClusterView, livePrimaries, memberOf, type MemberFacts } from "../providers/cluster";
import { describeNode, historyOf, type NodeReport } from "../providers/clusterReport";
import { expectedUpstream, lackingCopies, nodeState, slotOf } from "../providers/nodeState";
import { type RepmgrNodeInputs, withoutCopy } from "../providers/repmgrNode";
import { nodeInputs } from "../resources/inputs";
import { answered, type Look, type Looker } from "./clusterLook";
import type { ClusterSession } from "./clusterSession";

export interface NodeStatus {
  readonly node: string;
  readonly host: string;
  readonly role: NodeReport["role"] | "unreachable";
  readonly timeline: number;
  /** The node it streams from, or "none". */
  readonly follows: string;
  /** Bytes of WAL that the primary has written and this node has not replayed; null where that cannot be told. */
  readonly lagBytes: number | null;
  /** Of its slot at its upstream: "active", "unused", "missing", "lost"; "" where it needs none. */
  readonly slot: string;
  /** "running", "paused", or systemd's word when it is not active. */
  readonly repmgrd: string;
  /** "attached", or what is wrong, in the words of the preview. */
  readonly state: string;
  /** "2026-11-24T11:13:33Z standby_promote", its last one that repmgr noted about primaries. */
  readonly lastEvent: string;
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly at: string;
  /** "none" also while two nodes take writes; `problems` says so. */
  readonly primary: string;
  readonly problems: readonly string[];
  readonly nodes: readonly NodeStatus[];
}

/** One cluster as it is now. */
export async function readStatus(session: ClusterSession, looker: Looker, spec: ClusterSpec): Promise<ClusterStatus> {
  const wants = spec.nodes.map((node) => ({
    ...nodeInputs(spec, session.inventory, node),
    kind: "RepmgrNode",
    pending: [],
    repmgrPassword: session.secret(spec.repmgrPasswordSecret),
  }));
  return statusOf(wants, await looker.look(spec), new Date());
}

/**
 * @param wants all nodes of one cluster
 * @param looks of the same nodes in the same order
 */
export function statusOf(wants: readonly RepmgrNodeInputs[], looks: readonly Look[], at: Date): ClusterStatus {
  const [first] = wants as readonly [RepmgrNodeInputs];
  const view = answered(first, looks);
  const primaries = livePrimaries(view).map(({ member }) => member.node);
  const nodes = wants.map((want, index) => nodeStatus(want, looks[index], view));
  const problems = [
    ...(primaries.length === 0 ? ["no node takes writes"] : []),
    ...(primaries.length > 1 ? [`${primaries.join(" and ")} both take writes`] : []),
    ...nodes.flatMap(problemsOf),
    ...wants.flatMap((want) => lackingCopies(want, view).map((slot) => withoutCopy(want.node, slot))),
  ];
  const primary = primaries.length === 1 ? (primaries[0] ?? "none") : "none";
  return { cluster: first.cluster, at: at.toISOString(), primary, problems, nodes };
}

function nodeStatus(want: RepmgrNodeInputs, look: Look | undefined, view: ClusterView): NodeStatus {
  const { node, host } = want;
  if (look === undefined || look instanceof Error) {
    const [state = ""] = (look?.message ?? "it was not asked").split("\n");
    const unknown = { timeline: 0, follows: "none", lagBytes: null, slot: "", repmgrd: "unknown", lastEvent: "" };
    return { node, host, role: "unreachable", ...unknown, state };
  }
  const self = memberOf(view, node);
  const { role, timeline, follows } = describeNode(want, view, self);
  const last = historyOf(view)
    .filter((entry) => entry.node === node)
    .at(-1);
  return {
    node,
    host,
    role,
    timeline,
    follows,
    lagBytes: lagOf(self, livePrimaries(view)[0]),
    slot: slotState(want, view),
    repmgrd: repmgrdState(look),
    state: nodeState(want, view),
    lastEvent: last === undefined ? "" : `${last.at} ${last.event}${last.successful ? "" : " (failed)"}`,
  };
}

/** The hosts were not asked at the same moment, so a standby may be ahead of what its primary had said. */
function lagOf({ member, facts }: MemberFacts, primary: MemberFacts | undefined): number | null {
  if (member.witness || facts.running === undefined || primary?.facts.running === undefined) return null;
  return Math.max(0, primary.facts.running.walBytes - facts.running.walBytes);
}

function slotState(want: RepmgrNodeInputs, view: ClusterView): string {
  const upstream = expectedUpstream(want, view);
  const name = slotOf(want);
  if (memberOf(view, want.node).member.witness || name === undefined) return "";
  if (upstream === undefined || upstream.member.node === want.node) return "";
  const slot = upstream.facts.running.slots.find((found) => found.name === name);
  if (slot === undefined) return "missing";
  return slot.walStatus === "lost" ? "lost" : slot.active ? "active" : "unused";
}

function repmgrdState({ repmgrd, repmgr }: InstanceFacts): string {
  if (repmgrd !== "active") return repmgrd;
  return repmgr?.paused === true ? "paused" : "running";
}

function problemsOf({ node, role, state, repmgrd, slot }: NodeStatus): string[] {
  if (role === "unreachable") return [`${node} cannot be asked: ${state}`];
  return [
    ...(state === "attached" ? [] : [`${node} is ${state}`]),
    ...(slot === "missing" || slot === "lost" ? [`the slot of ${node} is ${slot}`] : []),
    ...(repmgrd === "running" ? [] : [`repmgrd of ${node} is ${repmgrd}: it takes no part in a failover`]),
  ];
}
