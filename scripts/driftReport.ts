import type { PgClusterOutputs } from "../providers/pgCluster";
import { type Difference, differencesOf } from "./driftDifferences";
import type { Review, Reviewed } from "./driftSteps";

/** A resource that is not as wanted. */
export interface ResourceReport {
  readonly kind: string;
  /** "pg1/5432" */
  readonly id: string;
  /** update, create, delete or replace. */
  readonly operation: string;
  readonly differences: readonly Difference[];
  /** What up does on the hosts to undo the drift, each with its why, in order; computed by the plan that up carries out. */
  readonly pending: readonly string[];
}

/** What the cluster itself says; undefined while none of it exists. */
export type ClusterState = Pick<PgClusterOutputs, "primary" | "timeline" | "nodes" | "history">;

export interface ClusterReport {
  /** "" for what clusters share, such as packages. */
  readonly cluster: string;
  readonly state?: ClusterState;
  /** What up will mean for those who use the cluster, a line each; "nothing to do; ..." as well. */
  readonly consequences: readonly string[];
  /** What is worth knowing and no drift: the primary has moved, when the first certificate expires. */
  readonly notes: readonly string[];
  readonly resources: readonly ResourceReport[];
}

/** clean: up would change nothing. drift: a host is not as it was deployed. planned: only the inventory or a secret is newer. */
export type Result = "clean" | "drift" | "planned" | "error";

/** What `npm run drift -- --json` prints. */
export interface DriftReport {
  readonly stack: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly result: Result;
  /** How many properties differ. */
  readonly differences: number;
  readonly clusters: readonly ClusterReport[];
  /** What was not looked at, since the login may become postgres only: "db1: the firewall". It is taken to be as it was last seen. */
  readonly unseen: readonly string[];
  readonly errors: readonly string[];
  readonly messages: readonly string[];
}

/** @param at when the hosts were looked at */
export function driftReport(review: Review, at: Date): DriftReport {
  if (review.errors.length > 0) return errorReport(review, at);
  const names = [...new Set(review.resources.map(clusterOf))].sort();
  const clusters = names.map((name) =>
    clusterReport(
      name,
      review.resources.filter((resource) => clusterOf(resource) === name),
      review.messages,
    ),
  );
  const all = clusters.flatMap(({ resources }) => resources.flatMap(({ differences }) => differences));
  const isOfCluster = (message: string): boolean => names.some((name) => message.startsWith(saidOf(name)));
  return {
    stack: review.stack,
    at: at.toISOString(),
    result: resultOf(all),
    differences: all.length,
    clusters,
    unseen: unseenOf(review.resources),
    errors: [],
    messages: review.messages.filter((message) => !isOfCluster(message)),
  };
}

/** How a line of the program that is about one cluster begins (providers/lifecycle.ts). */
function saidOf(cluster: string): string {
  return `cluster ${cluster}: `;
}

/** Says nothing of the hosts: after an error the engine shows what was deployed, for what was not looked at. */
export function errorReport({ stack, errors, messages }: Omit<Review, "resources">, at: Date): DriftReport {
  return { stack, at: at.toISOString(), result: "error", differences: 0, clusters: [], unseen: [], errors, messages };
}

function unseenOf(resources: readonly Reviewed[]): string[] {
  const all = resources.flatMap(({ found }) => {
    const { unseen = [] } = (found?.outputs ?? {}) as { unseen?: readonly string[] };
    const { host = "" } = (found?.inputs ?? {}) as { host?: string };
    return unseen.map((what) => `${host}: ${what}`);
  });
  return [...new Set(all)].sort();
}

function clusterOf({ wanted, found, deployed }: Reviewed): string {
  const { cluster } = wanted ?? found?.inputs ?? deployed?.inputs ?? {};
  return typeof cluster === "string" ? cluster : "";
}

function resultOf(all: readonly Difference[]): Result {
  if (all.length === 0) return "clean";
  return all.every(({ cause }) => cause === "planned") ? "planned" : "drift";
}

function clusterReport(cluster: string, resources: readonly Reviewed[], messages: readonly string[]): ClusterReport {
  const own = resources.find(({ kind }) => kind === "PgCluster");
  const state = own?.found?.outputs as ClusterState | undefined;
  return {
    cluster,
    ...(state?.nodes === undefined ? {} : { state: pickState(state) }),
    consequences: messages.flatMap((message) =>
      message.startsWith(saidOf(cluster)) ? [message.slice(saidOf(cluster).length)] : [],
    ),
    notes: [...notesOf(own), ...certificateNotes(resources)],
    resources: resources.flatMap((resource) => {
      const differences = differencesOf(resource);
      if (differences.length === 0) return [];
      const { kind, id, operation, found } = resource;
      return [{ kind, id, operation, differences, pending: (found?.inputs.pending ?? []) as string[] }];
    }),
  };
}

function pickState({ primary, timeline, nodes, history }: ClusterState): ClusterState {
  return { primary, timeline, nodes, history };
}

function notesOf(own?: Reviewed): string[] {
  const [before, now] = [own?.deployed?.outputs, own?.found?.outputs] as (Partial<ClusterState> | undefined)[];
  if (before?.primary === undefined || now?.primary === undefined || before.primary === now.primary) return [];
  const [was, is] = [before.primary, now.primary].map((name) => (name === "none" ? "nobody" : name));
  return [`the primary has moved: ${was} when it was last deployed, ${is} now, on timeline ${now.timeline}`];
}

function certificateNotes(resources: readonly Reviewed[]): string[] {
  const ends = resources.flatMap(({ found }) => {
    const [expires, node] = [found?.outputs.certificateExpires, found?.inputs.node];
    return typeof expires === "string" && typeof node === "string" ? [{ node, expires }] : [];
  });
  const [first] = ends.sort((a, b) => (a.expires < b.expires ? -1 : 1));
  return first === undefined
    ? []
    : [`TLS: the first certificate to expire is that of ${first.node}, on ${first.expires.slice(0, 10)}`];
}
