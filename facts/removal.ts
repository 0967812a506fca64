import { sqlLiteral } from "../ssh/quote";
import { jsonProbe } from "./jsonProbe";
import type { Probe } from "./probe";

/** What stands in the way of dropping roles, databases and tablespaces. */
export interface RemovalFact {
  /** Of others, by database. */
  readonly databaseSessions: Readonly<Record<string, number>>;
  /** By role. */
  readonly roleSessions: Readonly<Record<string, number>>;
  /** Logical slots, by database. */
  readonly slots: Readonly<Record<string, number>>;
  /** Tablespace to the databases that have files in it. */
  readonly spaces: Readonly<Record<string, readonly string[]>>;
  /** What belongs to a role, or is open to it by a grant; database "": what all share. Tablespaces are named. */
  readonly owned: readonly {
    readonly role: string;
    readonly database: string;
    readonly tablespace?: string;
    readonly objects: number;
  }[];
}

const names = (list: readonly string[]): string => `any (array[${list.map(sqlLiteral).join(", ")}]::text[])`;
const counted = (of: string, from: string): string =>
  `(select coalesce(json_object_agg(name, n), '{}') from (select ${of} as name, count(*) as n from ${from} group by 1) c)`;

/**
 * Dependencies of a role are kept in a catalog that all databases share (PostgreSQL documentation, pg_shdepend).
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 */
export function removalProbe(
  psql: string,
  { roles, databases, tablespaces }: Readonly<Record<"roles" | "databases" | "tablespaces", readonly string[]>>,
): Probe<RemovalFact> {
  return jsonProbe(
    `removal of ${JSON.stringify({ roles, databases, tablespaces })}`,
    psql,
    `select json_build_object(
  'databaseSessions', ${counted("datname", `pg_stat_activity where datname = ${names(databases)} and pid <> pg_backend_pid()`)},
  'roleSessions', ${counted("usename", `pg_stat_activity where usename = ${names(roles)}`)},
  'slots', ${counted("database", `pg_replication_slots where database = ${names(databases)}`)},
  'spaces', (select coalesce(json_object_agg(spcname, (select coalesce(json_agg(datname order by datname), '[]')
      from pg_tablespace_databases(t.oid) id join pg_database d on d.oid = id)), '{}')
    from pg_tablespace t where spcname = ${names(tablespaces)}),
  'owned', (select coalesce(json_agg(json_strip_nulls(json_build_object('role', role, 'database', database,
      'tablespace', tablespace, 'objects', n))), '[]')
    from (select rolname as role, coalesce(datname, '') as database, spcname as tablespace, count(*) as n
      from pg_shdepend s join pg_authid r on r.oid = refobjid
        left join pg_database d on d.oid = case classid when 'pg_database'::regclass then objid else dbid end
        left join pg_tablespace t on classid = 'pg_tablespace'::regclass and t.oid = objid
      where refclassid = 'pg_authid'::regclass and rolname = ${names(roles)} group by 1, 2, 3 order by 1, 2, 3) o))`,
  );
}
