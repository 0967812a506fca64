import type { DatabaseSpec, RoleSpec, TablespaceSpec } from "../config/types";
import { contentProbe, type ContentFact, primaryContentProbe } from "../facts/content";
import { fileProbe } from "../facts/file";
import { type PrivilegesFact, privilegesProbe } from "../facts/privileges";
import type { Probe } from "../facts/probe";
import { publishableProbe } from "../facts/publishable";
import { type RemovalFact, removalProbe } from "../facts/removal";
import { clusterPaths, unitPath } from "../families";
import { type ClusterInputs, type ClusterView, isLive, livePrimaries, observeCluster } from "./cluster";
import { asPostgres } from "./commands";
import {
  contentState,
  foreseeSlots,
  foundDatabases,
  foundLogicalSlots,
  foundOurs,
  foundRemoved,
  foundRoles,
  foundSpaces,
} from "./clusterContent";
import { recallOurs, type RemovalInputs, stillThere } from "./removalContent";
import { privilegesAsked } from "./privilegeContent";
import { type Publishable, tablesAsked } from "./publicationContent";
import { planCluster, planClusterDelete, waitForAnother } from "./pgClusterPlan";
import { describeCluster, type HistoryEntry, type NodeReport, roleOf } from "./clusterReport";
import type { TreeInputs } from "./handover";
import type { Ctx, Kind } from "./kind";
import { foundSynchronous } from "./synchronous";
import { foreseenRestarts, pendingRestarts } from "./restartNeeds";
import { type HandoverView, observeHandover } from "./switchover";

export type ManagedRole = Omit<RoleSpec, "passwordSecret">;

/** What exists once a cluster: roles, databases, extensions, planned restarts; and what a person wants to read of it. */
export interface PgClusterInputs extends TreeInputs, RemovalInputs {
  readonly roles: readonly ManagedRole[];
  /** Role to password. Secret. */
  readonly rolePasswords: Readonly<Record<string, string>>;
  /** Absent: none is managed. */
  readonly tablespaces?: readonly TablespaceSpec[];
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
  /** The text of the instances' unit, where a new one is worth a restart. */
  readonly unit?: string;
  /** Data checksums are wanted on every node; enabling them takes a restart each. */
  readonly checksums: boolean;
  /** What a healthy cluster shows; the program always writes HEALTHY_CLUSTER. */
  readonly content: string;
  /** Node to role, as its RepmgrNode found it: what this cluster reports is looked at again when one of them changes. */
  readonly nodeRoles: Readonly<Record<string, NodeReport["role"]>>;
  /** synchronous_standby_names on every data node; absent: the replication is asynchronous, which PgInstance sees to. */
  readonly synchronous?: string;
  /** What the file with the authorities of TLS is called in connection strings; absent: no TLS. */
  readonly caFile?: string;
  readonly pendingRestart: readonly string[];
  readonly repmgrd: string;
  /** The output of the last run, which a review gets among its inputs. */
  readonly logicalSlots?: readonly string[];
}

export const HEALTHY_CLUSTER = { content: "as wanted", pendingRestart: [], repmgrd: "watching" } as const;

export interface PgClusterFacts {
  readonly view: ClusterView;
  readonly content: ContentFact;
  /** By database, of those whose privileges are managed. */
  readonly privileges: Readonly<Record<string, PrivilegesFact>>;
  /** Asked for only where tables are wanted in a publication and are not in it. */
  readonly publishable: Publishable;
  /** Node to the text of its unit; asked for only where a new one is worth a restart. */
  readonly units: Readonly<Record<string, string | undefined>>;
  /** Asked for only where something is to be dropped. */
  readonly removal?: RemovalFact;
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
  /** "shop.warehouse"; absent where none is managed. */
  readonly logicalSlots?: readonly string[];
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
    "tablespaces",
    "databases",
    "removed",
    "settings",
    "nodeSettings",
    "packageVersion",
    "unit",
    "preferredPrimary",
    "content",
    "nodeRoles",
    "synchronous",
    "caFile",
    "pendingRestart",
    "repmgrd",
  ],
  echoes: ["nodeRoles"],
  memory: { key: "ours", recall: recallOurs },
  identity: ["cluster"],
  id: ({ cluster }) => cluster,
  validate: () => [],

  async observe(ctx, inputs) {
    const found = await observeContent(ctx, inputs);
    const primary = livePrimaries(found.view)[0];
    const units = await observeUnits(ctx, inputs, found.view);
    const isAsked = primary !== undefined && mayMove(inputs, { ...found, units }, primary.member.node);
    const [privileges, publishable, removal, handover] = await Promise.all([
      observePrivileges(ctx, inputs, found),
      observePublishable(ctx, inputs, found),
      observeRemoval(ctx, inputs, found),
      isAsked ? observeHandover(ctx, inputs, found.view) : {},
    ]);
    return { ...found, units, privileges, publishable, ...(removal === undefined ? {} : { removal }), handover };
  },

  isAbsent: ({ view }) => view.every(({ facts }) => facts.data !== "present"),

  plan: planCluster,
  retryAfter: waitForAnother,
  foresee: (want, have) => [
    ...planCluster(want, have, foreseenRestarts(want, have.view, have.units)),
    ...foreseeSlots(want, have),
  ],

  sumUp(inputs, { view }) {
    const { primary, timeline } = describeCluster(inputs, view);
    return primary === "none" ? "no node is primary" : `${primary} is primary on timeline ${timeline}`;
  },

  project(inputs, have) {
    const ours = foundOurs(inputs, have);
    const logicalSlots = foundLogicalSlots(inputs, have);
    return {
      inputs: {
        ...inputs,
        roles: foundRoles(inputs, have),
        ...(inputs.tablespaces === undefined ? {} : { tablespaces: foundSpaces(inputs, have) }),
        databases: foundDatabases(inputs, have),
        ...(inputs.removed === undefined ? {} : { removed: foundRemoved(inputs, have) }),
        ...(ours === undefined ? {} : { ours }),
        ...(inputs.preferredPrimary === undefined ? {} : { preferredPrimary: primaryOf(inputs, have.view) }),
        content: contentState(inputs, have),
        ...(inputs.synchronous === undefined
          ? {}
          : { synchronous: foundSynchronous(inputs, have.view, livePrimaries(have.view)[0]) }),
        nodeRoles: Object.fromEntries(have.view.map((m) => [m.member.node, roleOf(m)])),
        pendingRestart: pendingRestarts(inputs, have.view)
          .map(({ node, settings, upgrade, isOfOldUnit }) => ({
            node,
            needs: [
              ...settings,
              ...(upgrade ? [`PostgreSQL ${upgrade}`] : []),
              ...(isOfOldUnit ? ["the new text of its unit"] : []),
            ],
          }))
          .filter(({ needs }) => needs.length > 0)
          .map(({ node, needs }) => `${node}: ${needs.join(", ")}`),
        repmgrd: repmgrdState(have.view),
      },
      outputs: { ...describeCluster(inputs, have.view), ...(logicalSlots === undefined ? {} : { logicalSlots }) },
    };
  },

  planDelete: planClusterDelete,
};

async function observeContent(ctx: Ctx, inputs: ClusterInputs): Promise<Pick<PgClusterFacts, "view" | "content">> {
  const view = await observeCluster(ctx, inputs);
  const primary = livePrimaries(view)[0];
  if (primary === undefined) return { view, content: { roles: [], tablespaces: [], databases: [], slots: [] } };
  const { host } = primary.member;
  const content = await ctx.ask(host, contentQuestion(inputs));
  // A primary with a standby.signal that somebody has put there since its start.
  return { view, content: content ?? (await ctx.ask(host, contentProbe(psql(inputs)))) };
}

async function observeUnits(ctx: Ctx, inputs: PgClusterInputs, view: ClusterView): Promise<PgClusterFacts["units"]> {
  if (inputs.unit === undefined) return {};
  const path = unitPath(clusterPaths(inputs).postgresqlUnit);
  const found = await Promise.all(
    view.map(async ({ member }) => [member.node, (await ctx.ask(member.host, fileProbe(path)))?.content] as const),
  );
  return Object.fromEntries(found);
}

/** What is asked of the primary, or of every node while that is not known. */
export function contentQuestion(inputs: ClusterInputs): Probe<ContentFact | undefined> {
  return primaryContentProbe(psql(inputs), inputs.dataDirectory);
}

function psql(inputs: ClusterInputs): string {
  return asPostgres(inputs, "psql", "-XAtq");
}

/** Asks nothing where the inventory declares no privileges. */
async function observePrivileges(
  ctx: Ctx,
  inputs: PgClusterInputs,
  { view, content }: Pick<PgClusterFacts, "view" | "content">,
): Promise<PgClusterFacts["privileges"]> {
  const primary = livePrimaries(view)[0];
  const existing = content.databases.filter(({ closed }) => closed !== true).map(({ name }) => name);
  const asked = privilegesAsked(inputs.databases, existing);
  if (primary === undefined || asked.length === 0) return {};
  return ctx.ask(primary.member.host, privilegesProbe(psql(inputs), asked));
}

/** Asks nothing where every table is published that is to be. */
async function observePublishable(
  ctx: Ctx,
  inputs: PgClusterInputs,
  { view, content }: Pick<PgClusterFacts, "view" | "content">,
): Promise<Publishable> {
  const primary = livePrimaries(view)[0];
  const asked = tablesAsked(inputs.databases, content.databases);
  if (primary === undefined || asked.length === 0) return {};
  return ctx.ask(primary.member.host, publishableProbe(psql(inputs), asked));
}

/** Asks nothing where nothing is left of what is marked as removed. */
async function observeRemoval(
  ctx: Ctx,
  inputs: PgClusterInputs,
  { view, content }: Pick<PgClusterFacts, "view" | "content">,
): Promise<RemovalFact | undefined> {
  const primary = livePrimaries(view)[0];
  const there = stillThere(inputs, content);
  if (primary === undefined || there.roles.length + there.databases.length + there.tablespaces.length === 0)
    return undefined;
  return ctx.ask(primary.member.host, removalProbe(psql(inputs), there));
}

function mayMove(
  inputs: PgClusterInputs,
  { view, units }: Pick<PgClusterFacts, "view" | "units">,
  primary: string,
): boolean {
  const isWished = inputs.preferredPrimary !== undefined && inputs.preferredPrimary !== primary;
  return isWished || foreseenRestarts(inputs, view, units).some(({ node }) => node === primary);
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
