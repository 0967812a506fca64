import { posix } from "node:path";
import { DEFAULTS, defaultDataDirectory } from "./defaults";
import { deriveFencing } from "./deriveFencing";
import { deriveHba } from "./deriveHba";
import { deriveRepmgrOptions } from "./deriveRepmgr";
import { canonicalValues, deriveSettings } from "./deriveSettings";
import { locationOf, priorityOf } from "./nodeDefaults";
import type { RawCluster, RawInventory, RawNode } from "./schema";
import type { RawLayout } from "./schemaLayout";
import type { ClusterLayout, ClusterSpec, NodeSpec } from "./types";

/** The name of the stack secret with the password of the role repmgr. */
export function repmgrSecret(cluster: string, raw: RawCluster): string {
  return raw.repmgr.password_secret ?? `${cluster}_repmgr_password`;
}

/** PGDATA on every host of the cluster, normalised so that equal directories are equal strings. */
export function dataDirectory(cluster: string, raw: RawCluster): string {
  const path = raw.data_directory ?? defaultDataDirectory(DEFAULTS.family, raw.version, cluster);
  return posix.normalize(path).replace(/(?!^)\/+$/, "");
}

/** A cluster of a valid inventory with everything that follows from it. */
export function deriveCluster(name: string, raw: RawCluster, inventory: RawInventory): ClusterSpec {
  const nodes = deriveNodes(raw, inventory);
  const firstHost = inventory.hosts[nodes[0]?.host ?? ""];
  return {
    name,
    version: raw.version,
    port: raw.port,
    family: firstHost?.family ?? inventory.defaults.family,
    dataDirectory: dataDirectory(name, raw),
    layout: raw.layout && deriveLayout(raw.layout),
    nodes,
    settings: deriveSettings(name, raw),
    hba: deriveHba(raw, nodes),
    hbaLines: raw.hba_lines,
    clients: raw.clients,
    failover: raw.failover,
    packageVersion: raw.package_version,
    preferredPrimary: raw.preferred_primary,
    switchBack: raw.rolling.switch_back,
    fencing: deriveFencing(raw),
    startWithoutPeers: raw.start_without_peers,
    eventCommand: raw.events.command,
    synchronous: raw.synchronous,
    repmgrOptions: deriveRepmgrOptions(raw),
    repmgrPasswordSecret: repmgrSecret(name, raw),
    roles: deriveRoles(raw),
    databases: Object.entries(raw.databases).map(([database, own]) => ({ name: database, ...own })),
    hooks: { afterDeploy: raw.hooks.after_deploy },
    checksums: raw.checksums,
    protect: raw.protect,
    allowDataLoss: raw.allow_data_loss,
  };
}

function deriveNodes(raw: RawCluster, inventory: RawInventory): NodeSpec[] {
  const nodes = Object.entries(raw.nodes).map(([name, node]) => ({
    name,
    id: node.id,
    host: node.host,
    address: node.address ?? inventory.hosts[node.host]?.address ?? "",
    initialRole: node.role,
    priority: priorityOf(node),
    location: locationOf(raw, node),
    upstream: node.upstream,
    ...delayed(raw, node),
    repmgrOptions: Object.fromEntries(Object.entries(node.repmgr).map(([option, value]) => [option, String(value)])),
  }));
  return nodes.sort((a, b) => a.id - b.id);
}

/** How a node's settings differ from the others', and its delay, which is one of them. */
function delayed(raw: RawCluster, node: RawNode): Pick<NodeSpec, "settings" | "delay"> {
  const own = canonicalValues(node.settings);
  if (raw.layout === undefined && node.delay === undefined) return { settings: own };
  const { recovery_min_apply_delay: delay = node.delay } = own;
  if (delay === undefined || /^0+\D*$/.test(delay)) return { settings: own };
  return { settings: { ...own, recovery_min_apply_delay: delay }, delay };
}

function deriveLayout(raw: RawLayout): ClusterLayout {
  return {
    configFile: raw.config_file,
    hbaFile: raw.hba_file,
    postgresqlUnit: raw.postgresql_unit,
    repmgrConf: raw.repmgr_conf,
    repmgrdUnit: raw.repmgrd_unit,
    passFile: raw.pass_file,
    socketDirectory: raw.socket_directory,
    logDirectory: raw.log_directory,
  };
}

function deriveRoles(raw: RawCluster): ClusterSpec["roles"] {
  return Object.entries(raw.roles).map(([name, role]) => ({
    name,
    login: role.login,
    createdb: role.createdb,
    createrole: role.createrole,
    superuser: role.superuser,
    replication: role.replication,
    connectionLimit: role.connection_limit,
    passwordSecret: role.password_secret,
  }));
}
