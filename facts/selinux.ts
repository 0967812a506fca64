import { sh, shJoin } from "../ssh/quote";
import type { Probe } from "./probe";

/** SELinux that is there; a host on which it is disabled says nothing of it. */
export type SelinuxMode = "enforcing" | "permissive";

/**
 * Shell, in words of the shell itself: where there is no SELinux it costs no process. A container sees the SELinux of the
 * host below it, mounted read-only, and has none itself (libselinux, is_selinux_enabled).
 */
export const SELINUX_MODE = `if [ -e /sys/fs/selinux/enforce ]; then
  while read -r _ _ kind options _; do
    case $kind:$options in selinuxfs:rw*) read -r mode </sys/fs/selinux/enforce; echo "selinux=$mode" ;; esac
  done </proc/self/mounts
fi`;

/** @param said what SELINUX_MODE has printed after the "="; undefined when that was nothing */
export function selinuxMode(said: string | undefined): SelinuxMode | undefined {
  if (said === undefined) return undefined;
  return said === "1" ? "enforcing" : "permissive";
}

/** What a path is for, which decides its label. "way": a directory that only leads to one of the others. */
export type Purpose = "data" | "log" | "socket" | "way";

export interface LabelQuestion {
  readonly port: number;
  readonly dataDirectory: string;
  /** Of tablespaces, also of those that are to be made. */
  readonly tablespaces: readonly string[];
  /** Names the archive, in what PostgreSQL runs to fill it. */
  readonly configFile: string;
  readonly logDirectory: string;
  readonly socketDirectory: string;
}

export interface PlaceFact {
  readonly purpose: Purpose;
  /** With links followed, as SELinux's rules want it. */
  readonly path: string;
  readonly exists: boolean;
  /** The type that the host's rules give it, "postgresql_db_t"; "" when they give none. */
  readonly ruled: string;
}

/** What has another label than the host's rules give it. */
export interface Mislabelled {
  readonly path: string;
  /** The type it has, or the whole label, where only the rest of it is wrong. */
  readonly found: string;
  readonly wanted: string;
}

/** Labels of one instance, on a host with SELinux. */
export interface LabelFacts {
  /** What changes the host's rules is installed. */
  readonly hasSemanage: boolean;
  /** The type that a rule of this host gives the port; "" when there is none, and the policy alone decides. */
  readonly portType: string;
  /** The policy's switch for rsync and ssh in archive_command; absent where it has none. */
  readonly mayRsync?: boolean;
  /** PGDATA first; then WAL, tablespaces and archives outside of it, logs, sockets, and directories on the way. */
  readonly places: readonly PlaceFact[];
  /** The first of those that are wrong, below the places as far as it is looked. */
  readonly mislabelled: readonly Mislabelled[];
}

/** Directories, what is in them, and what is in those: a tenth of a second, however large a database is. */
const DEPTH = 2;
/** Enough to be judged by a person; restorecon looks at everything. */
const MOST_SHOWN = 5;
/** postgresql_can_rsync (postgresql_selinux(8)). */
const RSYNC_SWITCH = "/sys/fs/selinux/booleans/postgresql_can_rsync";

/** Asked only where SELinux is there. semanage itself, which takes a second and more, is not: it keeps its rules in files. */
export function labelsProbe(q: LabelQuestion): Probe<LabelFacts> {
  return {
    key: `labels ${JSON.stringify(q)}`,
    ofRoot: "SELinux's rules and labels",
    script: `command -v semanage >/dev/null && echo semanage=1
while IFS='=' read -r name value; do [ "$name" != SELINUXTYPE ] || policy=$value; done </etc/selinux/config
if [ -r "/var/lib/selinux/$policy/active/ports.local" ]; then
  while read -r word protocol ports label _; do
    [ "$word:$protocol" = portcon:tcp ] && [ "\${ports%-*}" -le ${q.port} ] && [ "\${ports#*-}" -ge ${q.port} ] && echo "port=$label"
  done <"/var/lib/selinux/$policy/active/ports.local"
fi
if [ -e ${RSYNC_SWITCH} ]; then read -r now _ <${RSYNC_SWITCH}; echo "rsync=$now"; fi
# Where a file system keeps no labels of its own, no rule of ours changes anything.
keeps_labels() {
  near=$1
  while [ ! -e "$near" ]; do near=$(dirname "$near"); done
  case ,$(findmnt -n -o OPTIONS -T "$near"), in *,seclabel,*) ;; *) return 1 ;; esac
}
seen=
place() {
  path=$(readlink -m "$2")
  case $seen in *"|$path|"*) return 0 ;; esac
  seen="$seen|$path|"
  keeps_labels "$path" || return 0
  there=0
  [ ! -e "$path" ] || there=1
  echo "place=$1 $there $(matchpathcon -n "$path" 2>/dev/null) $path"
  [ "$1 $there" != 'way 1' ] || matchpathcon -V "$path" | sed 's/^/look=/'
  [ "$1" != way ] && [ $there = 1 ] || return 0
  find "$path" -maxdepth ${DEPTH} -print0 2>/dev/null | xargs -0 matchpathcon -V 2>&1 | grep -v ' verified\\.$' | head -n ${MOST_SHOWN} | sed 's/^/look=/'
}
data=$(readlink -m ${sh(q.dataDirectory)})
place data "$data"
[ ! -L "$data/pg_wal" ] || place data "$data/pg_wal"
for space in ${shJoin(q.tablespaces)}; do place data "$space"; done
for link in "$data"/pg_tblspc/*; do [ ! -L "$link" ] || place data "$link"; done
sed -n "s#^ *\\(archive\\|restore\\)_command *=.*[ \\"']\\(/[^ \\"'%]*\\)/%f.*#\\2#p" ${sh(q.configFile)} 2>/dev/null | sort -u |
  while read -r archive; do place data "$archive"; done
place log ${sh(q.logDirectory)}
place socket ${sh(q.socketDirectory)}
for end in "$data" ${shJoin(q.tablespaces)}; do
  way=$(dirname "$(readlink -m "$end")")
  while [ "$way" != / ]; do place way "$way"; way=$(dirname "$way"); done
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseLabels(stdout);
    },
  };
}

/** @throws Error when a line makes no sense */
export function parseLabels(text: string): LabelFacts {
  const lines = text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
  const all = (key: string): string[] => lines.flatMap(([name, value = ""]) => (name === key ? [value] : []));
  const [rsync] = all("rsync");
  return {
    hasSemanage: all("semanage").length > 0,
    portType: typeOf(all("port")[0] ?? ""),
    ...(rsync === undefined ? {} : { mayRsync: rsync === "1" }),
    places: all("place").map(parsePlace),
    mislabelled: all("look").flatMap((line) => parseMislabelled(line) ?? []),
  };
}

/** @param line "data 1 system_u:object_r:postgresql_db_t:s0 /srv/pg" */
function parsePlace(line: string): PlaceFact {
  const [, purpose, exists, label = "", path = ""] = /^(data|log|socket|way) ([01]) (\S*) (\/.*)$/.exec(line) ?? [];
  if (purpose === undefined) throw new Error(`no place: "${line}"`);
  return { purpose: purpose as Purpose, path, exists: exists === "1", ruled: typeOf(label) };
}

/** What matchpathcon(8) says with -V of a path that is not as the rules want it. */
function parseMislabelled(line: string): Mislabelled | undefined {
  const [, path, found = "", wanted = ""] = /^(\/.*) has context (\S+), should be (\S+)$/.exec(line) ?? [];
  if (path === undefined) return undefined;
  // Of two labels with one type it is the rest that differs.
  const [short, other] = [typeOf(found), typeOf(wanted)];
  return short === other ? { path, found, wanted } : { path, found: short, wanted: other };
}

/** "system_u:object_r:postgresql_db_t:s0": postgresql_db_t. */
function typeOf(label: string): string {
  return label.split(":")[2] ?? "";
}
