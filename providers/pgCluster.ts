import type { DatabaseSpec, RoleSpec } from "../config/types";
import { databasesProbe, type DatabaseFact } from "../facts/databases";
import { type ClusterInputs, type ClusterView, isLive, livePrimaries, observeCluster } from "./cluster";
import { asPostgres } from "./commands";
import { contentState, foundDatabases, foundRoles } from "./clusterContent";
import { planCluster, planClusterDelete } from "./pgClusterPlan";
import { describeCluster, type HistoryEntry, type NodeReport, roleOf } from "./clusterReport";
import type { TreeInputs } from "./handover";
import type { Ctx, Kind } from "./kind";
import { foundSynchronous } from "./synchronous";
import { foreseenRestarts, pendingRestarts } from "./restartNeeds";
import { type HandoverView, observeHandover } from "./switchover";

export type ManagedRole = Omit<RoleSpec, "passwordSecret">;

/** What exists once a cluster: roles, databases, extensions, planned restarts; and what a person wants to read of it. */
export interface PgClusterInputs extends TreeInputs {
  readonly roles: readonly ManagedRole[];
  /** Role to password. Secret. */
  readonly rolePasswords: Readonly<Record<string, string>>;
  readonly databases: readonly DatabaseSpec[];
  /** The settings of its instances: a change of one that needs a restart is carried out here, node by node. */
  readonly settings: Readonly<Record<string, string>>;
  /** By node, where its settings differ from those of the others. */
  readonly nodeSettings?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Exact version of the server's package: a node that runs another one restarts once it is installed. */
  readonly packageVersion?: string;
  /** The node that shall be primary; absent, whoever is. Observed as the node that is. */
  readonly preferredPrimary?: string;
  /** After a rolling restart the primary moves back to where it was; never compared. */
  readonly switchBack?: boolean;
  /** Data checksums are wanted on every node; enabling them takes a restart each. */
  readonly checksums: boolean;
  /** What a healthy cluster shows; the program always writes HEALTHY_CLUSTER. */
  readonly content: string;
  /** Node to role, as its RepmgrNode found it: what this cluster reports is looked at again when one of them changes. */
  readonly nodeRoles: Readonly<Record<string, NodeReport["role"]>>;
  /** synchronous_standby_names on every data node; absent: the replication is asynchronous, which PgInstance sees to. */
  readonly synchronous?: string;
  readonly pendingRestart: readonly string[];
  readonly repmgrd: string;
}

export const HEALTHY_CLUSTER = { content: "as wanted", pendingRestart: [], repmgrd: "watching" } as const;

export interface PgClusterFacts {
  readonly view: ClusterView;
  readonly databases: readonly DatabaseFact[];
  /** Asked for only where the primary may have to move. */
  readonly handover: HandoverView;
}

export interface PgClusterOutputs {
  readonly primary: string;
  readonly timeline: number;
  readonly nodes: readonly NodeReport[];
  /** Who became primary when, the last twenty, oldest first. */
  readonly history: readonly HistoryEntry[];
  /** Database to connection string, without password. */
  readonly connectionStrings: Readonly<Record<string, string>>;
}

export const pgClusterKind: Kind<PgClusterInputs, PgClusterFacts, PgClusterOutputs> = {
  name: "PgCluster",
  managed: [
    "cluster",
    // Where the next review looks.
    "version",
    "dataDirectory",
    "members",
    "roles",
    "rolePasswords",
    "databases",
    "settings",
    "nodeSettings",
    "packageVersion",
    "preferredPrimary",
    "content",
    "nodeRoles",
    "synchronous",
    "pendingRestart",
    "repmgrd",
  ],
  echoes: ["nodeRoles"],
  identity: ["cluster"],
  id: ({ cluster }) => cluster,
  validate: () => [],

  async observe(ctx, inputs) {
    const found = await observeContent(ctx, inputs);
    const primary = livePrimaries(found.view)[0];
    const isAsked = primary !== undefined && mayMove(inputs, found.view, primary.member.node);
    return { ...found, handover: isAsked ? await observeHandover(ctx, inputs, found.view) : {} };
  },

  isAbsent: ({ view }) => view.every(({ facts }) => facts.data !== "present"),

  plan: planCluster,
  foresee: (want, have) => planCluster(want, have, foreseenRestarts(want, have.view)),

  sumUp(inputs, { view }) {
    const { primary, timeline } = describeCluster(inputs, view);
    return primary === "none" ? "no node is primary" : `${primary} is primary on timeline ${timeline}`;
  },

  project(inputs, have) {
    return {
      inputs: {
        ...inputs,
        roles: foundRoles(inputs, have),
        databases: foundDatabases(inputs, have),
        ...(inputs.preferredPrimary === undefined ? {} : { preferredPrimary: primaryOf(inputs, have.view) }),
        content: contentState(inputs, have),
        ...(inputs.synchronous === undefined
          ? {}
          : { synchronous: foundSynchronous(inputs, have.view, livePrimaries(have.view)[0]) }),
        nodeRoles: Object.fromEntries(have.view.map((m) => [m.member.node, roleOf(m)])),
        pendingRestart: pendingRestarts(inputs, have.view)
          .map(({ node, settings, upgrade }) => ({
            node,
            needs: [...settings, ...(upgrade ? [`PostgreSQL ${upgrade}`] : [])],
          }))
          .filter(({ needs }) => needs.length > 0)
          .map(({ node, needs }) => `${node}: ${needs.join(", ")}`),
        repmgrd: repmgrdState(have.view),
      },
      outputs: describeCluster(inputs, have.view),
    };
  },

  planDelete: planClusterDelete,
};

/** Reads of the inputs no more than where to look, so that a review can ask for it ahead. */
export async function observeContent(ctx: Ctx, inputs: ClusterInputs): Promise<Omit<PgClusterFacts, "handover">> {
  const view = await observeCluster(ctx, inputs);
  const primary = livePrimaries(view)[0];
  if (primary === undefined) return { view, databases: [] };
  const databases = await ctx.ask(primary.member.host, databasesProbe(asPostgres(inputs, "psql", "-XAtq")));
  return { view, databases };
}

function mayMove(inputs: PgClusterInputs, view: ClusterView, primary: string): boolean {
  const isWished = inputs.preferredPrimary !== undefined && inputs.preferredPrimary !== primary;
  return isWished || foreseenRestarts(inputs, view).some(({ node }) => node === primary);
}

/** While nobody is primary that is what has to be repaired, and no wish is open. */
function primaryOf({ preferredPrimary = "" }: PgClusterInputs, view: ClusterView): string {
  return livePrimaries(view)[0]?.member.node ?? preferredPrimary;
}

function repmgrdState(view: ClusterView): string {
  const paused = view.filter(isLive).filter(({ facts }) => facts.repmgr?.paused === true);
  return paused.length === 0
    ? HEALTHY_CLUSTER.repmgrd
    : `paused on ${paused.map(({ member }) => member.node).join(", ")}`;
}
