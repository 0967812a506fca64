/** What a role repmgr that is no superuser may, held against what repmgr and this program's scripts need. */
export interface RepmgrRights {
  /** "execute on pg_promote(boolean,integer)" */
  readonly lacks: readonly string[];
  /** What nobody needs of it: "createdb", "the role pg_write_all_data", "owner of 12 objects". */
  readonly exceeds: readonly string[];
}

/** The first PostgreSQL in which all of it can be granted: CHECKPOINT before it is for superusers alone. */
export const RIGHTS_SINCE = 15;

/** Sees all that goes on and every setting (repmgr documentation, "Database roles"); a checkpoint; from 16 on, the last connections. */
export const RIGHTS_ROLES = ["pg_monitor", "pg_checkpoint", "pg_use_reserved_connections"] as const;

/**
 * Promotion and a paused replay (repmgr documentation, "Function permissions"), and the four that pg_rewind reads its source
 * with (PostgreSQL documentation, pg_rewind, "Notes").
 */
export const RIGHTS_FUNCTIONS = [
  "pg_promote(boolean, integer)",
  "pg_wal_replay_resume()",
  "pg_ls_dir(text, boolean, boolean)",
  "pg_stat_file(text, boolean)",
  "pg_read_binary_file(text)",
  "pg_read_binary_file(text, bigint, bigint, boolean)",
] as const;

/** On the tables of the extension. Without TRIGGER: what it fired would run as whoever writes there. */
export const RIGHTS_TABLES = ["select", "insert", "update", "delete", "truncate"] as const;

const list = (texts: readonly string[]): string => `array[${texts.map((text) => `'${text}'`).join(", ")}]`;

/** An expression in the database repmgr, where its extension is, of a server that has all of it; a JSON object. */
export const RIGHTS_SQL = `(with me as (select * from pg_roles where rolname = 'repmgr'), needs(what, has) as (
    select 'the role ' || g.rolname, pg_has_role(me.oid, g.oid, 'usage') from me, pg_roles g where g.rolname = any (${list(RIGHTS_ROLES)})
    union all select 'execute on ' || f, has_function_privilege(me.oid, f, 'execute') from me, unnest(${list(RIGHTS_FUNCTIONS)}) f
    union all select 'usage on schema repmgr', has_schema_privilege(me.oid, 'repmgr', 'usage') from me
    union all select p || ' on ' || relname, has_table_privilege(me.oid, c.oid, p) from me, unnest(${list(RIGHTS_TABLES)}) p, pg_class c
      where relnamespace = 'repmgr'::regnamespace and relkind in ('r', 'v')
  ), beyond(what, has) as (
    select 'createdb', rolcreatedb from me union all select 'createrole', rolcreaterole from me
    union all select 'bypassrls', rolbypassrls from me
    union all select 'create in the database', has_database_privilege(oid, current_database(), 'create') from me
    union all select 'the role ' || g.rolname, true from me join pg_auth_members m on m.member = me.oid
      join pg_roles g on g.oid = m.roleid where g.rolname <> all (${list(RIGHTS_ROLES)})
    union all select 'owner of ' || count(*) || ' objects', count(*) > 0 from me join pg_shdepend d on d.refobjid = me.oid
      where refclassid = 'pg_authid'::regclass and deptype = 'o' and dbid in (0, (select oid from pg_database where datname = current_database()))
  ) select json_build_object('lacks', (select coalesce(json_agg(what order by what), '[]') from needs where not has),
    'exceeds', (select coalesce(json_agg(distinct what), '[]') from beyond where has)))`;
