import type { Checked } from "./check";
import { clusterFamily, dataDirectory } from "./deriveCluster";
import { DIRECTORY_RULE, isGoodDirectory, isNested, plainDirectory } from "./directory";
import { type Path, problemAt } from "./located";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";
import { kept } from "./deriveContent";

/** Tablespaces by themselves, and what names one that is not there. */
export function checkTablespaces(
  checked: Checked,
  at: readonly string[],
  cluster: RawCluster,
  roles: readonly string[],
): void {
  for (const [name, own] of Object.entries(cluster.tablespaces)) {
    const here = [...at, "tablespaces", name];
    if (name.startsWith("pg_"))
      checked.report(here, `'${name}' is a name that PostgreSQL keeps for its own; choose another`);
    if (own.removed) continue;
    const { directory, owner } = own;
    if (directory === undefined && checked.isWhole([...here, "directory"]))
      checked.report(here, "'directory' is missing");
    if (directory !== undefined && !isGoodDirectory(directory)) {
      checked.report(
        [...here, "directory"],
        `no good directory: ${DIRECTORY_RULE}; found ${JSON.stringify(directory)}`,
      );
    }
    const owners = [...roles, "postgres"];
    if (owner !== undefined && !owners.includes(owner)) {
      checked.report([...here, "owner"], unknownName("role", owner, owners));
    }
  }
  const known = ["pg_default", ...checked.names(...at, "tablespaces")].filter(
    (name) => cluster.tablespaces[name]?.removed !== true,
  );
  for (const [database, { tablespace, removed }] of Object.entries(cluster.databases)) {
    if (removed || tablespace === undefined || known.includes(tablespace)) continue;
    checked.report([...at, "databases", database, "tablespace"], unknownName("tablespace", tablespace, known));
  }
}

interface Place {
  readonly what: string;
  readonly directory: string;
  readonly path: Path;
  /** Data directories clash among themselves elsewhere (checkPlacement.ts). */
  readonly isTablespace: boolean;
}

/**
 * A directory belongs to one tablespace of one cluster: what two of them kept there, a clone, a rejoin or an upgrade of the one
 * would move from under the other.
 */
export function checkTablespacePlacement(checked: Checked): void {
  const byHost = new Map<string, Place[]>();
  const reported = new Set<string>();
  for (const [name, cluster] of checked.clusters()) {
    const all = placesOf(checked, name, cluster);
    for (const { host, role } of Object.values(cluster.nodes)) {
      // A witness has data of its own, and none of the tablespaces.
      const places = all.filter(({ isTablespace }) => role !== "witness" || !isTablespace);
      const before = byHost.get(host) ?? [];
      places.forEach((place, index) => {
        const other = [...before, ...places.slice(0, index)].find(
          ({ directory, isTablespace }) => (isTablespace || place.isTablespace) && isNested(directory, place.directory),
        );
        const at = JSON.stringify(place.path);
        if (other === undefined || reported.has(at)) return;
        reported.add(at);
        checked.report(place.path, `${place.directory}, on host '${host}', ${clash(checked, place, other)}`);
      });
      byHost.set(host, [...before, ...places]);
    }
  }
}

function clash(checked: Checked, place: Place, other: Place): string {
  const { file, line } = problemAt(checked.root, other.path, "");
  const how =
    place.directory === other.directory
      ? "is"
      : place.directory.startsWith(`${other.directory}/`)
        ? `lies in ${other.directory},`
        : `holds ${other.directory},`;
  return `${how} the directory of ${other.what} (${file}:${line}); a tablespace needs one of its own`;
}

function placesOf(checked: Checked, name: string, cluster: RawCluster): Place[] {
  const at = ["postgresql_clusters", name];
  const whole = (key: string): boolean => checked.isWhole([...at, key]);
  const data: Place[] = [
    {
      what: `the cluster '${name}'`,
      directory: dataDirectory(name, cluster, clusterFamily(cluster, checked.raw)),
      path: [...at, "data_directory"],
      isTablespace: false,
    },
  ];
  const spaces = kept(cluster.tablespaces).flatMap(([space, { directory }]): Place[] => {
    if (directory === undefined) return [];
    const what = `the tablespace '${space}' of the cluster '${name}'`;
    const path = [...at, "tablespaces", space, "directory"];
    return [{ what, directory: plainDirectory(directory), path, isTablespace: true }];
  });
  return [...(whole("data_directory") && whole("version") ? data : []), ...spaces];
}
