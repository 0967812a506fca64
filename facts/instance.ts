import { sh } from "../ssh/quote";
import { AS_POSTGRES } from "./login";
import { POSTMASTER } from "./postmaster";
import type { Probe } from "./probe";
import { SELINUX_MODE, selinuxMode, type SelinuxMode } from "./selinux";
import { parseRunning, RUNNING_SQL, REPMGR_SQL, type RepmgrFacts, type RunningFacts } from "./running";

export interface InstanceQuestion {
  readonly version: number;
  readonly port: number;
  readonly dataDirectory: string;
  readonly binDirectory: string;
  readonly socketDirectory: string;
  readonly repmgrdUnit: string;
  /** Where its daemon writes its process id; absent where others have written the unit. */
  readonly repmgrdPidFile?: string;
  /** Where the fence leaves why it stopped this instance; absent where there is none. */
  readonly fenceMark?: string;
  /** Of the cluster's small files; absent where others have laid them out. */
  readonly directory?: string;
  /** The file of the unit that starts it; absent where others have written that. */
  readonly unitFile?: string;
}

/** What pg_controldata says; true of a stopped instance as well as of a running one. */
export interface ControlData {
  /** Decimal, up to 20 digits: a string, since a number would lose some. */
  readonly systemIdentifier: string;
  /** "in production", "shut down", "in archive recovery", "shut down in recovery" ... */
  readonly state: string;
  /** The latest it has written or replayed WAL of: a promotion counts before its first checkpoint. */
  readonly timeline: number;
  readonly checkpoint: string;
  readonly checksums: boolean;
}

/** One instance as its host shows it: PGDATA, control file and, when it runs, what SQL says. */
export interface InstanceFacts {
  readonly data: "absent" | "empty" | "foreign" | "present";
  /** "postgres:postgres 0700"; "" when there is no directory. */
  readonly ownership: string;
  /** Of the directory of the cluster's small files, "root:postgres 01775"; absent where there is none. */
  readonly directory?: string;
  readonly majorVersion?: number;
  /** The inventory says that its host is gone for good; nobody was asked. */
  readonly isLost?: true;
  /** PGDATA/standby.signal stands: this instance starts as a standby. */
  readonly isStandby: boolean;
  /** PGDATA/conf.d is a directory. */
  readonly hasConfD: boolean;
  readonly control?: ControlData;
  /** "pg_controldata (PostgreSQL) 17.6 (Debian 17.6-1.pgdg13+1)": of the server's package; absent where nothing is. */
  readonly installed?: string;
  /** The postmaster is alive; it may still refuse connections. */
  readonly alive: boolean;
  /** What SQL says; undefined while no connection is accepted, with the reason in `refusal`. */
  readonly running?: RunningFacts;
  readonly refusal: string;
  /** Its unit was written after it was started, so it runs as an older text says. */
  readonly unitIsNewer?: true;
  /** "2026-11-24T11:13:33Z: no standby streams and ...": its fence has stopped it and it was not started since. */
  readonly fenced?: string;
  /** repmgr.nodes and repmgrd's pause; undefined when the extension is not there or nothing answers. */
  readonly repmgr?: RepmgrFacts;
  /** systemd's word on repmgrd: "active", "activating", "inactive", "failed". */
  readonly repmgrd: string;
  /** Of its host; absent where SELinux is disabled. */
  readonly selinux?: SelinuxMode;
}

/** Of a host whose machine is gone for good. */
const NOTHING: InstanceFacts = {
  isLost: true,
  data: "absent",
  ownership: "",
  isStandby: false,
  hasConfD: false,
  alive: false,
  refusal: "its host is lost",
  repmgrd: "inactive",
};

/** PGDATA, control file, SQL and repmgr.nodes of one instance in one go. */
export function instanceProbe(q: InstanceQuestion): Probe<InstanceFacts> {
  const psql = `PGCONNECT_TIMEOUT=5 PGOPTIONS='-c statement_timeout=10s' ${AS_POSTGRES} ${sh(`${q.binDirectory}/psql`)} -XAtq -v ON_ERROR_STOP=1 -h ${sh(q.socketDirectory)} -p ${q.port}`;
  return {
    key: `instance ${JSON.stringify(q)}`,
    nothing: NOTHING,
    script: `d=${sh(q.dataDirectory)}
cd /
${repmgrdState(q)}
${SELINUX_MODE}
small=${sh(q.directory ?? "")}
if [ ! -e "$d" ]; then
  echo data=absent
  [ ! -d "$small" ] || stat -c 'directory=%U:%G 0%a' "$small"
  exit 0
fi
# Of PGDATA first; the other may not be there.
stat -c 'ownership=%U:%G 0%a' "$d" "$small" 2>/dev/null
if [ -z "$(ls -A "$d")" ]; then echo data=empty; exit 0; fi
if [ ! -f "$d/PG_VERSION" ]; then echo data=foreign; exit 0; fi
echo data=present
read -r version <"$d/PG_VERSION"
echo "version=$version"
[ -e "$d/standby.signal" ] && echo standby=1
[ -d "$d/conf.d" ] && echo confd=1
if [ -x ${sh(`${q.binDirectory}/pg_controldata`)} ]; then
  echo "installed=$(${sh(`${q.binDirectory}/pg_controldata`)} --version)"
  printf 'control=%s\\n' "$(${sh(`${q.binDirectory}/pg_controldata`)} -D "$d")"
fi
# Every start writes postmaster.opts anew.
mark=${sh(q.fenceMark ?? "")}
[ "$mark" -nt "$d/postmaster.opts" ] && read -r why <"$mark" && echo "fenced=$why"
${POSTMASTER}
postmaster "$d" || exit 0
echo alive=1
[ ${sh(q.unitFile ?? "")} -nt "$d/postmaster.opts" ] && echo unitnewer=1
running=${sh(RUNNING_SQL)}
# One login where there is a database repmgr: a process and a session of the server cost more than all the questions.
both() { printf '%s\\n' '\\echo -n running=' "$running" ${sh(REPMGR_SQL)} | ${psql} -d repmgr; }
if answer=$(both 2>/dev/null); then printf '%s\\n' "$answer"; exit 0; fi
if answer=$(printf '%s\\n' "$running" | ${psql} -d postgres 2>&1); then said=running; else said=refusal; fi
# What comes before is a warning of the login, such as a collation version mismatch.
answer=$(printf '%s\\n' "$answer" | tail -n 1)
case $said$answer in
  running*'"hasRepmgr": true'*) both || { echo "the database repmgr cannot be read" >&2; exit 1; } ;;
  *) printf '%s=%s\\n' "$said" "$answer" ;;
esac`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseInstance(stdout);
    },
  };
}

/** Shell: systemd's word on repmgrd. A process of the unit that has begun its work tells it as well, without one of systemctl. */
function repmgrdState({ repmgrdUnit: unit, repmgrdPidFile: file = "" }: InstanceQuestion): string {
  return `repmgrd() {
  if [ -s ${sh(file)} ] && read -r pid <${sh(file)} && [ -r "/proc/$pid/cgroup" ]; then
    while IFS= read -r line; do case $line in */${sh(unit)}) echo active && return ;; esac; done <"/proc/$pid/cgroup"
  fi
  systemctl is-active ${sh(unit)} || :
}
printf repmgrd=
repmgrd`;
}

/** @throws Error when a line that must be there is missing */
export function parseInstance(text: string): InstanceFacts {
  const lines = text.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  const one = (key: string): string | undefined => lines.find(([k]) => k === key)?.[1];
  const [ownership = "", small = one("directory")] = lines.flatMap(([k, value]) => (k === "ownership" ? [value] : []));
  const data = one("data");
  if (data !== "absent" && data !== "empty" && data !== "foreign" && data !== "present") {
    throw new Error(`no word on PGDATA in: ${text.slice(0, 200)}`);
  }
  const control = one("control") === undefined ? [] : text.replace(/^control=/gm, "").split("\n");
  const running = one("running");
  const repmgr = one("repmgr");
  const selinux = selinuxMode(one("selinux"));
  return {
    data,
    ownership,
    ...(small === undefined ? {} : { directory: small }),
    ...(one("version") === undefined ? {} : { majorVersion: Number(one("version")) }),
    isStandby: one("standby") === "1",
    hasConfD: one("confd") === "1",
    ...(control.length === 0 ? {} : { control: parseControlData(control) }),
    ...(one("installed") === undefined ? {} : { installed: one("installed") }),
    alive: one("alive") === "1",
    ...(running === undefined ? {} : { running: parseRunning(running) }),
    refusal: one("refusal") ?? "",
    ...(one("unitnewer") === undefined ? {} : { unitIsNewer: true }),
    ...(one("fenced") === undefined ? {} : { fenced: one("fenced") }),
    repmgrd: one("repmgrd") ?? "inactive",
    ...(selinux === undefined ? {} : { selinux }),
    ...(repmgr === undefined || repmgr === "" ? {} : { repmgr: JSON.parse(repmgr) as RepmgrFacts }),
  };
}

function parseControlData(lines: readonly string[]): ControlData {
  const value = (label: string): string => {
    const line = lines.find((l) => l.startsWith(`${label}:`));
    if (line === undefined) throw new Error(`pg_controldata does not say "${label}"`);
    return line.slice(label.length + 1).trim();
  };
  return {
    systemIdentifier: value("Database system identifier"),
    state: value("Database cluster state"),
    timeline: Math.max(
      Number(value("Latest checkpoint's TimeLineID")),
      Number(value("Min recovery ending loc's timeline")),
    ),
    checkpoint: value("Latest checkpoint location"),
    checksums: value("Data page checksum version") !== "0",
  };
}
