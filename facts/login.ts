import { sh, sqlLiteral } from "../ssh/quote";
import type { Probe } from "./probe";

/** What libpq needs to know of TLS beside a conninfo; nothing where it takes TLS as it is offered. */
export interface PeerTls {
  /** With it the certificate of who answers is checked. */
  readonly rootCertificate?: string;
  /** A file with key and certificate that is shown to who answers. */
  readonly loginCertificate?: string;
}

export interface LoginQuestion extends PeerTls {
  readonly binDirectory: string;
  readonly passFile: string;
  readonly address: string;
  readonly port: number;
}

/**
 * Shell: what runs a program as postgres. runuser opens a session for each, which PAM writes to the journal and which takes
 * three times as long as the change of the user itself.
 */
export const AS_POSTGRES = "setpriv --reuid=postgres --regid=postgres --init-groups --";

/**
 * Shell: env with another home than root's, which neither of the two changes. With TLS libpq looks there for a certificate, and
 * one that it may not look for ends the connection; without HOME it asks for the user's own.
 */
export const AT_HOME = "env -u HOME";

/** Shell: a PostgreSQL program as the postgres user, with the password file of the cluster. */
export function withPassFile(question: LoginQuestion, program: string): string {
  const { binDirectory, passFile } = question;
  return `runuser -u postgres -- ${AT_HOME} -C / PGPASSFILE=${sh(passFile)} PGCONNECT_TIMEOUT=5${tlsVariables(question)} ${sh(`${binDirectory}/${program}`)}`;
}

/**
 * Shell: what makes libpq check whom it talks to, and show a certificate, where it is not told otherwise; over a socket it
 * does neither. Begins with a blank. A certificate whose file is not there is not shown (fe-secure-openssl.c).
 */
export function tlsVariables({ rootCertificate: root, loginCertificate: login }: PeerTls): string {
  const checks = root === undefined ? "" : ` PGSSLMODE=verify-full PGSSLROOTCERT=${sh(root)}`;
  return checks + (login === undefined ? "" : ` PGSSLCERT=${sh(login)} PGSSLKEY=${sh(login)}`);
}

/** A conninfo as one shell word; holds no password. */
export function conninfoWord({ address, port }: LoginQuestion, more = ""): string {
  return sh(`host=${address} port=${port} user=repmgr dbname=repmgr connect_timeout=5${more}`);
}

/** Shell: succeeds when repmgr may log in there, to its database and for replication. */
export function logIn(q: LoginQuestion): string {
  const psql = `${withPassFile(q, "psql")} -XAtqw`;
  return `{ ${psql} -d ${conninfoWord(q)} -c 'select 1' && ${psql} -d ${conninfoWord(q, " replication=true")} -c IDENTIFY_SYSTEM; }`;
}

/** Whether another node lets this host in as repmgr: undefined when it does, else what was said. */
export function loginProbe(q: LoginQuestion): Probe<string | undefined> {
  return {
    key: `login ${JSON.stringify(q)}`,
    script: `${logIn(q)} >/dev/null`,
    parse: ({ code, stderr }) => (code === 0 ? undefined : stderr.trim().slice(-400) || `exit status ${code}`),
  };
}

/** Shell: prints who uses a replication slot of another node, "pid 4711, n4 from 192.0.2.14", or nothing. */
export function slotUser(q: LoginQuestion, slot: string): string {
  const name =
    "(select r.application_name || ' from ' || r.client_addr from pg_stat_replication r where r.pid = s.active_pid)";
  const query = `select format('pid %s, %s', active_pid, ${name}) from pg_replication_slots s where active and slot_name = ${sqlLiteral(slot)}`;
  return `${withPassFile(q, "psql")} -XAtqw -d ${conninfoWord(q)} -c ${sh(query)}`;
}
