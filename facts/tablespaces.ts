import { sh, shJoin } from "../ssh/quote";
import { dataDirectoryIn } from "./repmgrConf";
import type { Probe } from "./probe";

export interface SpaceQuestion {
  readonly version: number;
  readonly dataDirectory: string;
  /** In order. */
  readonly directories: readonly string[];
  /** Holds one directory for each cluster of ours: "/etc/repmgr". */
  readonly clusters: string;
}

/** The directory of a tablespace as one host has it. */
export interface SpaceDirectory {
  readonly directory: string;
  readonly is: "absent" | "directory" | "other";
  /** "postgres:postgres 0700"; "" when there is none. */
  readonly ownership: string;
  readonly isMountPoint: boolean;
  /** What is in it, some dozens of names at most. */
  readonly entries: readonly string[];
  /** PGDATA has a tablespace there. */
  readonly isLinked: boolean;
  /** Files of the same major version that are of no tablespace of PGDATA, nor of a copy of it that is being made. */
  readonly left?: { readonly name: string; readonly sizeKib: number };
  /** Other data directories of this host that have a tablespace there; asked where files are there that are not PGDATA's. */
  readonly users: readonly string[];
}

/** Many enough to tell a person what is there. */
const MOST_ENTRIES = 40;

/**
 * Shell on "$data": users_of DIRECTORY prints the data directories of others on this host that have a tablespace there, as they
 * run, or as a repmgr.conf of ours names them.
 */
export function usersOfSpace(clusters: string): string {
  return `users_of() {
  {
    for cwd in /proc/[0-9]*/cwd; do [ ! -f "$cwd/PG_VERSION" ] || readlink "$cwd"; done
    for conf in ${sh(clusters)}/*/repmgr.conf; do [ ! -f "$conf" ] || ${dataDirectoryIn('"$conf"')}; done
  } 2>/dev/null | sort -u | while IFS= read -r other; do
    if [ "$other" -ef "$data" ]; then continue; fi
    for link in "$other"/pg_tblspc/*; do
      if [ -L "$link" ] && [ "$link" -ef "$1" ]; then printf '%s\\n' "$other"; break; fi
    done
  done
}`;
}

/** Asked only where the inventory declares tablespaces. */
export function spacesProbe(q: SpaceQuestion): Probe<readonly SpaceDirectory[]> {
  const { version, dataDirectory, directories, clusters } = q;
  return {
    key: `tablespaces ${JSON.stringify(q)}`,
    nothing: directories.map(nowhere),
    script: `data=${sh(dataDirectory)}
${usersOfSpace(clusters)}
linked() {
  for link in "$1"/pg_tblspc/*; do
    [ -L "$link" ] || continue
    if [ "$link" -ef "$dir" ]; then return 0; fi
    if [ ! -d "$dir" ] && [ "$(readlink "$link")" = "$dir" ]; then return 0; fi
  done
  return 1
}
for dir in ${shJoin(directories)}; do
  printf 'directory=%s\\n' "$dir"
  linked=
  if linked "$data"; then linked=1; echo linked=1; fi
  if [ ! -d "$dir" ]; then
    if [ -e "$dir" ] || [ -L "$dir" ]; then echo is=other; else echo is=absent; fi
    continue
  fi
  echo is=directory
  stat -L -c 'ownership=%U:%G 0%a' "$dir"
  if mountpoint -q "$dir"; then echo mount=1; fi
  n=0
  others=
  for entry in "$dir"/* "$dir"/.[!.]*; do
    if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
    printf 'entry=%s\\n' "\${entry##*/}"
    case \${entry##*/} in PG_*) others=1 ;; esac
    n=$((n + 1)); [ $n -lt ${MOST_ENTRIES} ] || break
  done
  if [ -n "$linked" ] || [ -z "$others" ] || linked "$data.building"; then continue; fi
  users_of "$dir" | sed 's/^/user=/'
  for left in "$dir"/PG_${version}_*; do [ ! -d "$left" ] || echo "left=$(du -skx "$left" | cut -f 1) \${left##*/}"; done
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      return parseSpaces(stdout, directories);
    },
  };
}

function nowhere(directory: string): SpaceDirectory {
  return { directory, is: "absent", ownership: "", isMountPoint: false, entries: [], isLinked: false, users: [] };
}

/** @throws Error when a directory that was asked for is missing */
export function parseSpaces(text: string, directories: readonly string[]): SpaceDirectory[] {
  const parts = text.split(/^directory=/m).map((part) => part.split("\n"));
  return directories.map((directory) => {
    const lines = parts.find(([first]) => first === directory) ?? [];
    const all = (key: string): string[] =>
      lines.flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
    const [is] = all("is");
    if (is !== "absent" && is !== "directory" && is !== "other") throw new Error(`no word on ${directory}`);
    const [, sizeKib, name] = /^(\d+) (.+)$/.exec(all("left")[0] ?? "") ?? [];
    return {
      ...nowhere(directory),
      is,
      ownership: all("ownership")[0] ?? "",
      isMountPoint: all("mount").length > 0,
      entries: all("entry"),
      isLinked: all("linked").length > 0,
      ...(name === undefined ? {} : { left: { name, sizeKib: Number(sizeKib) } }),
      users: all("user"),
    };
  });
}

/** How much room there is for a copy of a tablespace. */
export interface SpaceRoom {
  /** Its file system, by number. */
  readonly device: string;
  readonly freeBytes: number;
}

/** By directory; of one that is not there yet, that of the directory it will be in. */
export function spaceRoomProbe(directories: readonly string[]): Probe<Readonly<Record<string, SpaceRoom>>> {
  return {
    key: `room of ${JSON.stringify(directories)}`,
    nothing: {},
    script: `for dir in ${shJoin(directories)}; do
  near=$(dirname "$dir")
  while [ ! -d "$near" ]; do near=$(dirname "$near"); done
  echo "$(stat -c %d "$near") $(df -B1 --output=avail "$near" | tail -n 1) $dir"
done`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      const rooms = [...stdout.matchAll(/^(\d+) +(\d+) (\/.*)$/gm)];
      return Object.fromEntries(
        rooms.map(([, device = "", free, directory = ""]) => [directory, { device, freeBytes: Number(free) }]),
      );
    },
  };
}
