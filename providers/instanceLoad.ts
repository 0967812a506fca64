import type { Action } from "../actions/action";
import type { InstanceFacts } from "../facts/instance";
import { sh } from "../ssh/quote";
import { asPostgres, dateNow } from "./commands";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";

/** False when the server runs with files older than those on disk. */
export function isLoaded(facts: InstanceFacts, have: PgInstanceFacts): boolean {
  const { running } = facts;
  if (running === undefined) return true;
  const changedAt = [have.postgresConf, have.hbaConf, have.certificate, have.authorities].map(
    (file) => file?.modifiedAt ?? 0,
  );
  return running.configurationLoadedAt >= Math.max(...changedAt);
}

/** Its messages are in English, because reload looks into them. */
export function psql(want: PgInstanceInputs): string {
  return asPostgres(want, "psql", `-XAtq -v ON_ERROR_STOP=1 -d ${sh("dbname=postgres options='-c lc_messages=C'")}`);
}

/** Only a running server can judge a pg_hba.conf (PostgreSQL documentation, 52.10 pg_hba_file_rules); it goes on with the old rules meanwhile. */
export function hbaCheck(want: PgInstanceInputs): string {
  return `wrong=$(${psql(want)} -c "select format('pg_hba.conf line %s: %s', line_number, error) from pg_hba_file_rules where error is not null") || exit 1
[ -z "$wrong" ] || { printf '%s\\n' "$wrong" >&2; exit 1; }`;
}

/**
 * The server says so of a line that it loads all the same: where TLS was turned off by hand, and this reload turns it on.
 */
const WITHOUT_TLS = "hostssl record cannot match because SSL is disabled";

/** Looks at both files with the server's own eyes once more: what a person left in conf.d must not spoil the reload either. */
export function reload(want: PgInstanceInputs, about: string): Action {
  const ask = psql(want);
  return {
    do: "run",
    host: want.host,
    effect: "reload",
    why: `load the configuration without a restart: ${about}`,
    script: `${dateNow(["postgresql.conf", "pg_hba.conf"].map((file) => `${want.dataDirectory}/${file}`))}
wrong=$(${ask} -c "select format('pg_hba.conf line %s: %s', line_number, error) from pg_hba_file_rules where error is not null and error <> '${WITHOUT_TLS}'
  union all select format('%s line %s: %s', sourcefile, sourceline, error) from pg_file_settings where error is not null and error <> 'setting could not be applied' and error !~ 'cannot be changed without restarting'")
[ -z "$wrong" ] || { printf 'not loaded, the old configuration stays in force: %s\\n' "$wrong" >&2; exit 1; }
before=$(${ask} -c 'select pg_conf_load_time()')
${ask} -c 'select pg_reload_conf()' >/dev/null
tries=0
until [ "$(${ask} -c 'select pg_conf_load_time()')" != "$before" ]; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "pg_conf_load_time() is still $before" >&2; exit 1; }
  sleep 0.1
done`,
  };
}
