import type { Family } from "../config/types";
import { debian } from "./debian";
import { redhat } from "./redhat";
import type { ClusterPaths, ClusterPlace, FamilyLayout } from "./types";

export type { ClusterPaths, ClusterPlace, FamilyLayout } from "./types";

const FAMILIES: Readonly<Record<Family, FamilyLayout>> = { debian, redhat };

export function familyLayout(family: Family): FamilyLayout {
  return FAMILIES[family];
}

/** Packages that bring PostgreSQL and repmgr of one major version, the server first. */
export function packagesOf(family: Family, version: number): string[] {
  const layout = familyLayout(family);
  return [...layout.serverPackages(version), layout.repmgrPackage(version)];
}

/** The families that a release of a distribution belongs to; none: it is not supported. @param release "rocky 9.5" */
export function familiesOf(release: string): Family[] {
  const isOf = (supported: string): boolean => release === supported || release.startsWith(`${supported}.`);
  return (Object.keys(FAMILIES) as Family[]).filter((family) => FAMILIES[family].supported.some(isOf));
}

/** Where a unit of ours is; what packages bring lies elsewhere (systemd.unit(5), "Unit File Load Path"). */
export function unitPath(unit: string): string {
  return `/etc/systemd/system/${unit}`;
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
    certificate: `${directory}/server.pem`,
    authorities: `${directory}/ca.crt`,
    loginCertificate: `${directory}/repmgr.pem`,
    startGuard: `${directory}/start-guard`,
    failoverValidation: `${directory}/failover-validation`,
    promote: `${directory}/promote`,
    fence: `${directory}/fence`,
    event: `${directory}/event`,
    fenceMark: `/run/postgresql/${cluster}.fenced`,
    startAnyway: `/run/postgresql/${cluster}.start-anyway`,
    upgradeMark: `${directory}/major-upgrade`,
    sudoers: `/etc/sudoers.d/repmgr-${cluster}`,
    check: `${directory}/check`,
    checkService: `repmgr-check-${cluster}.service`,
    checkTimer: `repmgr-check-${cluster}.timer`,
    postgresqlUnit: `postgresql-${cluster}.service`,
    repmgrdUnit: `repmgrd-${cluster}.service`,
    repmgrdPidFile: `/run/repmgrd-${cluster}/repmgrd.pid`,
    logDirectory: `/var/log/postgresql/${cluster}`,
    socketDirectory: "/run/postgresql",
    ...layout,
  };
}
