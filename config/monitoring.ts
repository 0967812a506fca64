import { posix } from "node:path";
import type { RawMonitoring } from "./schemaMonitoring";

export interface Threshold {
  readonly warning: number;
  readonly critical: number;
}

/** From which value on a check warns, and from which it is critical. Whole numbers. */
export const THRESHOLDS = {
  lag_seconds: { warning: 60, critical: 600, about: "A standby is behind by so many seconds, besides its 'delay'." },
  slot_megabytes: { warning: 1024, critical: 8192, about: "A replication slot keeps so many megabytes of WAL." },
  archive_files: { warning: 16, critical: 128, about: "So many WAL files wait to be archived." },
  disk_percent: { warning: 80, critical: 90, about: "So much of the file system of PGDATA, or of pg_wal, is used." },
  wraparound_xids: {
    ...{ warning: 500_000_000, critical: 1_000_000_000 },
    about: "The oldest transaction or multixact of a database is so many back.",
  },
  certificate_days: {
    warning: 30,
    critical: 7,
    about: "The certificate of 'ssl_cert_file', or that of 'replication_certificates', expires in so many days.",
  },
  backup_hours: { warning: 26, critical: 50, about: "The last backup is so many hours old." },
} as const;
export type ThresholdName = keyof typeof THRESHOLDS;
export type Thresholds = Readonly<Record<ThresholdName, Threshold>>;

/** Where the smaller value is the worse one. */
export const FALLING: readonly ThresholdName[] = ["certificate_days"];

/** Where Debian's package of node_exporter looks. */
export const TEXTFILE_DIRECTORY = "/var/lib/prometheus/node-exporter";

/** What is checked on the nodes of a cluster, and where the metrics go. */
export interface MonitoringSpec {
  readonly textfileDirectory: string;
  /** Absent: no backup is declared. */
  readonly backupStamp?: string;
  /** Files; none where the server has no certificate. */
  readonly certificates: readonly string[];
  readonly thresholds: Thresholds;
}

/** @param certificates files; relative to the data directory, as PostgreSQL takes ssl_cert_file */
export function deriveMonitoring(
  raw: RawMonitoring,
  dataDirectory: string,
  certificates: readonly string[],
): MonitoringSpec | undefined {
  if (raw === undefined) return undefined;
  return {
    textfileDirectory: raw.textfile_directory,
    backupStamp: raw.backup_stamp,
    certificates: certificates.map((file) => posix.resolve(dataDirectory, file)),
    thresholds: raw.thresholds,
  };
}
