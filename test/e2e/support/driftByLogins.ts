import type { Row } from "./driftRow";
import { DATA, asRepmgr, instance, lists, node, psql } from "./driftShell";

const PEM = "/etc/repmgr/main/repmgr.pem";

/** Shell: the node logs in as repmgr, and is known by its certificate. */
const logsIn = `[ "$(${asRepmgr("select client_dn is not null from pg_stat_ssl where pid = pg_backend_pid()")})" = t ]`;

/** Things done to a cluster whose nodes log in to each other by certificate, all at once. */
export const BY_LOGINS: readonly Row[] = [
  {
    what: "a node is let in by its password again",
    host: "pg1",
    how: `sed -i '0,/ cert$/s// scram-sha-256/' ${DATA}/pg_hba.conf && ${psql("select pg_reload_conf()")}`,
    resource: instance("pg1"),
    shows: { hba: lists("scram-sha-256") },
    repaired: `[ "$(grep -c ' cert$' ${DATA}/pg_hba.conf)" = 10 ]`,
  },
  {
    // With one that others may read libpq would not connect, and repmgrd would make something of that meanwhile.
    what: "the private key has another mode",
    host: "pg2",
    how: `chmod 0400 ${PEM}`,
    resource: instance("pg2"),
    shows: { loginCertificate: "belongs to postgres:postgres with mode 0400" },
    repaired: `[ "$(stat -c '%U %a' ${PEM})" = 'postgres 600' ] && ${logsIn}`,
  },
  {
    what: "key and certificate are removed",
    host: "pg3",
    how: `rm ${PEM}`,
    resource: instance("pg3"),
    shows: { loginCertificate: "is absent" },
    repaired: logsIn,
  },
  {
    what: "the certificate is taken out of repmgr.conf",
    host: "pg3",
    how: "sed -i 's/ sslcert=[^ ]*//' /etc/repmgr/main/repmgr.conf",
    resource: node("pg3"),
    shows: { "repmgrConf.conninfo": (found: unknown) => !String(found).includes("sslcert") },
    repaired: "grep -q sslcert= /etc/repmgr/main/repmgr.conf",
  },
];
