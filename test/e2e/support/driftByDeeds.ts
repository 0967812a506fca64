import type { Row } from "./driftRow";
import { BIN, FAMILY } from "./layout";
import { DATA, REPMGR, asRepmgr, psql, says, instance, node, unit, rule, streams, lists, lacks } from "./driftShell";

/** dpkg's status is a text that can be edited; rpm's database is none, but a package can be taken out of it. */
const PACKAGE: Readonly<Record<typeof FAMILY, Row>> = {
  debian: {
    what: "a package is older than on the other nodes",
    host: "pg2",
    how: "sed -i '/^Package: postgresql-17-repmgr$/,/^$/s/^Version: .*/Version: 5.4.1-1/' /var/lib/dpkg/status",
    resource: "PgPackages pg2/postgresql-17",
    shows: { versions: (found: unknown) => /^postgresql-17-repmgr 5\.4\.1-1, pg\d has 5\.5/.test(String(found)) },
    repaired: "dpkg-query -W postgresql-17-repmgr | grep -q 5.5 && dpkg --verify postgresql-17-repmgr",
  },
  redhat: {
    what: "a package is taken out of rpm's database",
    host: "pg2",
    how: "rpm -e --justdb --nodeps repmgr_17",
    resource: "PgPackages pg2/postgresql-17",
    shows: { packages: lacks("repmgr_17") },
    repaired: "rpm -V repmgr_17",
  },
};

/** It takes the library away that answers whether repmgrd is paused, so nothing about that may be done beside it. */
const REMOVED: Row = {
  what: "a package was removed under a running node",
  host: "pg3",
  how: "dpkg --force-depends --remove postgresql-17-repmgr",
  resource: "PgPackages pg3/postgresql-17",
  shows: { packages: lacks("postgresql-17-repmgr") },
  repaired: `dpkg --verify postgresql-17-repmgr && ${says("select repmgr.repmgrd_is_paused()", "f", "repmgr")}`,
};

/** Things done to what runs; those of a group do not get into each other's way. */
export const BY_DEEDS: readonly (readonly Row[])[] = [
  ...(FAMILY === "debian" ? [[REMOVED]] : []),
  [
    {
      what: "repmgrd is left paused",
      host: "pg1",
      how: `${REPMGR} service pause`,
      resource: "PgCluster main",
      shows: { repmgrd: "paused on n1, n2, n3" },
      repaired: says("select repmgr.repmgrd_is_paused()", "f", "repmgr"),
    },
    {
      what: "a file was written and never loaded",
      host: "pg2",
      how: `touch ${DATA}/postgresql.conf`,
      resource: instance("pg2"),
      shows: { configuration: "changed since it was last loaded" },
      repaired: says("select pg_conf_load_time() >= (pg_stat_file('postgresql.conf')).modification", "t"),
    },
    {
      what: "a setting waits for a restart",
      host: "pg3",
      how: `sed -i "s/^max_connections = .*/max_connections = '110'/" ${DATA}/postgresql.conf && systemctl restart postgresql-main && sed -i "s/^max_connections = .*/max_connections = '100'/" ${DATA}/postgresql.conf && ${psql("select pg_reload_conf()")}`,
      resource: "PgCluster main",
      shows: { pendingRestart: ["n3: max_connections"] },
      repaired: `${says("show max_connections", "100")} && ${streams}`,
    },
    {
      what: "repmgrd no longer starts with the host",
      host: "pg2",
      how: "systemctl disable repmgrd-main",
      resource: unit("pg2", "repmgrd"),
      shows: { state: "disabled" },
      repaired: "systemctl is-enabled repmgrd-main",
    },
    {
      what: "repmgrd is stopped and masked",
      host: "pg1",
      how: "systemctl stop repmgrd-main && ln -sf /dev/null /etc/systemd/system/repmgrd-main.service && systemctl daemon-reload",
      resource: unit("pg1", "repmgrd"),
      shows: { content: "", state: "masked", running: false },
      repaired: "systemctl is-active repmgrd-main && test -s /run/repmgrd-main/repmgrd.pid",
    },
    {
      what: "the port is opened to anybody",
      host: "pg1",
      how: "firewall-cmd -q --permanent --add-port=5432/tcp && firewall-cmd -q --add-port=5432/tcp",
      resource: rule("pg1"),
      shows: { sources: lists("anybody (port 5432/tcp)") },
      repaired: "! firewall-cmd --query-port=5432/tcp && ! firewall-cmd --permanent --query-port=5432/tcp",
    },
    {
      what: "an extension is older than its package",
      host: "pg1",
      how: `${psql("drop extension hstore", "app")} && ${psql("create extension hstore version '1.4'", "app")}`,
      resource: "PgCluster main",
      shows: { content: "update extension hstore 1.4 to 1.8 in app" },
      repaired: says("select extversion from pg_extension where extname = 'hstore'", "1.8", "app"),
    },
    {
      what: "repmgr's role loses an attribute",
      host: "pg1",
      how: psql("alter role repmgr nosuperuser"),
      resource: node("pg1"),
      shows: { repmgrRole: "without superuser" },
      repaired: says("select rolsuper from pg_roles where rolname = 'repmgr'", "t"),
    },
    {
      what: "synchronous_standby_names is changed",
      host: "pg1",
      how: `${psql("alter system set synchronous_standby_names = '*'")} && ${psql("select pg_reload_conf()")}`,
      resource: instance("pg1"),
      shows: { "settings.synchronous_standby_names": "* (by ALTER SYSTEM)" },
      repaired: says("show synchronous_standby_names", ""),
    },
    PACKAGE[FAMILY],
  ],
  [
    {
      what: "PostgreSQL is stopped on a standby",
      host: "pg2",
      how: "systemctl stop postgresql-main",
      resource: node("pg2"),
      shows: { state: (found: unknown) => /^down: was standby on timeline 1/.test(String(found)) },
      repaired: streams,
    },
    {
      what: "a slot is dropped",
      host: "pg3",
      how: "systemctl stop postgresql-main",
      resource: node("pg3"),
      shows: {
        slot: "missing on n1",
        state: "detached: it does not stream from n1",
      },
      repaired: streams,
    },
    {
      what: "the application's database and role are dropped",
      host: "pg1",
      how: `${psql("select pg_drop_replication_slot('repmgr_slot_3')")} && ${psql("drop database app")} && ${psql("drop role app")}`,
      resource: "PgCluster main",
      shows: { roles: [], databases: [] },
      repaired: says("select count(*) from pg_database where datname = 'app' and datdba = 'app'::regrole", "1"),
    },
    {
      what: "the standby without a slot runs",
      host: "pg3",
      how: "systemctl start postgresql-main",
      resource: node("pg3"),
      shows: {},
      repaired: streams,
    },
  ],
  [
    {
      what: "data lost their checksums",
      host: "pg2",
      how: `systemctl stop postgresql-main && runuser -u postgres -- ${BIN}/pg_checksums --disable -D ${DATA} && systemctl start postgresql-main`,
      resource: instance("pg2"),
      shows: { checksums: "off" },
      alsoActs: "PgCluster main",
      repaired: `${says("show data_checksums", "on")} && ${streams}`,
    },
    {
      what: "a standby follows the wrong node",
      host: "pg3",
      // It does not follow a node that is behind, as the one that has just been started still is.
      how: `for try in $(seq 100); do ${REPMGR} standby follow --upstream-node-id=2 && exit 0; sleep 0.2; done; exit 1`,
      resource: node("pg3"),
      shows: {
        state: (found: unknown) => /^detached: it streams from \S+, not from n1$/.test(String(found)),
      },
      repaired: `${streams} && ${says("select slot_name from pg_stat_wal_receiver", "repmgr_slot_3")}`,
    },
  ],
  [
    {
      what: "a standby is detached",
      host: "pg2",
      how: `${psql("alter system reset primary_conninfo")} && ${psql("select pg_reload_conf()")} && until ${psql("select count(*) from pg_stat_wal_receiver")} | grep -q 0; do sleep 0.2; done`,
      resource: node("pg2"),
      shows: { state: "detached: it does not stream from n1" },
      repaired: streams,
    },
    {
      what: "repmgr's password is changed",
      host: "pg1",
      how: psql("alter role repmgr password 'another'"),
      resource: node("pg1"),
      shows: { repmgrRole: "with another password" },
      repaired: asRepmgr("select 1"),
    },
  ],
];
