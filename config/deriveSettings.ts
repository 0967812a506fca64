import { clusterPaths } from "../families";
import { deriveFencing } from "./deriveFencing";
import type { RawCluster } from "./schema";
import type { Family } from "./types";

/** A setting as postgresql.conf wants it, without quotes. */
export function canonicalValue(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}

export function canonicalValues(values: RawCluster["settings"]): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, canonicalValue(value)]));
}

/** Least values that a cluster of this many nodes needs; the program's defaults leave some room above. */
export function leastSettings(nodes: number, slots: number): Readonly<Record<string, number>> {
  return { max_wal_senders: nodes + 2, max_replication_slots: nodes + slots };
}

/** How many logical slots a cluster has, each with a reader. */
export function slotCount({ databases }: Pick<RawCluster, "databases">): number {
  return Object.values(databases).reduce((sum, { slots = {} }) => sum + Object.keys(slots).length, 0);
}

/** The libraries to load at start: repmgr first, then the user's in their order. */
export function preloadLibraries(own: string | undefined): string {
  const libraries = (own ?? "").split(",").map((library) => library.trim());
  return [...new Set(["repmgr", ...libraries.filter((library) => library !== "")])].join(",");
}

/** The managed part of postgresql.conf: defaults, what repmgr and the program need, and the user's own settings. */
export function deriveSettings(cluster: string, raw: RawCluster, family: Family): Record<string, string> {
  const own = Object.entries(canonicalValues(raw.settings));
  if (raw.layout !== undefined) return Object.fromEntries(own);
  const settings: Record<string, string> = {
    ...overridable(Object.keys(raw.nodes).length, slotCount(raw)),
    ...crashSettings(raw),
    ...fencingSettings(raw),
    ...Object.fromEntries(own),
    ...required(cluster, raw.port),
    ...tlsSettings(cluster, raw, family),
  };
  // Then PgCluster sets it, once enough standbys stream.
  if (raw.synchronous !== undefined) delete settings.synchronous_standby_names;
  settings.shared_preload_libraries = preloadLibraries(settings.shared_preload_libraries);
  return settings;
}

function overridable(nodes: number, slots: number): Record<string, string> {
  return {
    wal_level: "replica",
    max_wal_senders: String(Math.max(10, nodes + 4 + slots)),
    max_replication_slots: String(Math.max(10, nodes + 2 + slots)),
    // Switching archive_mode needs a restart of every node, the command does not: on from the start, doing nothing.
    archive_mode: "on",
    archive_command: "/bin/true",
    // A standby that is gone must not fill the primary's disk.
    max_slot_wal_keep_size: "10GB",
    log_filename: "postgresql-%a.log",
    log_truncate_on_rotation: "on",
    log_rotation_age: "1d",
    log_rotation_size: "0",
    log_line_prefix: "%m [%p] %q%u@%d ",
  };
}

/**
 * A primary that starts anew after a crash of one of its processes asks nobody: its recovery may outlast the promotion of
 * another node, and then there are two. Ended, it meets the start guard.
 */
function crashSettings({ failover }: RawCluster): Record<string, string> {
  return failover === "automatic" ? { restart_after_crash: "off" } : {};
}

/** A primary learns in time that its standbys are gone, also when their hosts say nothing any more. */
function fencingSettings(raw: RawCluster): Record<string, string> {
  const fencing = deriveFencing(raw);
  return fencing === undefined ? {} : { wal_sender_timeout: `${fencing.walSenderTimeout}s` };
}

/** Certificate and key are one file, so that no moment leaves a server with two that do not belong together. */
function tlsSettings(cluster: string, { tls }: RawCluster, family: Family): Record<string, string> {
  if (tls === undefined) return {};
  const { certificate, authorities } = clusterPaths({ family, cluster, dataDirectory: "" });
  return {
    ssl: "on",
    ssl_cert_file: certificate,
    ssl_key_file: certificate,
    ssl_ca_file: authorities,
    ssl_min_protocol_version: tls.min_protocol,
  };
}

function required(cluster: string, port: number): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: "*",
    unix_socket_directories: "/run/postgresql",
    cluster_name: cluster,
    hot_standby: "on",
    // A name in it that no standby has makes every commit wait for ever.
    synchronous_standby_names: "",
    wal_log_hints: "on",
    full_page_writes: "on",
    password_encryption: "scram-sha-256",
    logging_collector: "on",
    log_directory: `/var/log/postgresql/${cluster}`,
  };
}
