import type { InventoryFile } from "./inventory";
import type { Row } from "./driftRow";
import { lacks, lists, psql, says } from "./driftShell";

/** Made before the declaration, which grants on it. */
export const TABLES = { host: "pg1", how: psql("create schema sales; create table sales.orders (id int)", "app") };

/** Roles and databases with everything that can be said of them, a check of each node, and a setting of each kernel. */
export function declareContent({ defaults, postgresql_clusters: { main = {} } }: InventoryFile): void {
  Object.assign(defaults, { kernel: { sysctl: { "net.core.somaxconn": 8192 } } });
  const { roles, databases } = main as Record<"roles" | "databases", Record<string, object>>;
  const all = { privileges: ["insert", "select"], on: "tables", schema: "sales", to: "reader" };
  Object.assign(roles, {
    reader: { login: false },
    clerk: { login: false },
    worker: {
      ...{ inherit: true, bypassrls: false, connection_limit: 5, valid_until: "2099-01-31T00:00:00Z" },
      ...{ member_of: ["reader"], settings: { work_mem: "8MB" } },
    },
  });
  Object.assign(databases, {
    app: {
      ...{ owner: "app", connection_limit: 20, settings: { work_mem: "8MB" } },
      extensions: [{ name: "hstore", schema: "public" }],
      schemas: { sales: { owner: "app" }, spare: {} },
      grants: [all],
      default_privileges: [{ ...all, made_by: "app" }],
    },
    closed: { extensions: ["hstore"] },
    strict: { grants: [{ to: "reader", on: "database", privileges: ["connect"] }], exclusive: true },
  });
  // The lab's hosts are on this machine's disk, however full it is.
  Object.assign(main, { monitoring: { thresholds: { disk_percent: { warning: 99, critical: 100 } } } });
}

const CLUSTER = "PgCluster main";
const CHECK = "/etc/repmgr/main/check";

/** A role's attribute in SQL, how the review shows it, and the query for what it has to be again. */
function attribute(sql: string, property: string, found: string, query: string, answer: string): Row {
  return {
    what: `a role is altered: ${sql}`,
    host: "pg1",
    how: psql(`alter role worker ${sql}`),
    resource: CLUSTER,
    shows: { [`roles.${property}`]: lists(found) },
    will: "alter role worker (",
    repaired: says(`select ${query} from pg_roles where rolname = 'worker'`, answer),
  };
}

const VERIFIER = psql("select rolpassword from pg_authid where rolname = 'app'");
const MEMBERS = "select string_agg(roleid::regrole::text, ',') from pg_auth_members where member = 'worker'::regrole";
const SETTINGS = "select setconfig::text from pg_db_role_setting where setrole = 'worker'::regrole";
const OWN_SETTINGS =
  "select setconfig::text from pg_db_role_setting join pg_database d on d.oid = setdatabase where datname = 'app'";
const ofDatabase = (column: string): string => `select ${column} from pg_database where datname = 'app'`;

/** Things done to what is inside the database, all at once; what the table has of it elsewhere is not here again. */
const INSIDE: readonly Row[] = [
  attribute("nologin", "login", '"login":false', "rolcanlogin", "t"),
  attribute("superuser", "superuser", '"superuser":true', "rolsuper", "f"),
  attribute("createrole", "createrole", '"createrole":true', "rolcreaterole", "f"),
  attribute("replication", "replication", '"replication":true', "rolreplication", "f"),
  attribute("noinherit", "inherit", '"inherit":false', "rolinherit", "t"),
  attribute("bypassrls", "bypassrls", '"bypassrls":true', "rolbypassrls", "f"),
  attribute("connection limit 1", "connectionLimit", '"connectionLimit":1,', "rolconnlimit", "5"),
  attribute("valid until 'infinity'", "validUntil", '"validUntil":"infinity"', "rolvaliduntil::date", "2099-01-31"),
  {
    what: "a role leaves one it was a member of, and joins another",
    host: "pg1",
    how: psql("revoke reader from worker; grant pg_monitor to worker"),
    resource: CLUSTER,
    shows: { "roles.memberOf": lists('"memberOf":["pg_monitor"]') },
    will: "role worker: member of reader, no longer of pg_monitor",
    repaired: says(MEMBERS, "reader"),
  },
  {
    what: "a role's settings are changed",
    host: "pg1",
    how: psql("alter role worker set work_mem = '1GB'"),
    resource: CLUSTER,
    shows: { "roles.settings.work_mem": lists('"work_mem":"1GB"') },
    will: "role worker: work_mem = 8MB",
    repaired: says(SETTINGS, "{work_mem=8MB}"),
  },
  {
    what: "an application's password is changed",
    host: "pg1",
    how: `${psql("alter role app password 'another'")} && ${VERIFIER} >/run/another`,
    resource: CLUSTER,
    shows: { content: lists("alter role app (its password)") },
    will: "alter role app (its password)",
    // That it is the right one a login tells.
    repaired: `${VERIFIER} >/run/now && ! cmp -s /run/another /run/now`,
  },
  {
    what: "a database gets another owner",
    host: "pg1",
    how: psql("alter database app owner to postgres"),
    resource: CLUSTER,
    shows: { "databases.owner": lists('"owner":"postgres"') },
    will: "database app belongs to postgres, not to app",
    repaired: says(ofDatabase("datdba::regrole"), "app"),
  },
  {
    what: "a database gets another connection limit",
    host: "pg1",
    how: psql("alter database app connection limit 3"),
    resource: CLUSTER,
    shows: { "databases.connectionLimit": lists('"connectionLimit":3') },
    will: "database app: connection limit 20",
    repaired: says(ofDatabase("datconnlimit"), "20"),
  },
  {
    what: "a database's settings are changed",
    host: "pg1",
    how: psql("alter database app set work_mem = '1MB'"),
    resource: CLUSTER,
    shows: { "databases.settings.work_mem": lists('"work_mem":"1MB"') },
    will: "database app: work_mem = 8MB",
    repaired: says(OWN_SETTINGS, "{work_mem=8MB}"),
  },
  {
    what: "a database lets nobody in",
    host: "pg1",
    how: psql("alter database closed allow_connections false"),
    resource: CLUSTER,
    shows: { content: lists("database closed lets nobody in: allow connections") },
    will: "database closed lets nobody in: allow connections",
    repaired: says("select count(*) from pg_extension where extname = 'hstore'", "1", "closed"),
  },
  {
    what: "an extension is moved to another schema",
    host: "pg1",
    how: psql("alter extension hstore set schema sales", "app"),
    resource: CLUSTER,
    shows: { "databases.extensions.schema": lists('{"name":"hstore","schema":"sales"}') },
    will: "extension hstore in app is in schema sales, not in public",
    repaired: says("select extnamespace::regnamespace from pg_extension where extname = 'hstore'", "public", "app"),
  },
  {
    what: "a schema gets another owner",
    host: "pg1",
    how: psql("alter schema sales owner to postgres", "app"),
    resource: CLUSTER,
    shows: { "databases.schemas.owner": lists('{"name":"sales","owner":"postgres"}') },
    will: "schema sales in app belongs to postgres, not to app",
    repaired: says("select nspowner::regrole from pg_namespace where nspname = 'sales'", "app", "app"),
  },
  {
    what: "a schema is dropped",
    host: "pg1",
    how: psql("drop schema spare", "app"),
    resource: CLUSTER,
    shows: { "databases.schemas": lacks('"spare"') },
    will: "create schema spare in app",
    repaired: says("select nspowner::regrole from pg_namespace where nspname = 'spare'", "app", "app"),
  },
  {
    what: "a privilege is revoked",
    host: "pg1",
    how: psql("revoke select on sales.orders from reader", "app"),
    resource: CLUSTER,
    shows: { "databases.grants.privileges": lists('{"on":"tables","privileges":["insert"],"schema":"sales"') },
    will: "reader gets select on tables of sales in app",
    repaired: says("select has_table_privilege('reader', 'sales.orders', 'select')", "t", "app"),
  },
  {
    what: "a default privilege is taken away",
    host: "pg1",
    how: psql("alter default privileges for role app in schema sales revoke insert on tables from reader", "app"),
    resource: CLUSTER,
    shows: {
      "databases.grants.privileges": lists('{"by":"app","on":"tables","privileges":["select"],"schema":"sales"'),
    },
    will: "reader gets insert on tables of sales in app that app will make",
    repaired: says(
      "set role app; begin; create table sales.later (); select has_table_privilege('reader', 'sales.later', 'insert'); rollback",
      "t",
      "app",
    ),
  },
  {
    what: "somebody else is given a privilege where nobody else may have any",
    host: "pg1",
    how: psql("grant create on database strict to clerk"),
    resource: CLUSTER,
    shows: { "databases.grants": lists('{"on":"database","privileges":["create"],"to":"clerk"}') },
    will: "clerk loses create on database strict",
    repaired: says("select has_database_privilege('clerk', 'strict', 'create')", "f"),
  },
];

/** Things done to what a host has for its nodes, besides; at once with those. */
const BESIDE: readonly Row[] = [
  {
    what: "the script that checks a node is edited",
    host: "pg1",
    how: `sed -i 's/^now=.*/now=0/' ${CHECK}`,
    resource: "SystemdUnit pg1/repmgr-check-main.timer",
    shows: { "files.content": lists("\\nnow=0\\n") },
    will: `${CHECK}, which repmgr-check-main.timer runs, has another text`,
    repaired: `grep -q '^now=.(date' ${CHECK} && ${CHECK} up`,
  },
  {
    what: "the timer of the checks no longer starts with the host",
    host: "pg2",
    how: "systemctl disable repmgr-check-main.timer",
    resource: "SystemdUnit pg2/repmgr-check-main.timer",
    shows: { state: "disabled" },
    repaired: "systemctl is-enabled repmgr-check-main.timer",
  },
  {
    what: "a setting of the kernel is changed",
    host: "pg3",
    how: "echo 1000 >/proc/sys/net/core/somaxconn",
    resource: "HostKernel pg3/kernel",
    shows: { 'sysctl["net.core.somaxconn"]': "1000" },
    repaired: '[ "$(cat /proc/sys/net/core/somaxconn)" = 8192 ]',
  },
  {
    what: "a drop-in limits PostgreSQL's files",
    host: "pg3",
    how: "d=/etc/systemd/system/postgresql-main.service.d; mkdir $d && printf '[Service]\\nLimitNOFILE=1024\\n' >$d/limit.conf && systemctl daemon-reload",
    resource: "SystemdUnit pg3/postgresql-main.service",
    shows: { dropIns: ["/etc/systemd/system/postgresql-main.service.d/limit.conf"] },
    repaired:
      "[ ! -e /etc/systemd/system/postgresql-main.service.d ] && [ $(systemctl show -p LimitNOFILE --value postgresql-main) = 65536 ]",
  },
];

export const BY_CONTENT: readonly Row[] = [...INSIDE, ...BESIDE];
