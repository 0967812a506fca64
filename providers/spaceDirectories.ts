import { posix } from "node:path";
import type { Action } from "../actions/action";
import type { InstanceFacts } from "../facts/instance";
import type { SpaceDirectory, SpaceQuestion } from "../facts/tablespaces";
import { clusterPaths, type ClusterPlace } from "../families";
import { sh } from "../ssh/quote";
import { mib } from "./size";

export const SPACE_OWNERSHIP = "postgres:postgres 0700";

/** Name to directory; the state of it on a healthy host besides. */
export type Spaces = Readonly<Record<string, { readonly directory: string; readonly ownership?: string }>>;

type SpacePlace = ClusterPlace & { readonly version: number };

export function spaceQuestion(inputs: SpacePlace, directories: readonly string[]): SpaceQuestion {
  const { version, dataDirectory } = inputs;
  return { version, dataDirectory, directories: [...directories].sort(), clusters: clustersDirectory(inputs) };
}

/** Holds one directory for each cluster of ours. */
export function clustersDirectory(inputs: ClusterPlace): string {
  return posix.dirname(clusterPaths(inputs).directory);
}

/** In order of directory; [] where there are no tablespaces. */
export function directoriesOf(spaces: Spaces | undefined): string[] {
  return Object.values(spaces ?? {})
    .map(({ directory }) => directory)
    .sort();
}

/** PostgreSQL could keep files there. A group that may read is one that initdb was told of. */
export function isSpaceReady({ is, ownership }: SpaceDirectory): boolean {
  return is === "directory" && /^postgres:\S+ 07[05]0$/.test(ownership);
}

/** The directories as they are found, in the shape in which they are wanted. */
export function foundSpaces(want: Spaces, found: readonly SpaceDirectory[]): Spaces {
  return Object.fromEntries(
    Object.entries(want).map(([name, space]) => {
      const have = found.find(({ directory }) => directory === space.directory);
      if (have === undefined) return [name, space];
      const ownership = isSpaceReady(have) ? SPACE_OWNERSHIP : have.is === "absent" ? "absent" : have.ownership;
      return [name, { directory: space.directory, ownership }];
    }),
  );
}

interface Judged {
  readonly spaces: Spaces;
  readonly version: number;
  readonly dataDirectory: string;
  /** PGDATA of the node. */
  readonly data: InstanceFacts["data"];
  /** Nobody has data that could be copied: what is begun here must find its directories free. */
  readonly begins: boolean;
  /** The data of an older version that are taken to this one. */
  readonly former?: string;
  /** Others have set it up, and may know why a directory is as it is. */
  readonly isOthers: boolean;
}

/** Why directories cannot be those of the cluster's tablespaces, each with what to do; asked before anything is changed. */
export function spaceProblems(judged: Judged, found: readonly SpaceDirectory[]): string[] {
  return Object.entries(judged.spaces).flatMap(([name, { directory }]) => {
    const have = found.find((one) => one.directory === directory);
    const problem = have && problemOf(judged, name, have);
    return problem === undefined ? [] : [problem];
  });
}

function problemOf(judged: Judged, name: string, have: SpaceDirectory): string | undefined {
  const { version, dataDirectory, data, begins, former, isOthers } = judged;
  const { directory, entries, left } = have;
  const about = `${directory}, the directory of the tablespace ${name},`;
  if (have.is === "other")
    return `${about} is no directory. Move away what is there: sudo mv ${directory} ${directory}.old`;
  if (have.isMountPoint && !isOthers) {
    return `${about} is a mount point itself, so what is in it can never be put aside or replaced. Use a directory in it: ${directory}/${name}`;
  }
  if (data === "present" && have.isLinked) {
    if (have.is === "directory" && entries.some((entry) => entry.startsWith(`PG_${version}_`))) return undefined;
    const lacks = have.is === "absent" ? "is not there" : `holds no PG_${version}_...`;
    return (
      `${about} ${lacks}, and ${dataDirectory} has files in it. Is its file system mounted? To look: findmnt -T ${directory}. ` +
      `Of a standby that has lost them for good move ${dataDirectory} away: it is cloned anew`
    );
  }
  const users = have.users.filter((other) => other !== former);
  const isExpected = (entry: string): boolean =>
    entry.startsWith(`PG_${version}_`) || (users.length < have.users.length && /^PG_\d+_\d+$/.test(entry));
  const strange = entries.filter((entry) => !isExpected(entry));
  if (strange.length > 0 && users.length === 0) {
    return `${about} holds what is not of this cluster (${few(strange)}). Choose an empty one, such as a new one in it: ${directory}/${name}`;
  }
  if (users.length > 0) return `${about} is that of a tablespace of ${users.join(" and ")}. Choose one of its own`;
  if (left === undefined || !(data === "present" || begins)) return undefined;
  return `${about} holds ${left.name} (${mib(left.sizeKib)}), which is of no tablespace of ${dataDirectory}. Look what it is, then move it away: sudo mv ${directory}/${left.name} ...`;
}

/** What a rewind of the node would remove, or bring from another one. */
export function spaceRemarks(host: string, version: number, found: readonly SpaceDirectory[]): string[] {
  return found.flatMap(({ directory, entries, isLinked }) => {
    const besides = entries.filter((entry) => !entry.startsWith(`PG_${version}_`));
    if (!isLinked || besides.length === 0) return [];
    return [
      `${host}: ${directory}, of a tablespace, holds ${few(besides)} besides: a rewind removes what its source does not have there. Move it to a directory beside`,
    ];
  });
}

function few(names: readonly string[]): string {
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ", ..." : "");
}

/** Before PostgreSQL needs them; what spaceProblems names has been refused. */
export function planSpaces(host: string, want: Spaces, found: readonly SpaceDirectory[]): Action[] {
  return Object.entries(want).flatMap(([name, { directory }]): Action[] => {
    const have = found.find((one) => one.directory === directory);
    if (have === undefined || isSpaceReady(have)) return [];
    const why =
      have.is === "absent"
        ? `make ${directory} for the tablespace ${name}: a standby that replays its creation without it stops`
        : `${directory}, of the tablespace ${name}, is "${have.ownership}", PostgreSQL asks for "${SPACE_OWNERSHIP}"`;
    return [{ do: "run", host, needs: "root", why, script: makeScript(directory) }];
  });
}

/** Each directory that is made has its label before anything is in it. */
function makeScript(directory: string): string {
  return `dir=${sh(directory)}
near=$dir
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
( umask 022; mkdir -p "$(dirname "$dir")" )
install -d -o postgres -g postgres -m 0700 "$dir"
if command -v restorecon >/dev/null; then
  made=$dir
  while [ "$made" != "$near" ]; do restorecon "$made"; made=$(dirname "$made"); done
fi
runuser -u postgres -- test -w "$dir" || { echo "the user postgres cannot get to $dir: a directory on the way is closed to it" >&2; exit 1; }`;
}

/** What a clone will find of data that are gone, and keep; "" where there is nothing. */
export function keptSpaces(found: readonly SpaceDirectory[]): string {
  const rests = found.flatMap(({ directory, left }) =>
    left === undefined ? [] : [`${directory}/${left.name}, ${mib(left.sizeKib)}, in ${directory}.former-...`],
  );
  return rests.length === 0 ? "" : `; what is left of data that are gone is kept: ${rests.join("; ")}`;
}
