import { clusterPaths, familyLayout } from "../families";
import { DEFAULTS, LIMITS } from "./defaults";
import { deriveDatabases, deriveRemoved, deriveRoles, deriveTablespaces } from "./deriveContent";
import { plainDirectory } from "./directory";
import { deriveFencing } from "./deriveFencing";
import { deriveHba } from "./deriveHba";
import { deriveRepmgrOptions } from "./deriveRepmgr";
import { failoverSlots, hasFailoverSlots, slotSettings } from "./deriveFailoverSlots";
import { canonicalValues, deriveSettings } from "./deriveSettings";
import { deriveNodeTls, deriveTls, type ReadFile } from "./deriveTls";
import { deriveMonitoring } from "./monitoring";
import { locationOf, priorityOf } from "./nodeDefaults";
import type { RawCluster, RawInventory, RawNode } from "./schema";
import type { RawLayout } from "./schemaLayout";
import type { ClusterLayout, ClusterSpec, Family, NodeSpec } from "./types";

/** What an inventory says of families, defaults filled in or not. */
interface FamilyWords {
  readonly defaults?: { readonly family?: Family };
  readonly hosts?: Readonly<Record<string, { readonly family?: Family } | undefined>>;
}

/** The name of the stack secret with the password of the role repmgr. */
export function repmgrSecret(cluster: string, raw: RawCluster): string {
  return raw.repmgr.password_secret ?? `${cluster}_repmgr_password`;
}

/** PGDATA on every host of the cluster, normalised so that equal directories are equal strings. */
export function dataDirectory(cluster: string, raw: RawCluster, family: Family): string {
  const path = raw.data_directory ?? familyLayout(family).dataDirectory(raw.version, cluster);
  return plainDirectory(path);
}

/** The family of a host; of one that the inventory does not have, the default. */
export function hostFamily(host: string, { hosts, defaults }: FamilyWords): Family {
  return hosts?.[host]?.family ?? defaults?.family ?? DEFAULTS.family;
}

/** The family of a cluster's hosts: they all have the same. */
export function clusterFamily({ nodes }: Pick<RawCluster, "nodes">, inventory: FamilyWords): Family {
  return hostFamily(Object.values(nodes)[0]?.host ?? "", inventory);
}

/**
 * A cluster of a valid inventory with everything that follows from it.
 * @param read reads a file that the inventory names at a path below the cluster
 */
export function deriveCluster(name: string, raw: RawCluster, inventory: RawInventory, read: ReadFile): ClusterSpec {
  const nodes = deriveNodes(name, raw, inventory, read);
  const family = clusterFamily(raw, inventory);
  const data = dataDirectory(name, raw, family);
  const settings = deriveSettings(name, raw, family);
  return {
    name,
    version: raw.version,
    port: raw.port,
    family,
    dataDirectory: data,
    layout: raw.layout && deriveLayout(raw.layout),
    nodes,
    settings,
    hba: deriveHba(raw, nodes),
    hbaLines: raw.hba_lines,
    clients: raw.clients,
    tls: raw.tls && deriveTls(raw.tls, read),
    failover: raw.failover,
    packageVersion: raw.package_version,
    preferredPrimary: raw.preferred_primary,
    switchBack: raw.rolling.switch_back,
    restartsForUnit: raw.rolling.unit_changes,
    limits: {
      openFiles: raw.limits.open_files ?? LIMITS.openFiles,
      oomScoreAdjust: raw.limits.oom_score_adjust ?? LIMITS.oomScoreAdjust,
    },
    fencing: deriveFencing(raw),
    startWithoutPeers: raw.start_without_peers,
    eventCommand: raw.events.command,
    synchronous: raw.synchronous,
    monitoring: deriveMonitoring(raw.monitoring, data, certificateFiles(name, raw, { family, settings })),
    repmgrOptions: deriveRepmgrOptions(raw),
    repmgrPasswordSecret: repmgrSecret(name, raw),
    ...(raw.repmgr.superuser ? {} : { limitedRole: true }),
    roles: deriveRoles(raw),
    tablespaces: deriveTablespaces(raw),
    databases: deriveDatabases(raw),
    ...(hasFailoverSlots(raw) ? { failoverSlots: failoverSlots(raw) } : {}),
    ...deriveRemoved(raw),
    hooks: { afterDeploy: raw.hooks.after_deploy },
    checksums: raw.checksums,
    protect: raw.protect,
    allowDataLoss: raw.allow_data_loss,
  };
}

/** Those of a node that may expire. */
function certificateFiles(
  cluster: string,
  { tls }: RawCluster,
  { family, settings }: Pick<ClusterSpec, "family" | "settings">,
): string[] {
  const { loginCertificate } = clusterPaths({ family, cluster, dataDirectory: "" });
  const hasLogins = tls !== undefined && tls.replication_certificates !== "none";
  return [settings.ssl_cert_file ?? [], hasLogins ? loginCertificate : []].flat();
}

function deriveNodes(cluster: string, raw: RawCluster, inventory: RawInventory, read: ReadFile): NodeSpec[] {
  const nodes = Object.entries(raw.nodes).map(([name, node]) => ({
    name,
    id: node.id,
    host: node.host,
    address: node.address ?? inventory.hosts[node.host]?.address ?? "",
    initialRole: node.role,
    priority: priorityOf(node),
    location: locationOf(raw, node),
    upstream: node.upstream,
    ...withSlots(raw, [name, node], delayed(raw, node)),
    repmgrOptions: Object.fromEntries(Object.entries(node.repmgr).map(([option, value]) => [option, String(value)])),
    tls: deriveNodeTls(cluster, raw, [name, node], inventory.hosts, read),
  }));
  return nodes.sort((a, b) => a.id - b.id);
}

function withSlots<T extends Pick<NodeSpec, "settings">>(raw: RawCluster, of: [string, RawNode], own: T): T {
  return { ...own, settings: { ...own.settings, ...slotSettings(raw, of) } };
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
