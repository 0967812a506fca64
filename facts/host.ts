import { sh } from "../ssh/quote";
import { POSTMASTER, UNIT_OF } from "./postmaster";
import type { Probe, ProbeAnswer } from "./probe";
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
  /** The login may become postgres only, so what only root sees is not known. */
  readonly isRestricted?: true;
  /** By address: undefined when it answers, otherwise what the attempt said. */
  readonly unreachable: Readonly<Record<string, string>>;
}

/** logind's own limit, as distributions build it (login.defs, SYS_UID_MAX). */
const LAST_SYSTEM_USER = 999;

/** Shell: tells of a login that may become postgres only, by what then comes before every script. */
const RESTRICTED = '[ -z "${repmgr_pulumi_run:-}" ] || echo restricted=1';

/** Whether the login may become postgres only. */
export const restrictedProbe: Probe<boolean> = {
  key: "restricted",
  nothing: false,
  script: RESTRICTED,
  parse: ({ stdout }) => stdout.includes("restricted=1"),
};

/** What is the same whatever cluster asks, so it is asked once a host. */
const machineProbe: Probe<string> = {
  key: "machine",
  script: `( . /etc/os-release; echo "os=$PRETTY_NAME"; echo "release=$ID $VERSION_ID" )
echo "cores=$(nproc)"
sed -n -e 's/^MemTotal: *\\([0-9]*\\) kB/memory=\\1/p' -e 's/^Hugetlb: *\\([0-9]*\\) kB/hugepages=\\1/p' \\
  -e 's/^Hugepagesize: *\\([0-9]*\\) kB/hugepagesize=\\1/p' /proc/meminfo
user=$(id -u postgres 2>/dev/null)
if [ "\${user:-0}" -gt ${LAST_SYSTEM_USER} ]; then
  echo "removes=$(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager RemoveIPC)"
fi
${RESTRICTED}
${SELINUX_MODE}`,
  parse: linesOf,
};

/** Of all ports at once: what makes it slow is to find the processes. */
const listenersProbe: Probe<readonly string[]> = {
  key: "listeners",
  script: "ss -H -ltnp",
  parse: (answer) => linesOf(answer).split("\n"),
};

/** Each costs the other host a process of sshd. The two seconds begin when bash does: on a busy host that takes as long. */
export function knockProbe(address: string, port: number): Probe<string> {
  return {
    key: `knock ${address} ${port}`,
    script: `said=$(timeout 20 bash -c '(sleep 2; kill $$) >/dev/null 2>&1 & : 3<>"/dev/tcp/$1/$2"; got=$?; kill $!; exit $got' \\
  bash ${sh(address)} ${port} 2>&1)
case $?:$said in 0:* | *'Connection refused') ;; 124:* | 143:*) echo ${sh(`unreachable=${address} no answer within 2 s`)} ;;
  *) echo ${sh(`unreachable=${address}`)} "\${said##*: }" ;; esac`,
    parse: linesOf,
  };
}

function placeProbe(dataDirectory: string): Probe<string> {
  return {
    key: `place ${dataDirectory}`,
    script: `data=${sh(dataDirectory)}
there=$data
while [ ! -d "$there" ]; do there=\${there%/*}; there=\${there:-/}; done
echo free=$(df -B1 --output=avail "$there" | tail -n 1)
mountpoint -q "$data" && echo mountpoint=1
${POSTMASTER}
${UNIT_OF}
if [ ! -e "$data" ]; then echo data=absent
elif [ -f "$data/PG_VERSION" ]; then
  echo data=present
  read -r version <"$data/PG_VERSION"
  echo "version=$version"
  [ ! -f "$data/global/pg_control" ] || echo identifier=$(od -An -t u8 -N8 "$data/global/pg_control")
  runs=1
  postmaster "$data" || runs=
  [ -z "$pid" ] || echo "postmaster=$pid"
  [ -z "$runs" ] || echo "unit=$(unit_of "$pid")"
elif [ -d "$data" ] && [ -z "$(ls -A "$data")" ]; then echo data=empty
else echo data=foreign; fi`,
    parse: linesOf,
  };
}

function linesOf({ code, stdout, stderr }: ProbeAnswer): string {
  if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
  return stdout;
}

/** Needs nothing but what a minimal installation has: the packages may not be there yet. */
export async function observeHost(
  ask: <T>(probe: Probe<T>) => Promise<T>,
  { dataDirectory, port, peers }: HostQuestion,
): Promise<HostFacts> {
  const [listeners, ...texts] = await Promise.all([
    ask(listenersProbe),
    ask(machineProbe),
    ask(placeProbe(dataDirectory)),
    ...peers.map((peer) => ask(knockProbe(peer.address, peer.port))),
  ]);
  const own = listeners.filter((line) => line.split(/\s+/)[3]?.endsWith(`:${port}`) === true);
  return parseHost([...texts, ...own.map((line) => `listener=${line}`)].join("\n"));
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
    ...(all("restricted").length === 0 ? {} : { isRestricted: true as const }),
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
