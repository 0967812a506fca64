import { DATA } from "./layout";

/** Shell and values in which the rows of the drift table are written. */
export { DATA };
export const REPMGR = "runuser -u postgres -- repmgr -f /etc/repmgr/main/repmgr.conf";

/** Shell: SQL as postgres; the query holds no double quote. */
export const psql = (query: string, database = "postgres"): string =>
  `runuser -u postgres -- env -C / psql -XAtqc "${query}" ${database}`;
export const says = (query: string, answer: string, database?: string): string =>
  `[ "$(${psql(query, database)})" = '${answer}' ]`;
/** Shell: SQL as repmgr over the network, by the conninfo of repmgr.conf and more of the kind. */
export const asRepmgr = (query: string, more = ""): string =>
  `runuser -u postgres -- env -u HOME -C / PGPASSFILE=/etc/repmgr/main/pgpass psql -XAtqwc '${query}' "$(sed -n "s/^conninfo='\\(.*\\)'/\\1/p" /etc/repmgr/main/repmgr.conf)${more}"`;
export const instance = (host: string): string => `PgInstance ${host}/5432`;
export const node = (host: string): string => `RepmgrNode ${host}/main`;
export const unit = (host: string, name: string): string => `SystemdUnit ${host}/${name}-main.service`;
export const rule = (host: string): string => `FirewallRule ${host}/main/postgresql`;
export const streams = says("select status from pg_stat_wal_receiver", "streaming");
export const rich = (address: string, port = 5432): string =>
  `rule family="ipv4" source address="${address}" port port="${port}" protocol="tcp" accept`;
/** Address of the host pgN. */
export const ofHost = (n: number): string => `"$(firewall-cmd --list-rich-rules | grep -F .1${n}/32)"`;
export const lists = (part: string) => (found: unknown) => JSON.stringify(found).includes(part);
export const lacks = (part: string) => (found: unknown) => !JSON.stringify(found).includes(part);
