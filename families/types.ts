import type { ClusterLayout, Family, PackageManager } from "../config/types";

/** What differs between families of Linux distributions. One file a family; adding a family is adding a file. */
export interface FamilyLayout {
  /** ID and VERSION_ID of os-release of what it was written for; "rocky 9" stands for 9.5, too. */
  readonly supported: readonly string[];
  readonly packageManager: PackageManager;
  /** Packages that bring PostgreSQL of one major version, all with the server's version, the server first. */
  serverPackages(version: number): string[];
  repmgrPackage(version: number): string;
  /** What a server says of itself that came with a package of this version. */
  serverVersion(packageVersion: string): string;
  /** Directory with postgres, initdb, repmgr, repmgrd of one major version. */
  binDirectory(version: number): string;
  /** Where the data of a cluster are, unless the inventory says otherwise. */
  dataDirectory(version: number, cluster: string): string;
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
  /** The server's private key, its certificate, and those that lead to the authority; outside of PGDATA, which pg_rewind copies. */
  readonly certificate: string;
  readonly authorities: string;
  /** Private key and certificate with which the node logs in to the others. */
  readonly loginCertificate: string;
  readonly startGuard: string;
  /** Decides whether the winner of an election is promoted, and promotes it; ends the writes of a primary that was cut off; tells of events. */
  readonly failoverValidation: string;
  readonly promote: string;
  readonly fence: string;
  readonly event: string;
  /** Why the fence stopped PostgreSQL, as it left it; true of this instance until it is started again. */
  readonly fenceMark: string;
  /** Made by who knows that no other primary runs; the start guard lets the next start pass, once, and removes it. */
  readonly startAnyway: string;
  /** Stands while the cluster is taken to another major version, on the host of its primary. */
  readonly upgradeMark: string;
  readonly sudoers: string;
  /** Looks at one node, for people, Nagios and node_exporter; its timer and the service that this starts. */
  readonly check: string;
  readonly checkService: string;
  readonly checkTimer: string;
  readonly postgresqlUnit: string;
  readonly repmgrdUnit: string;
  /** Exists, holding repmgrd's process id, once repmgrd has passed its own checks and monitors (repmgrd.c, main). */
  readonly repmgrdPidFile: string;
  readonly logDirectory: string;
  readonly socketDirectory: string;
}
