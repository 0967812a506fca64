import { conninfoValue } from "../ssh/quote";
import { DEFAULTS } from "./defaults";
import { deriveFencing } from "./deriveFencing";
import type { RawCluster } from "./schema";
import type { ClusterSpec, NodeSpec } from "./types";

/** Where a node finds what repmgr.conf names; absolute paths on the host. */
export interface RepmgrPaths {
  /** "/usr/lib/postgresql/17/bin" */
  readonly binDirectory: string;
  readonly configFile: string;
  readonly passFile: string;
  readonly authorities: string;
  readonly loginCertificate: string;
  readonly failoverValidation: string;
  readonly promote: string;
  readonly fence: string;
  readonly event: string;
}

/** Options of repmgr.conf that are one for all nodes: our defaults under the user's own. */
export function deriveRepmgrOptions(raw: RawCluster): Record<string, string> {
  const own = Object.entries(raw.repmgr.options).map(([name, value]) => [name, String(value)] as const);
  if (raw.layout !== undefined) return Object.fromEntries(own);
  return {
    log_level: "INFO",
    monitor_interval_secs: "2",
    // Every standby would write a row every two seconds, to a table that only grows and that nothing here reads.
    monitoring_history: "false",
    connection_check_type: "ping",
    reconnect_attempts: "6",
    reconnect_interval: "10",
    // Without it a standby that lost the primary promotes itself although others still see the primary.
    primary_visibility_consensus: String(raw.failover === "automatic"),
    ...fencingOptions(raw),
    ssh_options: "-q -o ConnectTimeout=10 -o BatchMode=yes",
    ...Object.fromEntries(own),
  };
}

/** When repmgrd on the primary runs the fence; that decides itself whether the primary has to stop. */
function fencingOptions(raw: RawCluster): Record<string, string> {
  const fencing = deriveFencing(raw);
  if (fencing === undefined) return {};
  return {
    child_nodes_check_interval: String(fencing.checkInterval),
    child_nodes_connected_min_count: "1",
    child_nodes_connected_include_witness: "false",
    child_nodes_disconnect_timeout: String(fencing.disconnectTimeout),
  };
}

/**
 * The complete repmgr.conf of a node in the order of repmgr's own sample; values are unquoted.
 * Commands carry full paths, because repmgrd runs them without a PATH of ours.
 */
export function repmgrConf(cluster: ClusterSpec, node: NodeSpec, paths: RepmgrPaths): Record<string, string> {
  if (cluster.layout !== undefined) return keptConf(cluster, node);
  const repmgr = `${paths.binDirectory}/repmgr`;
  return {
    node_id: String(node.id),
    node_name: node.name,
    conninfo: nodeConninfo(cluster, node, paths),
    data_directory: cluster.dataDirectory,
    pg_bindir: paths.binDirectory,
    passfile: paths.passFile,
    log_facility: "STDERR",
    use_replication_slots: "true",
    failover: cluster.failover,
    priority: String(node.priority),
    location: node.location,
    promote_command: paths.promote,
    follow_command: `${repmgr} standby follow -f ${paths.configFile} --log-to-file --upstream-node-id=%n`,
    repmgrd_pid_file: `/run/repmgrd-${cluster.name}/repmgrd.pid`,
    ...serviceCommands(cluster.name),
    ...scripts(cluster, paths),
    ...cluster.repmgrOptions,
  };
}

/** Placeholders are repmgr's own; no cluster's path holds what a shell would read otherwise. */
function scripts(cluster: ClusterSpec, paths: RepmgrPaths): Record<string, string> {
  return {
    ...(cluster.failover === "automatic" ? { failover_validation_command: `${paths.failoverValidation} %n` } : {}),
    ...(cluster.fencing === undefined ? {} : { child_nodes_disconnect_command: `${paths.fence} watch` }),
    event_notification_command: `${paths.event} %n %e %s "%t" "%d"`,
  };
}

/** The repmgr.conf that others wrote: what the inventory says in words of its own, then the options as they stand. */
function keptConf({ dataDirectory, failover, repmgrOptions }: ClusterSpec, node: NodeSpec): Record<string, string> {
  return {
    node_id: String(node.id),
    node_name: node.name,
    data_directory: dataDirectory,
    ...(failover === "manual" ? {} : { failover }),
    ...(node.priority === DEFAULTS.priority ? {} : { priority: String(node.priority) }),
    ...(node.location === DEFAULTS.location ? {} : { location: node.location }),
    ...repmgrOptions,
    ...node.repmgrOptions,
  };
}

/**
 * A query whose answer never comes, because the link is cut or the host is gone, fails within ten seconds: repmgrd has no
 * deadline of its own for it, and looks at nothing else meanwhile.
 * libpq parameters: PostgreSQL documentation, 34.1.2 "Parameter Key Words".
 */
const SILENCE = { keepalives_idle: 5, keepalives_interval: 1, keepalives_count: 5, tcp_user_timeout: 5_000 } as const;

/** How every node, and repmgr on it, reaches a node's database repmgr. Holds no password. */
export function nodeConninfo(
  cluster: ClusterSpec,
  node: NodeSpec,
  { passFile, authorities, loginCertificate }: Pick<RepmgrPaths, "passFile" | "authorities" | "loginCertificate">,
): string {
  if (node.repmgrOptions.conninfo !== undefined) return node.repmgrOptions.conninfo;
  const parts = { host: node.address, port: cluster.port, user: "repmgr", dbname: "repmgr", connect_timeout: 2 };
  const checks = cluster.tls?.areNodesVerified === true ? { sslmode: "verify-full", sslrootcert: authorities } : {};
  const hasLogin = cluster.tls?.loginCertificates !== undefined;
  const shows = hasLogin ? { sslcert: loginCertificate, sslkey: loginCertificate } : {};
  const pairs = Object.entries({ ...parts, ...SILENCE, passfile: passFile, ...checks, ...shows });
  return pairs.map(([key, value]) => `${key}=${conninfoValue(String(value))}`).join(" ");
}

type ServiceOption =
  `service_${"start" | "stop" | "restart" | "reload"}_command` | `repmgrd_service_${"start" | "stop"}_command`;

/** The exact commands that the sudoers file of the cluster has to allow. */
export function serviceCommands(cluster: string): Record<ServiceOption, string> {
  const systemctl = (verb: string, unit: string) => `/usr/bin/sudo /usr/bin/systemctl ${verb} ${unit}`;
  const postgres = `postgresql-${cluster}`;
  const repmgrd = `repmgrd-${cluster}`;
  return {
    service_start_command: systemctl("start", postgres),
    service_stop_command: systemctl("stop", postgres),
    service_restart_command: systemctl("restart", postgres),
    service_reload_command: systemctl("reload", postgres),
    repmgrd_service_start_command: systemctl("start", repmgrd),
    repmgrd_service_stop_command: systemctl("stop", repmgrd),
  };
}
