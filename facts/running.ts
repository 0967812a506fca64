import { RIGHTS_SINCE, RIGHTS_SQL, type RepmgrRights } from "./repmgrRights";

/** A managed setting as the running server sees it. */
export interface LiveSetting {
  readonly setting: string;
  readonly context: string;
  readonly sourceFile: string | null;
  readonly pendingRestart: boolean;
}

/** What the files hold, whether the server has read it yet or not. */
export interface FileSetting {
  readonly setting: string;
  /** The file that wins: postgresql.auto.conf over postgresql.conf over what that includes first. */
  readonly sourceFile: string;
}

export interface WalReceiver {
  readonly status: string;
  readonly senderHost: string | null;
  readonly senderPort: number | null;
  readonly slot: string | null;
}

export interface Replica {
  readonly name: string;
  readonly state: string;
  readonly syncState: string;
  readonly lagBytes: number;
}

export interface Slot {
  readonly name: string;
  readonly active: boolean;
  readonly walStatus: string | null;
  /** Undefined is as good as false. */
  readonly isLogical?: boolean;
  /** Of a logical one, from PostgreSQL 17 on; absent before. */
  readonly copy?: SlotCopy | null;
}

/** What of a logical slot is for a failover. */
export interface SlotCopy {
  /** Standbys keep copies of it. */
  readonly failover: boolean;
  /** It is a copy of the primary's, or was one before its node was promoted. */
  readonly synced: boolean;
  /** A copy that is not ready: it goes when its node is promoted. */
  readonly temporary: boolean;
  /** Why nobody can read from it any more; null while somebody can. */
  readonly invalid: string | null;
}

/** What repmgr needs of its role; all roles are read on the primary alone (content.ts). */
export interface RepmgrRoleFact {
  readonly name: string;
  readonly login: boolean;
  readonly superuser: boolean;
  readonly replication: boolean;
  /** The SCRAM verifier; never leaves the provider's memory. */
  readonly verifier: string | null;
}

/** What SQL says of a running instance. */
export interface RunningFacts {
  readonly inRecovery: boolean;
  /** Of the WAL written (primary) or received (standby). */
  readonly timeline: number;
  readonly lsn: string;
  /** "17.6 (Debian 17.6-1.pgdg13+1)": what runs, whatever is installed by now. */
  readonly version?: string;
  /** Position in the WAL in bytes, to compare nodes. */
  readonly walBytes: number;
  /**
   * Where the oldest WAL that it still has begins, in the same bytes; absent is as good as unknown. Once the beginning of its
   * timeline is gone, what lies about of older ones, such as after a rewind, leads nobody there.
   */
  readonly oldestWalBytes?: number | null;
  /** When the configuration files were last loaded; seconds since 1970. */
  readonly configurationLoadedAt: number;
  /** Those set in a file, those that wait for a restart, and all that only a restart can change. */
  readonly settings: Readonly<Record<string, LiveSetting>>;
  readonly fileSettings: Readonly<Record<string, FileSetting>>;
  readonly hbaErrors: readonly string[];
  readonly walReceiver: WalReceiver | null;
  /** It holds WAL that it must not replay yet; undefined is as good as false. */
  readonly waitsToApply?: boolean;
  readonly replicas: readonly Replica[];
  readonly slots: readonly Slot[];
  /** The role repmgr, or none. */
  readonly roles: readonly RepmgrRoleFact[];
  readonly hasRepmgr: boolean;
}

/** A row of repmgr.nodes. */
export interface RegisteredNode {
  readonly id: number;
  readonly name: string;
  readonly type: "primary" | "standby" | "witness";
  readonly upstream: number | null;
  readonly active: boolean;
  readonly conninfo: string;
  readonly priority: number;
  readonly location: string;
  readonly slot: string | null;
}

/** A row of repmgr.events about who became primary, or did not. */
export interface PrimaryEvent {
  /** "2026-11-24T11:13:33Z" */
  readonly at: string;
  readonly nodeId: number;
  /** repmgr's own word; PRIMARY_EVENTS are those asked for. */
  readonly event: string;
  readonly successful: boolean;
  readonly details: string;
}

/** Names of repmgr 5's events that tell the history of primaries (repmgr-action-*.c, repmgrd-physical.c). */
const PRIMARY_EVENTS = [
  ...["cluster_created", "primary_register", "standby_promote", "standby_switchover"],
  ...["repmgrd_failover_promote", "repmgrd_promote_error", "repmgrd_failover_aborted"],
];
const LAST_EVENTS = 20;

/**
 * One JSON object on one line; the columns exist in PostgreSQL 13 to 17. The last line of a timeline's history file says where
 * it began; the first has none (PostgreSQL documentation, 25.3.6 "Timelines").
 */
export const RUNNING_SQL = `select json_build_object(
  'inRecovery', pg_is_in_recovery(),
  'timeline', l.timeline,
  'version', current_setting('server_version'),
  'lsn', l.lsn::text,
  'walBytes', pg_wal_lsn_diff(l.lsn, '0/0'),
  'oldestWalBytes', (select case when min(start) filter (where of = own.hex) > own.began
      then min(start) filter (where of = own.hex) else min(start) end
    from (select substr(name, 1, 8) as of, ('x' || substr(name, 9, 8))::bit(32)::bigint * 4294967296
        + ('x' || substr(name, 17))::bit(32)::bigint * pg_size_bytes(current_setting('wal_segment_size')) as start
      from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$') segment,
    (select hex, pg_wal_lsn_diff(substring(pg_read_file('pg_wal/' || hex || '.history', 0, 1048576, true)
        from E'\\t([0-9A-F]+/[0-9A-F]+)\\t[^\\n]*\\n*$')::pg_lsn, '0/0') as began
      from (select lpad(upper(to_hex(l.timeline)), 8, '0') as hex) h) own
    group by own.hex, own.began),
  'configurationLoadedAt', extract(epoch from pg_conf_load_time())::float8,
  'settings', (select json_object_agg(name, json_build_object('setting', current_setting(name), 'context', context,
      'sourceFile', sourcefile, 'pendingRestart', pending_restart))
    from pg_settings where sourcefile is not null or pending_restart or context = 'postmaster'),
  'fileSettings', (select coalesce(json_object_agg(name, json_build_object('setting', setting, 'sourceFile', sourcefile)), '{}')
    from (select distinct on (name) name, coalesce(setting, '') as setting, sourcefile from pg_file_settings
      where name is not null order by name, seqno desc) f),
  'hbaErrors', (select coalesce(json_agg(format('line %s: %s', line_number, error)), '[]') from pg_hba_file_rules where error is not null),
  'walReceiver', (select json_build_object('status', status, 'senderHost', sender_host, 'senderPort', sender_port,
      'slot', slot_name) from pg_stat_wal_receiver),
  'waitsToApply', exists (select from pg_stat_activity where backend_type = 'startup' and wait_event = 'RecoveryApplyDelay'),
  'replicas', (select coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'syncState', sync_state,
      'lagBytes', coalesce(pg_wal_lsn_diff(l.lsn, replay_lsn), 0))), '[]') from pg_stat_replication),
  'slots', (select coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'walStatus', wal_status,
      'isLogical', slot_type = 'logical', 'copy', case when slot_type = 'logical' and to_jsonb(s) ? 'synced' then
        json_build_object('failover', to_jsonb(s)->'failover', 'synced', to_jsonb(s)->'synced', 'temporary', temporary,
        'invalid', to_jsonb(s)->'invalidation_reason') end)), '[]') from pg_replication_slots s),
  'roles', (select coalesce(json_agg(json_build_object('name', rolname, 'login', rolcanlogin, 'superuser', rolsuper,
      'replication', rolreplication, 'verifier', rolpassword)), '[]') from pg_authid where rolname = 'repmgr'),
  'hasRepmgr', exists (select from pg_database where datname = 'repmgr'))::jsonb::text
from (select case when pg_is_in_recovery()
    then coalesce(pg_last_wal_replay_lsn(), '0/0') else pg_current_wal_lsn() end as lsn,
  case when pg_is_in_recovery()
    then coalesce((select received_tli from pg_stat_wal_receiver), (select timeline_id from pg_control_checkpoint()))
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int end as timeline) l;`;

/** What the repmgr extension of one instance knows. */
export interface RepmgrFacts {
  readonly nodes: readonly RegisteredNode[];
  /** The last ones, oldest first; undefined is as good as none. */
  readonly events?: readonly PrimaryEvent[];
  /** Kept in shared memory; undefined when the library is not loaded. */
  readonly paused?: boolean;
  /** repmgrd has seen the upstream at least once since this PostgreSQL was started; undefined is as good as yes. */
  readonly watched?: boolean;
  /** Of a role repmgr that is no superuser, where it can have what it needs all the same. */
  readonly rights?: RepmgrRights | null;
}

/**
 * One JSON object on one line after "repmgr=", or nothing when the extension is not in the database. Its functions fail where
 * somebody took the package away; its tables are there all the same.
 */
export const REPMGR_SQL = `select to_regclass('repmgr.nodes') is not null as installed, case when exists (select from pg_roles
    where rolname = 'repmgr' and not rolsuper and current_setting('server_version_num')::int >= ${RIGHTS_SINCE}0000)
  then $rights$${RIGHTS_SQL}$rights$ else 'null::json' end as rights \\gset
\\if :installed
\\set paused ''
\\set watched ''
\\set ON_ERROR_STOP off
select coalesce(repmgr.repmgrd_is_paused()::text, '') as paused, repmgr.get_upstream_last_seen() >= 0 as watched \\gset
\\set ON_ERROR_STOP on
\\echo -n repmgr=
select json_build_object('paused', nullif(:'paused', '')::bool, 'watched', nullif(:'watched', '')::bool, 'rights', :rights, 'nodes', (select coalesce(json_agg(json_build_object('id', node_id, 'name', node_name, 'type', type, 'upstream', upstream_node_id,
  'active', active, 'conninfo', conninfo, 'priority', priority, 'location', location, 'slot', slot_name)
  order by node_id), '[]') from repmgr.nodes), 'events', (select coalesce(json_agg(json_build_object(
  'at', to_char(event_timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'nodeId', node_id, 'event', event,
  'successful', successful, 'details', left(coalesce(details, ''), 200)) order by event_timestamp), '[]')
  from (select * from repmgr.events where event in (${PRIMARY_EVENTS.map((event) => `'${event}'`).join(", ")})
    order by event_timestamp desc limit ${LAST_EVENTS}) last))::jsonb::text;
\\endif`;

/** @throws Error when the server's answer is not the JSON that RUNNING_SQL makes */
export function parseRunning(json: string): RunningFacts {
  const value = JSON.parse(json) as RunningFacts;
  if (typeof value.inRecovery !== "boolean" || typeof value.timeline !== "number") {
    throw new Error(`unexpected answer from SQL: ${json.slice(0, 120)}`);
  }
  return value;
}
