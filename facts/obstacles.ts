import { jsonProbe } from "./jsonProbe";
import type { Probe } from "./probe";

/** What pg_upgrade would stumble over, or leave behind without a word. */
export interface Obstacles {
  /** Of all databases together, without what is in tablespaces. */
  readonly bytes: number;
  readonly tablespaces: readonly { readonly name: string; readonly directory: string; readonly bytes: number }[];
  readonly preparedTransactions: number;
  /** Slots that are not those of the cluster's own nodes: no slot is carried over from before 17. */
  readonly foreignSlots: readonly string[];
}

const SQL = `select json_build_object(
  'bytes', (select sum(pg_tablespace_size(oid)) from pg_tablespace where spcname ~ '^pg_'),
  'tablespaces', (select coalesce(json_agg(json_build_object('name', spcname, 'directory', pg_tablespace_location(oid),
    'bytes', pg_tablespace_size(oid)) order by spcname), '[]') from pg_tablespace where spcname !~ '^pg_'),
  'preparedTransactions', (select count(*) from pg_prepared_xacts),
  'foreignSlots', (select coalesce(json_agg(slot_name order by slot_name), '[]') from pg_replication_slots
    where slot_type <> 'physical' or slot_name !~ '^repmgr_slot_[0-9]+$'))`;

/** @param psql shell that starts psql with -XAtq as postgres, ready for more options */
export function obstaclesProbe(psql: string): Probe<Obstacles> {
  return jsonProbe("obstacles", psql, SQL);
}
