import type * as pulumi from "./sdk";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { clusterPaths } from "../families";
import { unitScript } from "../providers/unitScript";
import { instanceInputs, nodeInputs, reachOf, repmgrdInputs, type SharedInputs, unitSpec } from "./inputs";
import type { StackInventory } from "./inventory";
import { FirewallRule, PgInstance, RepmgrNode, SystemdUnit } from "./kinds";
import { checkInputs } from "./monitoring";
import { nodeScripts } from "./scripts";
import { postgresqlUnit } from "./units";

/** What every resource of a cluster is made from. */
export interface ClusterContext {
  readonly spec: ClusterSpec;
  readonly inventory: StackInventory;
  readonly parent: pulumi.Resource;
  readonly shared: SharedInputs;
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
  const sources = nodeScripts(spec, node);
  const inputs = {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    unit: paths.postgresqlUnit,
    content: postgresqlUnit(unitSpec(spec)),
    files: Object.entries(sources).map(([path, source]) => unitScript(path, source, "0755")),
    sources,
    state: "enabled" as const,
    dropIns: [],
  };
  return new SystemdUnit(`${nameOf(spec, node)}-postgresql`, inputs, { parent, dependsOn });
}

/** The daemon that watches and fails over; it runs once its node is registered. */
export function repmgrdService(
  { spec, inventory, parent }: ClusterContext,
  of: NodeSpec,
  dependsOn: After,
): SystemdUnit {
  return new SystemdUnit(`${nameOf(spec, of)}-repmgrd`, repmgrdInputs(spec, inventory, of), { parent, dependsOn });
}

/** The timer that has the node checked; where the inventory asks for no monitoring there is none. */
export function check({ spec, inventory, parent }: ClusterContext, of: NodeSpec, dependsOn: After): SystemdUnit[] {
  if (spec.monitoring === undefined) return [];
  const inputs = checkInputs(spec, inventory, of, spec.monitoring);
  return [new SystemdUnit(`${nameOf(spec, of)}-check`, inputs, { parent, dependsOn })];
}

export function instance({ spec, inventory, parent }: ClusterContext, of: NodeSpec, dependsOn: After): PgInstance {
  const repmgrPassword = inventory.secret(spec.repmgrPasswordSecret);
  const tlsKey = of.tls && inventory.secret(of.tls.keySecret);
  const inputs = { ...instanceInputs(spec, inventory, of), repmgrPassword, ...(tlsKey && { tlsKey }) };
  return new PgInstance(nameOf(spec, of), inputs, { parent, dependsOn });
}

export function node({ spec, inventory, parent }: ClusterContext, of: NodeSpec, dependsOn: After): RepmgrNode {
  const repmgrPassword = inventory.secret(spec.repmgrPasswordSecret);
  const inputs = { ...nodeInputs(spec, inventory, of), repmgrPassword };
  return new RepmgrNode(nameOf(spec, of), inputs, { parent, dependsOn });
}

function nameOf(spec: ClusterSpec, node: NodeSpec): string {
  return `${spec.name}-${node.name}`;
}
