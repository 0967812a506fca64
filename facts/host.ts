import { sh } from "../ssh/quote";
import type { Probe } from "./probe";
import { SELINUX_MODE, selinuxMode, type SelinuxMode } from "./selinux";

export interface HostQuestion {
  readonly dataDirectory: string;
  readonly port: number;
  /** Places that must be reachable from here, each with a port where something is known to listen. */
  readonly peers: readonly { readonly address: string; readonly port: number }[];
}

export interface Listener {
  /** "0.0.0.0:5432" */
  readonly address: string;
  /** "postgres"; "" when the kernel does not say. */
  readonly process: string;
  /** Of every process that holds the socket. */
  readonly pids: readonly number[];
}

/** A host as it is before anything is installed. */
export interface HostFacts {
  /** "Debian GNU/Linux 13 (trixie)" */
  readonly os: string;
  /** "debian 13" */
  readonly release: string;
  readonly cores: number;
  readonly memoryMb: number;
  /** Of that, set aside as huge pages. */
  readonly hugePagesMb: number;
  /** Size of one; 0 where the kernel has none. */
  readonly hugePageKb: number;
  /**
   * systemd removes shared memory and semaphores of the user postgres when its last session ends, under a running server
   * (PostgreSQL documentation, 18.4.2). It spares system users, which the packages make.
   */
  readonly removesIpc: boolean;
  /** Space left for PGDATA, on the file system where it is or will be. */
  readonly freeBytes: number;
  readonly data: "absent" | "empty" | "foreign" | "present";
  readonly isMountPoint: boolean;
  /** Major version of the data; "" without. */
  readonly dataVersion: string;
  /** Decimal; "" without data. */
  readonly systemIdentifier: string;
  /** 0 when there is no postmaster.pid. */
  readonly postmasterPid: number;
  /** What systemd counts that process to: "postgresql-main.service"; "" when it does not run. */
  readonly postmasterUnit: string;
  readonly listeners: readonly Listener[];
  /** Absent where SELinux is disabled. */
  readonly selinux?: SelinuxMode;
  /** By address: undefined when it answers, otherwise what the attempt said. */
  readonly unreachable: Readonly<Record<string, string>>;
}

/** logind's own limit, as distributions build it (login.defs, SYS_UID_MAX). */
const LAST_SYSTEM_USER = 999;

/** Needs nothing but what a minimal installation has: the packages may not be there yet. */
export function hostProbe({ dataDirectory, port, peers }: HostQuestion): Probe<HostFacts> {
  const knocks = peers.map(({ address, port: at }) => `knock ${sh(address)} ${at} &`).join("\n");
  return {
    key: `host ${dataDirectory} ${port} ${peers.map((p) => `${p.address}:${p.port}`).join(" ")}`,
    script: `knock() {
  said=$(timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1)
  case $?:$said in 0:* | *'Connection refused') ;; 124:*) echo "unreachable=$1 no answer within 2 s" ;;
    *) echo "unreachable=$1 \${said##*: }" ;; esac
}
${knocks}
( . /etc/os-release; echo "os=$PRETTY_NAME"; echo "release=$ID $VERSION_ID" )
echo "cores=$(nproc)"
sed -n -e 's/^MemTotal: *\\([0-9]*\\) kB/memory=\\1/p' -e 's/^Hugetlb: *\\([0-9]*\\) kB/hugepages=\\1/p' \\
  -e 's/^Hugepagesize: *\\([0-9]*\\) kB/hugepagesize=\\1/p' /proc/meminfo
user=$(id -u postgres 2>/dev/null)
if [ "\${user:-0}" -gt ${LAST_SYSTEM_USER} ]; then
  echo "removes=$(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager RemoveIPC)"
fi
${SELINUX_MODE}
data=${sh(dataDirectory)}
there=$data
while [ ! -d "$there" ]; do there=$(dirname "$there"); done
echo "free=$(df -B1 --output=avail "$there" | tail -n 1)"
mountpoint -q "$data" && echo mountpoint=1
if [ ! -e "$data" ]; then echo data=absent
elif [ -f "$data/PG_VERSION" ]; then
  echo data=present
  echo "version=$(cat "$data/PG_VERSION")"
  [ ! -f "$data/global/pg_control" ] || echo "identifier=$(od -An -t u8 -N8 "$data/global/pg_control" | tr -d ' ')"
  if [ -f "$data/postmaster.pid" ]; then
    pid=$(head -n 1 "$data/postmaster.pid")
    echo "postmaster=$pid"
    [ "$(readlink "/proc/$pid/cwd")" != "$(readlink -f "$data")" ] || echo "unit=$(ps -o unit= -p "$pid")"
  fi
elif [ -d "$data" ] && [ -z "$(ls -A "$data")" ]; then echo data=empty
else echo data=foreign; fi
listeners=$(ss -H -ltnp "sport = :${port}") || exit
[ -z "$listeners" ] || printf '%s\\n' "$listeners" | sed 's/^/listener=/'
wait`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseHost(stdout);
    },
  };
}

/** @throws Error when something every host says is missing */
export function parseHost(text: string): HostFacts {
  const lines = text.split("\n").map((line): [string, string] => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1).trim()];
  });
  const all = (key: string): string[] => lines.filter(([k]) => k === key).map(([, value]) => value);
  const must = (key: string): string => {
    const [value] = all(key);
    if (value === undefined || value === "") throw new Error(`no word on ${key} in: ${text.slice(0, 300)}`);
    return value;
  };
  const data = must("data");
  if (data !== "absent" && data !== "empty" && data !== "foreign" && data !== "present")
    throw new Error(`data=${data}`);
  const selinux = selinuxMode(all("selinux")[0]);
  return {
    os: must("os"),
    release: must("release"),
    cores: Number(must("cores")),
    memoryMb: Math.floor(Number(must("memory")) / 1024),
    hugePagesMb: Math.floor(Number(all("hugepages")[0] ?? 0) / 1024),
    hugePageKb: Number(all("hugepagesize")[0] ?? 0),
    removesIpc: all("removes")[0] === "b true",
    freeBytes: Number(must("free")),
    data,
    isMountPoint: all("mountpoint").length > 0,
    dataVersion: all("version")[0] ?? "",
    systemIdentifier: all("identifier")[0] ?? "",
    postmasterPid: Number(all("postmaster")[0] ?? 0),
    postmasterUnit: all("unit")[0] ?? "",
    listeners: all("listener").map(parseListener),
    ...(selinux === undefined ? {} : { selinux }),
    unreachable: Object.fromEntries(all("unreachable").map((said) => said.split(/ (.*)/, 2) as [string, string])),
  };
}

/** A line of "ss -H -ltnp". */
function parseListener(line: string): Listener {
  const address = line.split(/\s+/)[3] ?? "";
  const process = /users:\(\("([^"]*)"/.exec(line)?.[1] ?? "";
  return { address, process, pids: [...line.matchAll(/,pid=(\d+)/g)].map(([, pid]) => Number(pid)) };
}

/**
 * The least by which the host's clock can differ from ours, in milliseconds: positive when it is ahead. It was looked at
 * between our asking and the answer; outside of that, the clocks differ.
 */
export const skewProbe: Probe<number> = {
  key: "clock",
  script: "date +%s%3N",
  parse({ stdout }, { from, to }) {
    const theirs = Number(stdout);
    if (!/^\d{13}$/.test(stdout.trim())) throw new Error(`no time: "${stdout.trim()}"`);
    if (theirs < from) return theirs - from;
    return theirs > to ? theirs - to : 0;
  },
};
