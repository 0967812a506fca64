import type { Action } from "../actions/action";
import { AS_POSTGRES, AT_HOME, tlsVariables } from "../facts/login";
import { clusterPaths, familyLayout } from "../families";
import { sh, shJoin } from "../ssh/quote";
import { type ClusterInputs, peerTls } from "./cluster";

/** Crash recovery of a large instance replays WAL before it accepts connections. */
export const START_DEADLINE_MS = 300_000;

/** A server that hangs accepts the connection and says nothing; seconds. */
const CONNECT_SECONDS = 10;

/** Shell: one of PostgreSQL's programs as the postgres user, at the cluster's socket, with its password file. */
export function asPostgres(inputs: ClusterInputs, program: string, args: string): string {
  const { socketDirectory, passFile } = clusterPaths(inputs);
  const environment = shJoin([
    `PGHOST=${socketDirectory}`,
    `PGPORT=${inputs.port}`,
    `PGPASSFILE=${passFile}`,
    `PGCONNECT_TIMEOUT=${CONNECT_SECONDS}`,
  ]);
  const path = `${familyLayout(inputs.family).binDirectory(inputs.version)}/${program}`;
  return `${AS_POSTGRES} ${AT_HOME} -C / ${environment}${tlsVariables(peerTls(inputs))} ${sh(path)} ${args}`;
}

/** Shell: a repmgr command with the node's own configuration. @param args written by this program, never a user's text */
export function repmgr(inputs: ClusterInputs, args: string): string {
  return asPostgres(inputs, "repmgr", `-f ${sh(clusterPaths(inputs).repmgrConf)} ${args}`);
}

/** Shell: starts or restarts PostgreSQL through its unit; when that fails, what unit and server said last comes with the error. */
export function runService(inputs: ClusterInputs, verb: "start" | "restart"): string {
  const { postgresqlUnit: unit, logDirectory } = clusterPaths(inputs);
  return `systemctl ${verb} ${unit} || {
  journalctl -u ${unit} -n 8 --no-pager -o cat >&2
  log=$(ls -t ${sh(logDirectory)}/* 2>/dev/null | head -n 1)
  [ -z "$log" ] || { echo "the last lines of $log:"; tail -n 8 "$log"; } >&2
  exit 1
}`;
}

/**
 * Shell: files that a wrong clock dated into the future are dated now. What was loaded or started afterwards would look
 * older than they are until that time has come.
 */
export function dateNow(paths: readonly string[]): string {
  return `for file in ${shJoin(paths)}; do
  if [ -e "$file" ] && [ "$(stat -c %Y "$file")" -gt "$(date +%s)" ]; then touch "$file"; fi
done`;
}

/** Statements with verifiers must not reach the server's log or statistics. */
const QUIET = "set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';";

/**
 * What brings a standby back must not wait until a standby has confirmed it; repmgr commits like that, too (dbutils.c,
 * _establish_db_connection).
 */
export const LOCAL = "set synchronous_commit = local;";

/** SQL on an instance, as postgres. It travels on stdin; each statement commits by itself. */
export function sqlAction(
  inputs: ClusterInputs,
  on: { readonly host: string; readonly database: string },
  why: string,
  sql: readonly string[],
): Action {
  return {
    do: "run",
    host: on.host,
    why,
    script: asPostgres(inputs, "psql", `-Xq -v ON_ERROR_STOP=1 -d ${sh(on.database)}`),
    stdin: `${[QUIET, ...(on.database === "repmgr" ? [LOCAL] : []), ...sql].join("\n")}\n`,
  };
}
