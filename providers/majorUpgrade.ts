import { type FormerFacts, type FormerData, formerProbe } from "../facts/formerData";
import type { InstanceFacts } from "../facts/instance";
import { type Obstacles, obstaclesProbe } from "../facts/obstacles";
import { type SpaceRoom, spaceRoomProbe } from "../facts/tablespaces";
import { clusterPaths } from "../families";
import { type ClusterInputs, instanceOf } from "./cluster";
import { asPostgres } from "./commands";
import { type Ctx, HostLost } from "./kind";
import { AS_THE_OTHERS, type PgPackagesFacts, type PgPackagesInputs, pgPackagesKind } from "./pgPackages";
import type { PreflightInputs, PreflightNode } from "./preflight";
import { directoriesOf } from "./spaceDirectories";

/** One node as an upgrade to another major version sees it. */
export interface UpgradeNode {
  readonly node: PreflightNode;
  readonly facts: FormerFacts;
  /** What is asked only where an upgrade is due. */
  readonly due?: {
    /** The instance of before. */
    readonly old: InstanceFacts;
    readonly packages: PgPackagesFacts;
    /** Of a node that takes writes. */
    readonly obstacles?: Obstacles;
    /** Room for copies of the tablespaces that the inventory names, by directory. */
    readonly rooms?: Readonly<Record<string, SpaceRoom>>;
  };
}

export type UpgradeView = readonly UpgradeNode[];

/** A node whose data are still those of before. */
export type FormerNode = UpgradeNode & { readonly facts: { readonly former: FormerData } };

/**
 * The nodes of a cluster of ours, with what shows whether its data are of another major version than is wanted: the
 * hosts are asked, not the state, so that an upgrade that was cut is found again. A host that is lost is left out.
 */
export async function observeUpgrade(ctx: Ctx, inputs: PreflightInputs): Promise<UpgradeView> {
  if (inputs.layout !== undefined) return [];
  const { repmgrConf, upgradeMark } = clusterPaths(inputs);
  const probe = formerProbe({ repmgrConf, dataDirectory: inputs.dataDirectory, upgradeMark });
  const found = await Promise.all(
    inputs.nodes.map((node) =>
      ctx.ask(node.host, probe).then(
        (facts): UpgradeNode => ({ node, facts }),
        (error: unknown) => {
          if (error instanceof HostLost) return undefined;
          throw error;
        },
      ),
    ),
  );
  const view = found.filter((seen) => seen !== undefined);
  if (!isDue(inputs, view)) return view;
  return Promise.all(view.map(async (seen) => (hasFormer(seen) ? askDue(ctx, inputs, seen) : seen)));
}

/** True when the cluster has data, all of an older version, and none of the wanted one. */
export function isDue(inputs: PreflightInputs, view: UpgradeView): boolean {
  const data = view.filter(({ node }) => !node.isWitness);
  const olds = data.filter(hasFormer).filter(({ facts }) => facts.former.version < inputs.version);
  return olds.length > 0 && !data.some((seen) => isThere(inputs, seen));
}

/** True when the node has data of the wanted version at their place. */
export function isThere({ version }: PreflightInputs, { facts }: UpgradeNode): boolean {
  return facts.version === version;
}

export function hasFormer(seen: UpgradeNode): seen is FormerNode {
  return seen.facts.former !== undefined;
}

/** The nodes that were primary last, or are: an upgrade needs exactly one. */
export function formerPrimaries(view: UpgradeView): FormerNode[] {
  return view.filter(hasFormer).filter(({ node, facts }) => !node.isWitness && !facts.former.isStandby);
}

/** The cluster as commands need it. */
export function clusterOf(inputs: PreflightInputs): ClusterInputs {
  const members = inputs.nodes.map(({ node, id, host, address, isWitness }) => {
    return { node, id, host, address, witness: isWitness, conninfo: "" };
  });
  return { ...inputs, members };
}

/** The same cluster as it was before the upgrade. */
export function formerOf(inputs: PreflightInputs, { facts: { former } }: FormerNode): ClusterInputs {
  return { ...clusterOf(inputs), version: former.version, dataDirectory: former.dataDirectory };
}

/** The packages of the new version on a node's host, as PgPackages will want them. */
export function packagesOf(inputs: PreflightInputs, { host, repository }: PreflightNode): PgPackagesInputs {
  const { reach, family, version, packages } = inputs;
  const wanted = { kind: "PgPackages", pending: [], reach, host, family, version, packages, siblings: [] };
  return {
    ...wanted,
    ...(repository === undefined ? {} : { repository }),
    versions: AS_THE_OTHERS,
    createMainCluster: false,
  };
}

async function askDue(ctx: Ctx, inputs: PreflightInputs, seen: FormerNode): Promise<UpgradeNode> {
  const { host } = seen.node;
  const before = formerOf(inputs, seen);
  const spaces = seen.node.isWitness ? [] : directoriesOf(inputs.tablespaces);
  const [old, packages, rooms] = await Promise.all([
    ctx.ask(host, instanceOf(before)),
    pgPackagesKind.observe(ctx, packagesOf(inputs, seen.node)),
    spaces.length === 0 ? {} : ctx.ask(host, spaceRoomProbe(spaces)),
  ]);
  if (seen.node.isWitness || old.running === undefined || old.running.inRecovery) {
    return { ...seen, due: { old, packages, rooms } };
  }
  const psql = asPostgres(before, "psql", "-XAtq");
  return { ...seen, due: { old, packages, rooms, obstacles: await ctx.ask(host, obstaclesProbe(psql)) } };
}
