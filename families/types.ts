import type { ClusterLayout, Family } from "../config/types";

/** What differs between families of Linux distributions. One file a family; adding a family is adding a file. */
export interface FamilyLayout {
  /** Directory with postgres, initdb, repmgr, repmgrd of one major version. */
  binDirectory(version: number): string;
  /** Packages that bring PostgreSQL and repmgr of one major version. */
  packages(version: number): string[];
  /** Path of the repmgr.conf and the other small files of a cluster. */
  clusterDirectory(cluster: string): string;
  readonly systemctl: string;
  readonly sudo: string;
}

/** What decides where a cluster's parts lie. */
export interface ClusterPlace {
  readonly family: Family;
  readonly cluster: string;
  readonly dataDirectory: string;
  /** Of a cluster that was built by others. */
  readonly layout?: ClusterLayout;
}

/** Names and paths that belong to one cluster on a host; no two clusters ever share one. */
export interface ClusterPaths {
  readonly directory: string;
  readonly configFile: string;
  readonly hbaFile: string;
  readonly repmgrConf: string;
  readonly passFile: string;
  readonly startGuard: string;
  /** Decides whether the winner of an election is promoted; ends the writes of a primary that was cut off; tells of events. */
  readonly failoverValidation: string;
  readonly fence: string;
  readonly event: string;
  /** Why the fence stopped PostgreSQL, as it left it; true of this instance until it is started again. */
  readonly fenceMark: string;
  /** Made by who knows that no other primary runs; the start guard lets the next start pass, once, and removes it. */
  readonly startAnyway: string;
  /** Stands while the cluster is taken to another major version, on the host of its primary. */
  readonly upgradeMark: string;
  readonly sudoers: string;
  readonly postgresqlUnit: string;
  readonly repmgrdUnit: string;
  /** Exists, holding repmgrd's process id, once repmgrd has passed its own checks and monitors (repmgrd.c, main). */
  readonly repmgrdPidFile: string;
  readonly logDirectory: string;
  readonly socketDirectory: string;
}
