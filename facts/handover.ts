import { jsonProbe } from "./jsonProbe";
import type { Probe } from "./probe";

/** What decides whether one node may hand the writes over to another at this moment, as the node itself says. */
export interface HandoverFacts {
  /** Age of the oldest transaction of a client, prepared ones with them, in seconds; 0 without one. */
  readonly oldestTransactionSeconds: number;
  /** WAL files that wait to be archived; PostgreSQL does not stop before they are. */
  readonly unarchived: number;
  /** The last attempt to archive has failed. */
  readonly isArchivingBroken: boolean;
  readonly baseBackups: number;
  /** Whoever reads from them would lose the place where nobody has copies. */
  readonly logicalSlots: readonly string[];
  /** Copies of another node's slots from which somebody could read once this node is promoted. */
  readonly copiedSlots?: readonly string[];
  readonly isReplayPaused: boolean;
  /** recovery_min_apply_delay in milliseconds. */
  readonly applyDelayMs: number;
}

const SQL = `select json_build_object(
  'oldestTransactionSeconds', greatest(0, extract(epoch from clock_timestamp() - least(
    (select min(xact_start) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()),
    (select min(prepared) from pg_prepared_xacts))), 0)::int,
  'unarchived', case when pg_is_in_recovery() or current_setting('archive_mode') = 'off' then 0
    else (select count(*) from pg_ls_archive_statusdir() where name like '%.ready') end,
  'isArchivingBroken', current_setting('archive_mode') <> 'off' and not pg_is_in_recovery() and
    (select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) from pg_stat_archiver),
  'baseBackups', (select count(*) from pg_stat_progress_basebackup),
  'logicalSlots', (select coalesce(json_agg(slot_name order by slot_name), '[]') from pg_replication_slots
    where slot_type = 'logical' and not temporary),
  'copiedSlots', (select coalesce(json_agg(slot_name order by slot_name), '[]') from pg_replication_slots s
    where not temporary and (to_jsonb(s)->>'synced')::bool and to_jsonb(s)->>'invalidation_reason' is null),
  'isReplayPaused', case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end,
  'applyDelayMs', (select setting::bigint from pg_settings where name = 'recovery_min_apply_delay'))`;

/** @param psql shell that starts psql with -XAtq as postgres, ready for more options */
export function handoverProbe(psql: string): Probe<HandoverFacts> {
  return jsonProbe("handover", psql, SQL);
}
