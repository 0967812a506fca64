import type { Checked } from "./check";
import { copiesSlots, failoverSlots, slotHeirs } from "./deriveFailoverSlots";
import { canonicalValue } from "./deriveSettings";
import { isOn } from "./isOn";
import { priorityOf } from "./nodeDefaults";
import type { RawCluster } from "./schema";

const SINCE = 17;
const OWN = ["sync_replication_slots", "synchronized_standby_slots"] as const;
const SCRIPT = ["event_notification_command", "event_notifications"] as const;

/** What slots that fail over need, and what keeps them from it. @param paths of those slots */
export function checkFailoverSlots(checked: Checked, at: string[], cluster: RawCluster, paths: string[][]): void {
  const [first] = paths;
  if (first === undefined || failoverSlots(cluster).length === 0) return;
  const { version, layout } = cluster;
  if (version < SINCE) {
    for (const path of paths) {
      checked.report(path, `slots fail over from PostgreSQL ${SINCE} on, this is ${version}; remove it`);
    }
    return;
  }
  if (layout !== undefined) {
    const message =
      "a cluster with a 'layout' runs no script of this program, without which no standby would keep copies";
    checked.report(first, `${message}; remove it`);
    return;
  }
  checkOwnSettings(checked, at, cluster);
  for (const option of SCRIPT.filter((name) => cluster.repmgr.options[name] !== undefined)) {
    const message = `slots fail over by what the program's own script does at repmgr's events; remove '${option}'`;
    checked.report([...at, "repmgr", "options", option], message);
  }
  checkHeirs(checked, at, cluster, first);
}

function checkOwnSettings(checked: Checked, at: string[], { settings }: RawCluster): void {
  for (const name of OWN.filter((own) => settings[own] !== undefined)) {
    checked.report([...at, "settings", name], `the program sets '${name}' for the slots with 'failover'; remove it`);
  }
  const { hot_standby_feedback: feedback } = settings;
  if (feedback === undefined || isOn(feedback)) return;
  const message = `the slots with 'failover' need it on, found ${canonicalValue(feedback)}; remove it`;
  checked.report([...at, "settings", "hot_standby_feedback"], message);
}

/** Who may be promoted without the copies would lose them for everybody. */
function checkHeirs(checked: Checked, at: string[], cluster: RawCluster, first: string[]): void {
  for (const [name, node] of Object.entries(cluster.nodes)) {
    if (node.role === "witness" || copiesSlots(node) || priorityOf(node) === 0) continue;
    const message = `a standby copies slots from the primary alone, so '${name}' would be promoted without those with 'failover'; set 'priority: 0'`;
    checked.report([...at, "nodes", name, "upstream"], message);
  }
  if (slotHeirs(cluster).length > 1) return;
  checked.report(first, "nobody keeps copies of it: it needs two nodes that may be primary; remove it");
}
