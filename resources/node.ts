import type * as pulumi from "@pulumi/pulumi";
import { repmgrConf } from "../config/deriveRepmgr";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { clusterPaths, familyLayout } from "../families";
import type { ClusterInputs } from "../providers/cluster";
import { HEALTHY_INSTANCE } from "../providers/pgInstance";
import { HEALTHY_NODE } from "../providers/repmgrNode";
import { reachOf } from "./hosts";
import { hbaLine } from "./hba";
import type { StackInventory } from "./inventory";
import { FirewallRule, PgInstance, RepmgrNode, SystemdUnit } from "./kinds";
import { postgresqlUnit, repmgrdUnit, startGuard } from "./units";

/** What every resource of a cluster is made from. */
export interface ClusterContext {
  readonly spec: ClusterSpec;
  readonly inventory: StackInventory;
  readonly parent: pulumi.Resource;
  readonly shared: Omit<ClusterInputs, "kind" | "pending">;
}

type After = pulumi.Resource[];

/** The port, open to the peers and the declared client networks. */
export function firewallRule(
  { spec, inventory, parent }: ClusterContext,
  node: NodeSpec,
  dependsOn: After,
): FirewallRule {
  const peers = spec.nodes.map(({ address }) => address + (address.includes(":") ? "/128" : "/32"));
  const inputs = {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    purpose: "postgresql",
    port: spec.port,
    sources: [...new Set([...peers, ...spec.clients])].sort(),
    permanentOnly: [],
    runtimeOnly: [],
  };
  return new FirewallRule(nameOf(spec, node), inputs, { parent, dependsOn });
}

/** PostgreSQL's unit with its start guard. Whether it runs is the RepmgrNode's business. */
export function postgresqlService(
  { spec, inventory, parent }: ClusterContext,
  node: NodeSpec,
  dependsOn: After,
): SystemdUnit {
  const paths = clusterPaths(unitSpec(spec));
  const guard = startGuard({
    ...unitSpec(spec),
    nodeId: node.id,
    port: spec.port,
    isWitness: node.initialRole === "witness",
    peers: spec.nodes
      .filter(({ name }) => name !== node.name)
      .map(({ name, address, initialRole }) => ({ node: name, address, isWitness: initialRole === "witness" })),
  });
  const inputs = {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    unit: paths.postgresqlUnit,
    content: postgresqlUnit(unitSpec(spec)),
    files: [{ path: paths.startGuard, content: guard, mode: "0755", owner: "root:root" }],
    state: "enabled" as const,
    dropIns: [],
  };
  return new SystemdUnit(`${nameOf(spec, node)}-postgresql`, inputs, { parent, dependsOn });
}

/** The daemon that watches and fails over; it runs once its node is registered. */
export function repmgrdService(
  { spec, inventory, parent }: ClusterContext,
  node: NodeSpec,
  dependsOn: After,
): SystemdUnit {
  const { repmgrdUnit: unit, repmgrdPidFile: pidFile } = clusterPaths(unitSpec(spec));
  const text = spec.layout === undefined ? { content: repmgrdUnit(unitSpec(spec)), pidFile } : {};
  const inputs = {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    unit,
    ...text,
    files: [],
    state: "enabled" as const,
    dropIns: [],
    running: true,
  };
  return new SystemdUnit(`${nameOf(spec, node)}-repmgrd`, inputs, { parent, dependsOn });
}

export function instance(
  { spec, inventory, parent, shared }: ClusterContext,
  node: NodeSpec,
  dependsOn: After,
): PgInstance {
  const inputs = {
    ...shared,
    host: node.host,
    node: node.name,
    initial: node.initialRole === "primary",
    settings: { ...spec.settings, ...node.settings },
    hba: spec.layout === undefined ? spec.hba.map(hbaLine) : spec.hbaLines,
    repmgrPassword: inventory.secret(spec.repmgrPasswordSecret),
    repmgrConf: confOf(spec, node),
    allowDataLoss: spec.allowDataLoss,
    wantsChecksums: spec.checksums,
    ...HEALTHY_INSTANCE,
  };
  return new PgInstance(nameOf(spec, node), inputs, { parent, dependsOn });
}

export function node({ spec, inventory, parent, shared }: ClusterContext, of: NodeSpec, dependsOn: After): RepmgrNode {
  const { systemctl } = familyLayout(spec.family);
  const { postgresqlUnit: postgresql, repmgrdUnit: repmgrd } = clusterPaths(unitSpec(spec));
  const units = { [postgresql]: ["start", "stop", "restart", "reload"], [repmgrd]: ["start", "stop"] };
  const inputs = {
    ...shared,
    host: of.host,
    node: of.name,
    nodeId: of.id,
    upstream: of.upstream,
    repmgrConf: confOf(spec, of),
    sudoCommands: Object.entries(spec.layout === undefined ? units : {}).flatMap(([unit, verbs]) => {
      return verbs.map((verb) => `${systemctl} ${verb} ${unit.replace(/\.service$/, "")}`);
    }),
    repmgrPassword: inventory.secret(spec.repmgrPasswordSecret),
    ...HEALTHY_NODE,
  };
  return new RepmgrNode(nameOf(spec, of), inputs, { parent, dependsOn });
}

function nameOf(spec: ClusterSpec, node: NodeSpec): string {
  return `${spec.name}-${node.name}`;
}

function unitSpec(spec: ClusterSpec) {
  const { name: cluster, version, family, dataDirectory, layout } = spec;
  return { cluster, version, family, dataDirectory, layout };
}

function confOf(spec: ClusterSpec, node: NodeSpec): Record<string, string> {
  const paths = clusterPaths(unitSpec(spec));
  return repmgrConf(spec, node, {
    binDirectory: familyLayout(spec.family).binDirectory(spec.version),
    configFile: paths.repmgrConf,
    passFile: paths.passFile,
  });
}
