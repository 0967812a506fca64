import { posix } from "node:path";
import type { MonitoringSpec } from "../config/monitoring";
import type { ClusterSpec, Inventory, NodeSpec } from "../config/types";
import { clusterPaths, familyLayout, unitPath } from "../families";
import type { SystemdUnitInputs } from "../providers/systemdUnit";
import { type TextSource, unitScript } from "../providers/unitScript";
import { sh, shJoin, sqlLiteral, systemdWord } from "../ssh/quote";
import { render } from "../templates/render";
import { reachOf, unitSpec } from "./inputs";

const SECONDS = 30;

const CHECKS = ["up", "lag", "slots", "archive", "repmgrd", "disk", "wraparound", "certificate", "backup"];

/** Every metric that a check can write, in the order of the file. Alerts and dashboard (monitoring/) name no others. */
export const METRICS: Readonly<Record<string, string>> = {
  repmgr_up: "Whether PostgreSQL of the node answers.",
  repmgr_primary: "Whether the node takes writes; of a witness there is none.",
  repmgr_check_status: "What a check says: 0 ok, 1 warning, 2 critical, 3 unknown.",
  repmgr_check_time_seconds: "When the node was checked.",
  repmgr_replication_streaming: "Whether the standby streams.",
  repmgr_replication_lag_seconds: "How far the standby is behind, besides its delay.",
  repmgr_standby_lag_bytes: "WAL that a standby of this node has not replayed yet.",
  repmgr_slot_active: "Whether somebody reads the replication slot.",
  repmgr_slot_wal_bytes: "WAL that is kept for the replication slot.",
  repmgr_archive_failing: "Whether the last file was not archived.",
  repmgr_archive_ready_files: "WAL files that wait to be archived.",
  repmgr_repmgrd_running: "Whether repmgrd runs.",
  repmgr_repmgrd_paused: "Whether repmgrd is paused.",
  repmgr_disk_used_ratio: "Used part of the file system.",
  repmgr_disk_free_bytes: "Free bytes of the file system.",
  repmgr_wraparound_xids: "Age of the oldest transaction of any database.",
  repmgr_wraparound_multixacts: "Age of the oldest multixact of any database.",
  repmgr_certificate_expiry_timestamp_seconds: "When the first certificate of the node expires.",
  repmgr_backup_timestamp_seconds: "When the last backup succeeded.",
};

/** Where things are that a test runs; default: the family's. */
export interface CheckElsewhere {
  readonly binDirectory?: string;
}

/** The metrics of a cluster on a host. */
function textfileOf(spec: ClusterSpec, { textfileDirectory }: MonitoringSpec): string {
  return posix.join(textfileDirectory, `repmgr_${spec.name}.prom`);
}

/** The script that looks at one node. @throws Error when a value holds a NUL */
export function checkScript(
  spec: ClusterSpec,
  node: NodeSpec,
  monitoring: MonitoringSpec,
  { binDirectory }: CheckElsewhere = {},
): TextSource {
  const paths = clusterPaths(unitSpec(spec));
  const { certificates, backupStamp, thresholds } = monitoring;
  const isWitness = node.initialRole === "witness";
  const checks = CHECKS.filter(
    (name) =>
      (name !== "certificate" || certificates.length > 0) &&
      (name !== "backup" || (backupStamp !== undefined && !isWitness)),
  );
  const view = {
    ...thresholds,
    cluster: spec.name,
    clusterWord: sh(spec.name),
    nodeWord: sh(node.name),
    data: sh(spec.dataDirectory),
    bin: sh(binDirectory ?? familyLayout(spec.family).binDirectory(spec.version)),
    socketDirectory: sh(paths.socketDirectory),
    port: spec.port,
    peers: ["", ...spec.nodes.map(({ name }) => name)].map(sqlLiteral).join(", "),
    textfile: sh(textfileOf(spec, monitoring)),
    names: checks.join(" "),
    role: isWitness ? "witness" : "",
    isData: !isWitness,
    certificates: shJoin(certificates),
    backupStamp: backupStamp === undefined || isWitness ? undefined : sh(backupStamp),
    metrics: Object.entries(METRICS).map(([name, help]) => ({ name, help: sh(help) })),
  };
  return { template: "check.sh", view };
}

/** The timer that has a node checked, with the service and the script that it starts. */
export function checkInputs(
  spec: ClusterSpec,
  inventory: Inventory,
  node: NodeSpec,
  monitoring: MonitoringSpec,
): Omit<SystemdUnitInputs, "kind" | "pending"> {
  const paths = clusterPaths(unitSpec(spec));
  const check = checkScript(spec, node, monitoring);
  const service = {
    template: "check.service",
    view: { cluster: spec.name, check: systemdWord(paths.check) },
  };
  return {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    unit: paths.checkTimer,
    content: render("check.timer", { cluster: spec.name, seconds: SECONDS }),
    files: [unitScript(paths.check, check, "0755"), unitScript(unitPath(paths.checkService), service, "0644")],
    sources: { [paths.check]: check, [unitPath(paths.checkService)]: service },
    leaves: ["", ".repmgr-pulumi"].map((part) => `${textfileOf(spec, monitoring)}${part}`),
    state: "enabled",
    running: true,
    dropIns: [],
  };
}
