const FROM_TOPOLOGY = "it follows from the topology";
const RECOVERY = "repmgr decides whom a node follows";
const FILES = "the program decides where files lie";

/** Settings of postgresql.conf that a person may not set, and why. */
export const MANAGED_SETTINGS: Readonly<Record<string, string>> = {
  port: "set 'port' of the cluster",
  listen_addresses: "it is one for all hosts; pg_hba.conf and the firewall decide who gets in",
  cluster_name: FROM_TOPOLOGY,
  hot_standby: "repmgr reads from standbys",
  wal_log_hints: "pg_rewind needs it on",
  full_page_writes: "pg_rewind needs it on",
  fsync: "off loses data when a host loses power",
  password_encryption: "passwords are kept as scram-sha-256",
  primary_conninfo: RECOVERY,
  primary_slot_name: RECOVERY,
  restore_command: "set it under 'repmgr.options'",
  archive_cleanup_command: "set it under 'repmgr.options'",
  recovery_min_apply_delay: "set 'delay' of the node",
  recovery_end_command: RECOVERY,
  promote_trigger_file: RECOVERY,
  synchronous_standby_names: "set 'synchronous' of the cluster",
  data_directory: "set 'data_directory' of the cluster",
  hba_file: FILES,
  ident_file: FILES,
  config_file: FILES,
  external_pid_file: FILES,
  unix_socket_directories: FILES,
  logging_collector: FILES,
  log_directory: FILES,
  include: "put your own include file on the hosts; it survives",
  include_dir: "put your own include file on the hosts; it survives",
  include_if_exists: "put your own include file on the hosts; it survives",
};

/** Why a setting is managed, undefined when a person may set it. */
export function managedSetting(name: string): string | undefined {
  if (name.startsWith("recovery_target")) return RECOVERY;
  return Object.hasOwn(MANAGED_SETTINGS, name) ? MANAGED_SETTINGS[name] : undefined;
}

/** The same for a cluster that was built by others, whose settings are all in the inventory. */
export function keptSetting(name: string): string | undefined {
  const managed = managedSetting(name);
  return managed === RECOVERY || name.startsWith("include") ? managed : undefined;
}

type OptionKind = "text" | "boolean" | { readonly min: number } | readonly string[];

/** Options of repmgr.conf that a person may set; known to repmgr 5.3 and 5.5 alike. */
export const REPMGR_OPTIONS: Readonly<Record<string, OptionKind>> = {
  replication_lag_warning: { min: 1 },
  replication_lag_critical: { min: 1 },
  archive_ready_warning: { min: 1 },
  archive_ready_critical: { min: 1 },
  log_level: ["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "ALERT", "CRIT", "EMERG"],
  log_status_interval: { min: 0 },
  pg_basebackup_options: "text",
  restore_command: "text",
  archive_cleanup_command: "text",
  promote_check_timeout: { min: 1 },
  promote_check_interval: { min: 1 },
  primary_follow_timeout: { min: 1 },
  standby_follow_timeout: { min: 1 },
  standby_follow_restart: "boolean",
  shutdown_check_timeout: { min: 1 },
  standby_reconnect_timeout: { min: 1 },
  wal_receive_check_timeout: { min: 1 },
  node_rejoin_timeout: { min: 1 },
  witness_sync_interval: { min: 1 },
  monitor_interval_secs: { min: 1 },
  reconnect_attempts: { min: 1 },
  reconnect_interval: { min: 1 },
  monitoring_history: "boolean",
  degraded_monitoring_timeout: { min: 1 },
  async_query_timeout: { min: 0 },
  primary_notification_timeout: { min: 0 },
  repmgrd_standby_startup_timeout: { min: 0 },
  repmgrd_exit_on_inactive_node: "boolean",
  standby_disconnect_on_failover: "boolean",
  sibling_nodes_disconnect_timeout: { min: 0 },
  connection_check_type: ["ping", "connection", "query"],
  primary_visibility_consensus: "boolean",
  failover_validation_command: "text",
  election_rerun_interval: { min: 1 },
  child_nodes_check_interval: { min: 1 },
  child_nodes_disconnect_min_count: { min: -1 },
  child_nodes_connected_min_count: { min: -1 },
  child_nodes_connected_include_witness: "boolean",
  child_nodes_disconnect_timeout: { min: 0 },
  child_nodes_disconnect_command: "text",
  event_notification_command: "text",
  event_notifications: "text",
  rsync_options: "text",
  ssh_options: "text",
};

/** repmgr's own, where the timing of a failover depends on them and a repmgr.conf says nothing (repmgr.conf.sample). */
export const REPMGR_DEFAULTS = {
  reconnect_attempts: "6",
  reconnect_interval: "10",
  monitor_interval_secs: "2",
  primary_notification_timeout: "60",
} as const;

const IDENTITY = "it follows from the topology";
const SERVICE = "the program owns the units";

/** Options of repmgr.conf that a person may not set, and why. */
export const MANAGED_REPMGR_OPTIONS: Readonly<Record<string, string>> = {
  node_id: IDENTITY,
  node_name: IDENTITY,
  conninfo: IDENTITY,
  data_directory: IDENTITY,
  config_directory: IDENTITY,
  replication_user: IDENTITY,
  replication_type: IDENTITY,
  pg_bindir: IDENTITY,
  repmgr_bindir: IDENTITY,
  passfile: IDENTITY,
  use_primary_conninfo_password: "passwords stand in the password file",
  use_replication_slots: "a standby must not lose its place",
  failover: "set 'failover' of the cluster",
  priority: "set 'priority' of the node",
  location: "set 'location' of the node",
  recovery_min_apply_delay: "set 'delay' of the node",
  promote_command: "it must name this cluster's files",
  follow_command: "it must name this cluster's files",
  always_promote: "it promotes a standby that lacks data",
  log_facility: "the journal of the unit is the log",
  log_file: "the journal of the unit is the log",
  repmgrd_pid_file: SERVICE,
  pg_ctl_options: SERVICE,
  service_start_command: SERVICE,
  service_stop_command: SERVICE,
  service_restart_command: SERVICE,
  service_reload_command: SERVICE,
  service_promote_command: SERVICE,
  repmgrd_service_start_command: SERVICE,
  repmgrd_service_stop_command: SERVICE,
};
