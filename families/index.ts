import type { Family } from "../config/types";
import { debian } from "./debian";
import type { ClusterPaths, FamilyLayout } from "./types";

export type { ClusterPaths, FamilyLayout } from "./types";

const FAMILIES: Readonly<Record<Family, FamilyLayout>> = { debian };

export function familyLayout(family: Family): FamilyLayout {
  return FAMILIES[family];
}

/** Where everything of one cluster lives on its hosts. */
export function clusterPaths(family: Family, cluster: string): ClusterPaths {
  const directory = familyLayout(family).clusterDirectory(cluster);
  return {
    directory,
    repmgrConf: `${directory}/repmgr.conf`,
    passFile: `${directory}/pgpass`,
    startGuard: `${directory}/start-guard`,
    startAnyway: `/run/postgresql/${cluster}.start-anyway`,
    sudoers: `/etc/sudoers.d/repmgr-${cluster}`,
    postgresqlUnit: `postgresql-${cluster}.service`,
    repmgrdUnit: `repmgrd-${cluster}.service`,
    repmgrdPidFile: `/run/repmgrd-${cluster}/repmgrd.pid`,
    logDirectory: `/var/log/postgresql/${cluster}`,
    socketDirectory: "/run/postgresql",
  };
}
