import { conninfoWord, logIn, withPassFile } from "../facts/login";
import { clusterPaths, familyLayout, shortUnit } from "../families";
import { sh } from "../ssh/quote";
import type { ClusterInputs, Member } from "./cluster";
import { asPostgres, runService } from "./commands";
import { rewindQuestion } from "./rejoin";

/** How long transactions that run already may go on before anybody is refused; nobody notices that wait. */
const LET_END_SECONDS = 15;
/** How long those that run then may go on while new connections are refused; the rest is terminated. */
const DRAIN_MS = 1_000;
/** It has everything by then, a clean stop waits for that; only the last of it may not be replayed yet. */
const RECEIVE_SECONDS = 5;
const PROMOTE_SECONDS = 60;

/**
 * Shell, on the primary: hands over to a standby. One script, because the moment without a primary must not depend on the
 * way from here to the hosts: once begun it goes to its end without us. Up to the promotion every failure ends with the
 * old primary in its place again. Before the promotion is asked for, standby.signal bars the old primary from ever
 * starting as a second one; whoever finds it so, and nobody promoted, may take the file away (revive.ts).
 */
export function handOverScript(inputs: ClusterInputs, from: Member, to: Member): string {
  const { postgresqlUnit: unit, startAnyway } = clusterPaths(inputs);
  const target = rewindQuestion(inputs, to.address);
  const bin = familyLayout(inputs.family).binDirectory(inputs.version);
  return `data=${sh(inputs.dataDirectory)}
here() { ${asPostgres(inputs, "psql", '-XAtqw -v ON_ERROR_STOP=1 -d postgres "$@"')}; }
there() { ${withPassFile(target, "psql")} -XAtqw -v ON_ERROR_STOP=1 -d ${conninfoWord(target)} "$@"; }
[ "$(here -c 'select pg_is_in_recovery()')" = f ] || { echo "${from.node} is not primary any more" >&2; exit 1; }
${logIn(target)} >/dev/null
[ "$(there -c 'select pg_is_in_recovery()')" = t ] || { echo "${to.node} is no standby" >&2; exit 1; }
pid=$(head -n 1 "$data/postmaster.pid")
trap '' HUP PIPE INT TERM
${letEnd()}
${drain()}
back() {
  echo "$1; ${from.node} is made primary again" >&2
  rm -f "$data/standby.signal"
  ${inputs.layout === undefined ? `install -D -o postgres -g postgres -m 0600 /dev/null ${sh(startAnyway)}` : ":"}
  ${runService(inputs, "start")}
  exit 1
}
systemctl stop ${unit} >&2 || back "${shortUnit(unit)} could not be stopped"
control=$(${sh(`${bin}/pg_controldata`)} -D "$data")
printf '%s\\n' "$control" | grep -q '^Database cluster state: *shut down$' || back "${from.node} was not shut down cleanly"
last=$(printf '%s\\n' "$control" | sed -n 's/^Latest checkpoint location: *//p')
give_up=$(($(date +%s) + ${RECEIVE_SECONDS}))
until [ "$(there -c "select pg_is_in_recovery() and pg_last_wal_replay_lsn() > '$last'" 2>&1)" = t ]; do
  [ "$(date +%s)" -lt "$give_up" ] || back "${to.node} has not replayed all that ${from.node} wrote, up to $last, within ${RECEIVE_SECONDS} s"
  sleep 0.05
done
install -o postgres -g postgres -m 0600 /dev/null "$data/standby.signal" && sync "$data/standby.signal" "$data" ||
  back "$data/standby.signal could not be written"
promoted() { [ "$(there -c 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; }
there -c 'select pg_promote(true, ${PROMOTE_SECONDS})' >/dev/null 2>&1 || true
give_up=$(($(date +%s) + ${PROMOTE_SECONDS}))
until promoted; do
  [ "$(date +%s)" -lt "$give_up" ] || {
    echo "${to.node} was told to take over and does not say that it has; ${from.node} stays down, since both might take writes otherwise" >&2
    exit 1
  }
  sleep 0.2
done`;
}

/** Shell: before anybody is refused, waits for what runs long. */
function letEnd(): string {
  return `n=0
while [ "$(here -c "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '0.5 s'")" != 0 ]; do
  n=$((n + 1)); [ $n -lt ${LET_END_SECONDS * 5} ] || break
  sleep 0.2
done`;
}

/**
 * Shell: a smart shutdown refuses new connections and leaves those that are open; one of ours, opened before, ends the
 * others as they become idle. The stop that follows terminates what is left (PostgreSQL documentation, 18.5).
 */
function drain(): string {
  return `here -v pid="$pid" <<'SQL' >/dev/null 2>&1 || true
\\setenv pid :pid
\\! kill -TERM "$pid"
do $$
declare
  give_up timestamptz := clock_timestamp() + interval '${DRAIN_MS} ms';
begin
  loop
    perform pg_stat_clear_snapshot();
    perform pg_terminate_backend(pid) from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid() and state like 'idle%' and state <> 'idle in transaction';
    exit when not exists (select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())
      or clock_timestamp() > give_up;
    perform pg_sleep(0.02);
  end loop;
end $$;
SQL`;
}
