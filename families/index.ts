import type { Family } from "../config/types";
import { debian } from "./debian";
import type { ClusterPaths, ClusterPlace, FamilyLayout } from "./types";

export type { ClusterPaths, ClusterPlace, FamilyLayout } from "./types";

const FAMILIES: Readonly<Record<Family, FamilyLayout>> = { debian };

export function familyLayout(family: Family): FamilyLayout {
  return FAMILIES[family];
}

/** A unit as people type it. */
export function shortUnit(unit: string): string {
  return unit.replace(/\.service$/, "");
}

/** Where everything of one cluster lives on its hosts: as the family has it, or where those who built it have put it. */
export function clusterPaths({ family, cluster, dataDirectory, layout }: ClusterPlace): ClusterPaths {
  const directory = familyLayout(family).clusterDirectory(cluster);
  return {
    directory,
    configFile: `${dataDirectory}/postgresql.conf`,
    hbaFile: `${dataDirectory}/pg_hba.conf`,
    repmgrConf: `${directory}/repmgr.conf`,
    passFile: `${directory}/pgpass`,
    startGuard: `${directory}/start-guard`,
    failoverValidation: `${directory}/failover-validation`,
    fence: `${directory}/fence`,
    event: `${directory}/event`,
    fenceMark: `/run/postgresql/${cluster}.fenced`,
    startAnyway: `/run/postgresql/${cluster}.start-anyway`,
    upgradeMark: `${directory}/major-upgrade`,
    sudoers: `/etc/sudoers.d/repmgr-${cluster}`,
    postgresqlUnit: `postgresql-${cluster}.service`,
    repmgrdUnit: `repmgrd-${cluster}.service`,
    repmgrdPidFile: `/run/repmgrd-${cluster}/repmgrd.pid`,
    logDirectory: `/var/log/postgresql/${cluster}`,
    socketDirectory: "/run/postgresql",
    ...layout,
  };
}
