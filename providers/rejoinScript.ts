import { logIn } from "../facts/login";
import { aloneTransactions, isCleanlyDown, rejoinMark, rewindDryRun, type RewindQuestion } from "../facts/rewind";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { RUN_DIRECTORY } from "../ssh/restricted";
import type { ClusterInputs } from "./cluster";
import { asPostgres, repmgr } from "./commands";
import { oneAtATime } from "./instanceData";
import type { RepmgrNodeInputs } from "./repmgrNode";

/** A fast shutdown of what only replays takes a moment. */
const STOP_SECONDS = 60;
/** Crash recovery of a large instance replays WAL before it accepts connections. */
const SETTLE_SECONDS = 300;
/** Of the action, which also waits for a script that still runs there. */
export const SETTLE_DEADLINE_MS = 600_000;

/**
 * Shell: brings a stopped former primary back as a standby, or leaves a mark that says why only a clone will do. It exits
 * with 0 in both cases: the next plan takes up what the mark says.
 */
export function rejoinScript(want: RepmgrNodeInputs, q: RewindQuestion): string {
  const conninfo = `host=${q.address} port=${q.port} user=repmgr dbname=repmgr connect_timeout=5`;
  const archive = `${RUN_DIRECTORY}/${sh(`repmgr-rejoin-${want.cluster}`)}`;
  const rejoin = `node rejoin -d '${conninfo}' --force-rewind --config-files=postgresql.conf,pg_hba.conf --config-archive-dir=${archive}`;
  return oneAtATime(
    want,
    `mark=${sh(rejoinMark(want.dataDirectory))}
[ ! -e "$data/standby.signal" ] && [ ! -e "$mark" ] || exit 0
install -d -o postgres -g postgres -m 0700 ${archive}
trap ${sh(`rm -rf ${archive}`)} EXIT
reason() { printf '%s\\n' "$1" | grep -i 'error\\|fatal\\|panic' | tail -n 1; }
${PUT_MARK}
give_up() { put_mark "$1"; echo "$1" >&2; exit 0; }
if ! ${isCleanlyDown(q.binDirectory)}; then
  said=$(runuser -u postgres -- ${sh(`${q.binDirectory}/postgres`)} --single -D "$data"${elsewhere(want)} template1 </dev/null 2>&1) ||
    give_up "cannot: crash recovery before the rewind says: $(reason "$said")"
fi
said=$(${rewindDryRun(q)} 2>&1) || {
  ${logIn(q)} >/dev/null || { printf '%s\\n' "$said" >&2; exit 1; }
  give_up "cannot: $(reason "$said")"
}
${repmgr(want, `${rejoin} --dry-run`)} >&2
alone=$(${aloneTransactions(q.binDirectory)})
case \${alone:-0} in
  0*) ;;
  *) logger -t ${sh(`repmgr-${want.cluster}`)} -p daemon.warning -- "${want.node} is rewound to \${alone#* }: its \${alone%% *} transactions after that, repmgr's own among them, are given up" ;;
esac
put_mark begun
${watched(want, repmgr(want, rejoin))}
if [ $code = 0 ]; then rm "$mark"; exit 0; fi
printf '%s\\n' "$said" >&2
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
if [ -n "$pid" ] && [ -e "/proc/$pid" ]; then rm "$mark"; exit 1; fi
give_up "failed: $(reason "$said")"`,
  );
}

/** Shell on "$mark": the mark is the old one or the new one, whenever it is cut. */
export const PUT_MARK = `put_mark() { printf '%s\\n' "$1" >"$mark.new"; mv "$mark.new" "$mark"; sync "$mark"; }`;

/**
 * Shell on "$data" and "$mark": a rejoin whose output is in "$said" and whose status is in "$code". A rewound node that
 * finds the WAL gone that it still needs never gets consistent, so the start that repmgr waits for would never end: what
 * its log says meanwhile stops it. The watch ends with the script, however that ends.
 */
export function watched(want: ClusterInputs, rejoin: string): string {
  return `${hopeless(want)}
watch() {
  while sleep 1 && kill -0 $$; do
    if hopeless; then return 0; fi
  done
}
watch </dev/null >/dev/null 2>&1 &
code=0
said=$(${rejoin} 2>&1) || code=$?
kill $! 2>/dev/null || true
wait $! 2>/dev/null || true
if grep '^failed' "$mark" >&2; then exit 0; fi`;
}

/**
 * Shell: waits for an instance that a rejoin has left starting when it was cut, until it answers or is seen never to do
 * so. One script that still runs there is waited for.
 */
export function settleScript(want: ClusterInputs): string {
  return oneAtATime(
    want,
    `mark=${sh(rejoinMark(want.dataDirectory))}
${PUT_MARK}
${hopeless(want)}
${settled(asPostgres(want, "pg_isready", "-q"))}`,
  );
}

/** Shell, after the words above. @param answers succeeds when the instance answers */
export function settled(answers: string): string {
  return `tries=0
until ${answers}; do
  if hopeless; then grep '^failed' "$mark" >&2; exit 0; fi
  tries=$((tries + 1))
  [ $tries -lt ${SETTLE_SECONDS} ] || { echo "it still refuses connections after ${SETTLE_SECONDS} s" >&2; exit 1; }
  sleep 1
done`;
}

/** Shell on "$data" and "$mark": succeeds when the instance can never get consistent; then it has a mark and is stopped. */
export function hopeless(want: ClusterInputs): string {
  const { postgresqlUnit: unit } = clusterPaths(want);
  return `${walRemoved(want)}
hopeless() {
  lacks=$(removed)
  [ -n "$lacks" ] || return 1
  trap '' TERM
  put_mark "failed: rewound, but its primary says: $lacks"
  timeout -s KILL ${STOP_SECONDS} systemctl stop ${unit} || systemctl kill -s KILL ${unit}
}`;
}

/**
 * Shell on "$data": what the running server's own log says about missing WAL from here on, empty while it says nothing.
 * Said once it may still come from an archive; asked for the same again, it does not. Other clusters may have their logs
 * beside, and a log of the same weekday begins with what was said a week ago.
 */
function walRemoved(want: ClusterInputs): string {
  const { logDirectory } = clusterPaths(want);
  return `sizes=$(stat -L -c '%i %s' ${sh(logDirectory)}/* 2>/dev/null || true)
server_log() {
  pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
  { readlink "/proc/\${pid:-none}/fd/2" || true; sed 's/^[a-z]* //' "$data/current_logfiles" || true; } 2>/dev/null |
    while read -r file; do
      case $file in /*) ;; *) file=$data/$file ;; esac
      [ ! -f "$file" ] || printf '%s\\n' "$file"
    done | head -n 1
}
removed() {
  log=$(server_log)
  [ -n "$log" ] || return 0
  from=$(printf '%s\\n' "$sizes" | sed -n "s/^$(stat -L -c %i "$log") //p")
  [ "\${from:-0}" -le "$(stat -L -c %s "$log")" ] || from=0
  tail -c "+$((\${from:-0} + 1))" "$log" | grep -o 'requested WAL segment [0-9A-F]* has already been removed' | sort | uniq -d | tail -n 1
}`;
}

/** Shell: where the configuration is, when it is not in the data as PostgreSQL expects. */
function elsewhere(want: RepmgrNodeInputs): string {
  return want.layout === undefined ? "" : ` -c ${sh(`config_file=${clusterPaths(want).configFile}`)}`;
}
