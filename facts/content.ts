import { sh } from "../ssh/quote";
import type { Probe } from "./probe";

export interface Membership {
  readonly role: string;
  /** Who granted it; from 16 on one role may be granted by several. */
  readonly grantor: string;
}

export interface RoleFact {
  readonly name: string;
  readonly login: boolean;
  readonly superuser: boolean;
  readonly createdb: boolean;
  readonly createrole: boolean;
  readonly replication: boolean;
  readonly inherit: boolean;
  readonly bypassrls: boolean;
  readonly connectionLimit: number;
  /** "2027-01-01T00:00:00Z"; null and "infinity": for ever. */
  readonly validUntil: string | null;
  readonly memberOf: readonly Membership[];
  /** As ALTER ROLE ... SET keeps them, for all databases. */
  readonly settings: Readonly<Record<string, string>>;
  /** The SCRAM verifier; never leaves the provider's memory. */
  readonly verifier: string | null;
}

export interface ExtensionFact {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
  /** What the installed packages would make now; null when none brings it any more. */
  readonly available: string | null;
}

export interface SchemaFact {
  readonly name: string;
  readonly owner: string;
}

export interface PublishedTable {
  readonly schema: string;
  readonly name: string;
  /** " (id, total) where (total > 10)" where a list of columns or a filter narrows it, from 15 on; else "". */
  readonly narrowed: string;
}

export interface PublicationFact {
  readonly name: string;
  readonly owner: string;
  readonly allTables: boolean;
  /** In order of schema and name. */
  readonly tables: readonly PublishedTable[];
  /** In order of name; none before 15. */
  readonly schemas: readonly string[];
  /** In PostgreSQL's order. */
  readonly publish: readonly string[];
}

export interface TablespaceFact {
  readonly name: string;
  /** As the primary has it. */
  readonly directory: string;
  readonly owner: string;
  readonly options: Readonly<Record<string, string>>;
}

/** A replication slot that outlives its session; physical ones have no database and no plugin. */
export interface SlotFact {
  readonly name: string;
  readonly database: string | null;
  readonly plugin: string | null;
  readonly active: boolean;
  /** The WAL it was to keep is gone: nobody can read from it again. */
  readonly lost: boolean;
  /** Standbys may keep copies of it; from PostgreSQL 17 on. Undefined is as good as false. */
  readonly failover?: boolean;
}

export interface DatabaseFact {
  readonly name: string;
  readonly owner: string;
  /** "UTF8" */
  readonly encoding: string;
  readonly provider: "libc" | "icu" | "builtin";
  /** Of the provider; of libc its lc_collate. */
  readonly locale: string;
  readonly tablespace: string;
  readonly connectionLimit: number;
  /** It lets nobody in, so what is in it is not known. */
  readonly closed?: boolean;
  /** As ALTER DATABASE ... SET keeps them, for all roles. */
  readonly settings: Readonly<Record<string, string>>;
  /** In order of name. */
  readonly extensions: readonly ExtensionFact[];
  /** Those of people, in order of name. */
  readonly schemas: readonly SchemaFact[];
  /** In order of name. */
  readonly publications: readonly PublicationFact[];
}

/** What is inside an instance: roles, tablespaces, slots, and every database but the two that others are made from, in order of name. */
export interface ContentFact {
  readonly roles: readonly RoleFact[];
  /** Those of people. */
  readonly tablespaces: readonly TablespaceFact[];
  readonly databases: readonly DatabaseFact[];
  readonly slots: readonly SlotFact[];
}

/** name=value of pg_db_role_setting, an object for each role or database: a scan each would be quadratic. */
const settingsBy = (
  oid: string,
  where: string,
): string => `left join (select ${oid} as of, json_object_agg(split_part(s, '=', 1),
      substr(s, strpos(s, '=') + 1)) as settings from pg_db_role_setting, unnest(setconfig) s where ${where} group by 1) own on own.of`;

/** A database that somebody has made a template is one all the same. */
const MADE = "datname not in ('template0', 'template1')";

/**
 * One JSON object on one line: roles, and the shared part of the databases. The columns that came after PostgreSQL 13
 * (datlocprovider 15, daticulocale 15 and 16, datlocale 17) are read through the row as JSON.
 */
const SHARED_SQL = `select json_build_object(
  'roles', (select coalesce(json_agg(json_build_object('name', rolname, 'login', rolcanlogin, 'superuser', rolsuper,
      'createdb', rolcreatedb, 'createrole', rolcreaterole, 'replication', rolreplication, 'inherit', rolinherit,
      'bypassrls', rolbypassrls, 'connectionLimit', rolconnlimit, 'verifier', rolpassword,
      'validUntil', case when isfinite(rolvaliduntil)
        then to_char(rolvaliduntil at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') else rolvaliduntil::text end,
      'memberOf', (select coalesce(json_agg(json_build_object('role', pg_get_userbyid(roleid),
        'grantor', pg_get_userbyid(grantor)) order by pg_get_userbyid(roleid)), '[]') from pg_auth_members where member = r.oid),
      'settings', coalesce(own.settings, '{}')) order by rolname), '[]')
    from pg_authid r ${settingsBy("setrole", "setdatabase = 0")} = r.oid where rolname !~ '^pg_'),
  'databases', (select json_agg(json_build_object('name', datname, 'owner', pg_get_userbyid(datdba),
      'encoding', pg_encoding_to_char(encoding),
      'provider', case coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end,
      'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate),
      'connectionLimit', datconnlimit, 'closed', not datallowconn, 'tablespace', spcname, 'settings', coalesce(own.settings, '{}')) order by datname)
    from pg_database d join pg_tablespace t on t.oid = dattablespace ${settingsBy("setdatabase", "setrole = 0")} = d.oid where ${MADE}),
  'tablespaces', (select coalesce(json_agg(json_build_object('name', spcname, 'directory', pg_tablespace_location(t.oid),
      'owner', pg_get_userbyid(spcowner), 'options', (select coalesce(json_object_agg(split_part(o, '=', 1),
        substr(o, strpos(o, '=') + 1)), '{}') from unnest(spcoptions) o)) order by spcname), '[]')
    from pg_tablespace t where spcname !~ '^pg_'),
  'slots', (select coalesce(json_agg(json_build_object('name', slot_name, 'database', database, 'plugin', plugin,
      'active', active, 'lost', coalesce(wal_status = 'lost', false),
      'failover', coalesce((to_jsonb(s)->>'failover')::bool, false)) order by slot_name), '[]')
    from pg_replication_slots s where not temporary),
  'available', (select json_object_agg(name, default_version) from pg_available_extensions))::jsonb::text;`;

/**
 * Once for each stream, for DATABASE_SQL: expressions that name what came with 15, when a publication got lists of columns,
 * filters and whole schemas. psql puts them where :narrowed and :by_schema stand.
 */
const SINCE_SQL = `select case when since then $sql$coalesce(' (' || (select string_agg(attname, ', ' order by attnum)
    from pg_attribute where attrelid = prrelid and attnum = any (prattrs)) || ')', '')
    || coalesce(' where ' || pg_get_expr(prqual, prrelid), '')$sql$ else $sql$''$sql$ end as narrowed,
  case when since then $sql$(select coalesce(json_agg(nspname order by nspname), '[]')
    from pg_publication_namespace join pg_namespace n on n.oid = pnnspid where pnpubid = p.oid)$sql$
    else $sql$'[]'::json$sql$ end as by_schema
  from (select current_setting('server_version_num')::int >= 150000 as since) v \\gset`;

/** One JSON object on one line. */
const DATABASE_SQL = `select json_build_object('name', current_database(),
  'extensions', (select coalesce(json_agg(json_build_object('name', extname, 'version', extversion,
    'schema', extnamespace::regnamespace::text) order by extname), '[]') from pg_extension),
  'schemas', (select coalesce(json_agg(json_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner)) order by nspname), '[]')
    from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'),
  'publications', (select coalesce(json_agg(json_build_object('name', pubname, 'owner', pg_get_userbyid(pubowner),
      'allTables', puballtables, 'schemas', :by_schema, 'publish', array_remove(array[case when pubinsert then 'insert' end,
        case when pubupdate then 'update' end, case when pubdelete then 'delete' end,
        case when pubtruncate then 'truncate' end], null),
      'tables', (select coalesce(json_agg(json_build_object('schema', nspname, 'name', relname, 'narrowed', :narrowed)
          order by nspname, relname), '[]')
        from pg_publication_rel join pg_class c on c.oid = prrelid join pg_namespace n on n.oid = relnamespace
        where prpubid = p.oid)) order by pubname), '[]')
    from pg_publication p))::jsonb::text;`;

/**
 * SQL that makes a line of psql for each database: go there. First a value of a connection string, in which a backslash
 * escapes, then a quoted argument of a meta-command, in which it does, too (psql, "Meta-Commands"); of \connect's it takes double
 * quotes away once more (psqlscanslash.l, OT_SQLIDHACK).
 */
const CONNECT_SQL = `select format(E'\\\\connect -reuse-previous=on ''%s''', replace(replace(replace(replace(
    format('dbname=''%s''', replace(replace(datname, '\\', '\\\\'), '''', '\\''')), '\\', '\\\\'), '''', ''''''), E'\\n', '\\n'), '"', '""""'))
  from pg_database where datallowconn and ${MADE} order by datname`;

type Shared = Omit<ContentFact, "databases"> & {
  readonly databases: readonly Omit<DatabaseFact, "extensions" | "schemas" | "publications">[];
  readonly available: Readonly<Record<string, string>> | null;
};
type Inside = {
  readonly name: string;
  readonly extensions: readonly Omit<ExtensionFact, "available">[];
  readonly schemas: readonly SchemaFact[];
  readonly publications: readonly PublicationFact[];
};

/** Where there are so many databases, several streams go through them: a login takes 5 ms of a server. */
const MANY = 16;
const STREAMS = 4;

/**
 * Roles and databases of an instance, through one psql that goes from database to database: a process for each would cost
 * more than all questions.
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 */
export function contentProbe(psql: string): Probe<ContentFact> {
  return {
    key: `content ${psql}`,
    script: `ask() { ${psql} -v ON_ERROR_STOP=1 -d postgres; }
connects=$(ask <<'SQL'
${CONNECT_SQL};
SQL
) || exit 1
shared=${sh(SHARED_SQL)}
since=${sh(SINCE_SQL)}
inside=${sh(DATABASE_SQL)}
through() { printf '%s\\n' "$since"; while IFS= read -r connect; do printf '%s\\n%s\\n' "$connect" "$inside"; done; }
if [ "$(printf '%s\\n' "$connects" | wc -l)" -le ${MANY} ]; then
  { printf '%s\\n' "$shared"; printf '%s\\n' "$connects" | through; } | ask
  exit
fi
answers=$(mktemp -d) || exit 1
trap 'rm -rf "$answers"' EXIT
streams=
for stream in ${Array.from({ length: STREAMS }, (_, n) => n).join(" ")}; do
  printf '%s\\n' "$connects" | awk "NR % ${STREAMS} == $stream" | through | ask >"$answers/$stream" &
  streams="$streams $!"
done
printf '%s\\n' "$shared" | ask || exit 1
for stream in $streams; do wait "$stream" || exit 1; done
cat "$answers"/*`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(stderr.trim());
      const [first = "", ...rest] = stdout.split("\n").filter((line) => line !== "");
      const { databases, available, ...shared } = JSON.parse(first) as Shared;
      const inside = new Map(rest.map((line) => JSON.parse(line) as Inside).map((found) => [found.name, found]));
      return {
        ...shared,
        databases: databases.map((database) => whole(database, inside.get(database.name), available)),
      };
    },
  };
}

/** The same where PGDATA is not a standby's; asked of every node at once, before it is known which one is primary. */
export function primaryContentProbe(psql: string, dataDirectory: string): Probe<ContentFact | undefined> {
  const probe = contentProbe(psql);
  return {
    key: `${probe.key} unless ${dataDirectory} is a standby's`,
    script: `[ ! -e ${sh(`${dataDirectory}/standby.signal`)} ] || exit 44\n${probe.script}`,
    parse: (answer, asked) => (answer.code === 44 ? undefined : probe.parse(answer, asked)),
  };
}

/** @throws Error for a database that came or went between the two questions: the next look is whole */
function whole(
  database: Shared["databases"][number],
  inside: Inside | undefined,
  available: Shared["available"],
): DatabaseFact {
  if (database.closed === true) return { ...database, extensions: [], schemas: [], publications: [] };
  if (inside === undefined) throw new Error(`the database ${database.name} is listed and does not answer`);
  const extensions = inside.extensions.map((e) => ({ ...e, available: available?.[e.name] ?? null }));
  const { schemas, publications } = inside;
  return { ...database, extensions, schemas, publications };
}
