import { z } from "zod";
import { FALLING, TEXTFILE_DIRECTORY, THRESHOLDS, type ThresholdName } from "./monitoring";
import { textOf } from "./schemaParts";

const path = (description: string) =>
  textOf(description).regex(/^\/[^$]*$/, "expected an absolute path without a dollar sign");

function threshold(name: ThresholdName) {
  const { warning, critical, about } = THRESHOLDS[name];
  const limit = z.int().min(1).max(2_000_000_000);
  return z
    .strictObject({
      warning: limit.default(warning).describe("Warning from here on."),
      critical: limit.default(critical).describe("Critical from here on."),
    })
    .refine((found) => FALLING.includes(name) === found.critical < found.warning, {
      message: `'critical' has to be ${FALLING.includes(name) ? "less" : "no less"} than 'warning'`,
    })
    .prefault({})
    .describe(about);
}

export const monitoringSchema = z
  .strictObject({
    textfile_directory: path("Where node_exporter's textfile collector looks for metrics.").default(TEXTFILE_DIRECTORY),
    backup_stamp: path(
      "File that your backup writes or touches on the primary's host when it has succeeded. Without it no age of a backup is checked.",
    ).optional(),
    thresholds: z
      .strictObject({
        lag_seconds: threshold("lag_seconds"),
        slot_megabytes: threshold("slot_megabytes"),
        archive_files: threshold("archive_files"),
        disk_percent: threshold("disk_percent"),
        wraparound_xids: threshold("wraparound_xids"),
        certificate_days: threshold("certificate_days"),
        backup_hours: threshold("backup_hours"),
      })
      .prefault({})
      .describe("When a check warns, and when it is critical."),
  })
  .optional()
  .describe("A check of every node, twice a minute, as metrics for node_exporter and for Nagios. Default: none.");

export type RawMonitoring = z.infer<typeof monitoringSchema>;
