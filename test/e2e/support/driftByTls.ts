import { AUTHORITY, CERTIFICATE, CERTIFICATE_KEY } from "../../unit/tlsFixture";
import type { Row } from "./driftRow";
import { DATA, asRepmgr, instance, lists, psql, says } from "./driftShell";

const PEM = "/etc/repmgr/main/server.pem";
const CA = "/etc/repmgr/main/ca.crt";

/** Shell: the node lets a client in that checks its certificate against the file of authorities beside it. */
const letsIn = `[ "$(${asRepmgr("select ssl from pg_stat_ssl where pid = pg_backend_pid()", ` sslmode=verify-full sslrootcert=${CA}`)})" = t ]`;

/** Things done to the TLS of a cluster that has it, all at once. */
export const BY_TLS: readonly Row[] = [
  {
    what: "key and certificate are exchanged for those of another authority",
    host: "pg1",
    how: `echo '${CERTIFICATE_KEY}${CERTIFICATE}' >${PEM}`,
    resource: instance("pg1"),
    shows: { certificate: "was signed by another authority" },
    repaired: letsIn,
  },
  {
    what: "TLS is turned off by ALTER SYSTEM on the primary",
    host: "pg1",
    how: `${psql("alter system set ssl = off")} && ${psql("select pg_reload_conf()")}`,
    resource: instance("pg1"),
    shows: { "settings.ssl": "off (by ALTER SYSTEM)" },
    repaired: says("show ssl", "on"),
  },
  {
    what: "others may read the private key",
    host: "pg2",
    how: `chmod 0640 ${PEM}`,
    resource: instance("pg2"),
    shows: { certificate: "belongs to postgres:postgres with mode 0640" },
    repaired: `[ "$(stat -c '%U %a' ${PEM})" = 'postgres 600' ] && ${letsIn}`,
  },
  {
    what: "a line lets clients in without TLS",
    host: "pg2",
    how: `sed -i 's/^hostssl app app /host app app /' ${DATA}/pg_hba.conf`,
    resource: instance("pg2"),
    shows: { hba: lists('"host app app ') },
    repaired: `grep -q '^hostssl app app ' ${DATA}/pg_hba.conf && ! grep -q '^host ' ${DATA}/pg_hba.conf`,
  },
  {
    what: "an authority is added to the file of authorities",
    host: "pg3",
    how: `echo '${AUTHORITY}' >>${CA}`,
    resource: instance("pg3"),
    shows: { authorities: "differs" },
    repaired: `[ "$(grep -c BEGIN ${CA})" = 1 ]`,
  },
  {
    what: "key and certificate are removed",
    host: "pg3",
    how: `rm ${PEM}`,
    resource: instance("pg3"),
    shows: { certificate: "is absent" },
    repaired: letsIn,
  },
];
