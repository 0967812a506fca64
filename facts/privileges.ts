import { sqlLiteral } from "../ssh/quote";
import { byDatabaseProbe } from "./byDatabase";
import type { Probe } from "./probe";

export type GrantTarget = "database" | "schema" | "tables" | "sequences" | "functions";

/** A privilege that somebody has on so many objects of a kind. */
export interface PrivilegeFact {
  readonly on: GrantTarget;
  /** null: the database's own, or a default privilege for all schemas. */
  readonly schema: string | null;
  /** Of a default privilege, the role that will make the objects. */
  readonly by: string | null;
  /** "public" is everybody. */
  readonly to: string;
  /** "select" */
  readonly privilege: string;
  readonly count: number;
  /** So many of them belong to somebody else, who has given it; the owner has every privilege by itself. */
  readonly given: number;
}

export interface ObjectCount {
  readonly on: GrantTarget;
  readonly schema: string | null;
  readonly count: number;
}

export interface PrivilegesFact {
  readonly privileges: readonly PrivilegeFact[];
  readonly objects: readonly ObjectCount[];
}

/** Which schemas of a database are asked about. */
export interface PrivilegesQuestion {
  readonly database: string;
  readonly schemas: readonly string[];
}

/** Counted on the server: a schema of ten thousand tables answers with a few lines. */
const sqlOf = (schemas: readonly string[]): string => `with asked as (
  select oid, nspname, nspowner, nspacl from pg_namespace where nspname = any (array[${schemas.map(sqlLiteral).join(", ")}]::text[])
), objects as (
  select 'database' as kind, null as schema, datdba as owner, coalesce(datacl, acldefault('d', datdba)) as acl
    from pg_database where datname = current_database()
  union all select 'schema', nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)) from asked
  union all select case relkind when 'S' then 'sequences' else 'tables' end, nspname, relowner,
      coalesce(relacl, acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner))
    from pg_class c join asked on asked.oid = relnamespace where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all select 'functions', nspname, proowner, coalesce(proacl, acldefault('f', proowner))
    from pg_proc p join asked on asked.oid = pronamespace where prokind <> 'p'
), given as (
  select kind, schema, null as by, owner, (aclexplode(acl)).* from objects
  union all select case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' else 'functions' end,
      nspname, pg_get_userbyid(defaclrole), defaclrole, (aclexplode(defaclacl)).*
    from pg_default_acl left join pg_namespace n on n.oid = defaclnamespace where defaclobjtype in ('r', 'S', 'f')
)
select json_build_object('objects', (select json_agg(json_build_object('on', kind, 'schema', schema, 'count', n))
    from (select kind, schema, count(*) as n from objects group by 1, 2) counted),
  'privileges', (select coalesce(json_agg(json_build_object('on', kind, 'schema', schema, 'by', by, 'to', grantee,
      'privilege', privilege, 'count', n, 'given', m)), '[]')
    from (select kind, schema, by, case when grantee = 0 then 'public' else pg_get_userbyid(grantee) end as grantee,
        lower(privilege_type) as privilege, count(*) as n, count(*) filter (where grantee <> owner) as m
      from given group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5) counted))::jsonb::text;`;

/**
 * Who may do what in some databases, by name.
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 */
export function privilegesProbe(
  psql: string,
  questions: readonly PrivilegesQuestion[],
): Probe<Readonly<Record<string, PrivilegesFact>>> {
  return byDatabaseProbe("privileges", psql, questions, ({ schemas }) => sqlOf(schemas));
}
