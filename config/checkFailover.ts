import type { Checked } from "./check";
import { deriveFencing, walSenderTimeout } from "./deriveFencing";
import { isOn } from "./isOn";
import type { RawCluster } from "./schema";

/** pg_checkpoint (PostgreSQL 15 release notes). */
const LIMITED_SINCE = 15;
/** repmgr 5.5, sysutils.c, disable_wal_receiver; met on a host: the right to ALTER SYSTEM does not help. */
const DISCONNECT = "standby_disconnect_on_failover";

/** What fencing, events and synchronous replication need, and where they cannot be. */
export function checkFailover(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  checkRole(checked, at, cluster);
  if (cluster.layout !== undefined && checked.isWhole([...at, "layout"])) {
    refuseWithLayout(checked, at, cluster);
    return;
  }
  checkFencing(checked, at, cluster);
  checkSynchronous(checked, at, cluster);
  if (cluster.events.command !== undefined && cluster.repmgr.options.event_notification_command !== undefined) {
    const message =
      "the option stands in the place of the program's own script, which runs 'events.command'; remove one of the two";
    checked.report([...at, "repmgr", "options", "event_notification_command"], message);
  }
}

/** What a role without superuser cannot be given before that version, and where it has not been tried. */
function checkRole(checked: Checked, at: string[], { repmgr, version, layout }: RawCluster): void {
  if (repmgr.superuser) return;
  const path = [...at, "repmgr", "superuser"];
  if (version < LIMITED_SINCE) {
    const lacks = "CHECKPOINT, which the registration of a delayed standby needs, is for superusers alone before";
    checked.report(path, `${lacks} PostgreSQL ${LIMITED_SINCE}; this is ${version}`);
  }
  if (isOn(repmgr.options[DISCONNECT])) {
    const remedy = "remove it, or write 'superuser: true'";
    const message = `repmgrd does it with a superuser's connection alone, whatever its role may: ${remedy}`;
    checked.report([...at, "repmgr", "options", DISCONNECT], message);
  }
  if (layout !== undefined) {
    checked.report(path, "a cluster with a 'layout' keeps the role that others have made, a superuser");
  }
}

function refuseWithLayout(checked: Checked, at: string[], cluster: RawCluster): void {
  const remedy = "a cluster with a 'layout' runs no script of this program";
  if (cluster.start_without_peers !== "refuse")
    checked.report([...at, "start_without_peers"], `${remedy}, so no start guard`);
  if (cluster.events.command !== undefined) {
    checked.report([...at, "events"], `${remedy}; set 'event_notification_command' under 'repmgr.options'`);
  }
  if (cluster.synchronous !== undefined) {
    checked.report(
      [...at, "synchronous"],
      "in a cluster with a 'layout' set 'synchronous_standby_names' under 'settings'",
    );
  }
}

/** A primary learns from its walsenders that its standbys are gone. */
function checkFencing(checked: Checked, at: string[], cluster: RawCluster): void {
  if (deriveFencing(cluster) === undefined || walSenderTimeout(cluster) !== 0) return;
  const message =
    "a primary that was cut off would never notice, so it could not be fenced; give a time, or set 'fencing: off'";
  checked.report([...at, "settings", "wal_sender_timeout"], message);
}

function checkSynchronous(checked: Checked, at: string[], cluster: RawCluster): void {
  if (cluster.synchronous === undefined) return;
  const candidates = Object.values(cluster.nodes).filter(({ role, priority }) => role !== "witness" && priority > 0);
  const most = candidates.length - 1;
  if (cluster.synchronous.num <= most) return;
  const have = most < 1 ? "no standby" : `${most} ${most === 1 ? "standby" : "standbys"}`;
  const message = `${cluster.synchronous.num} standbys shall confirm each commit, and there is ${have} with a priority above 0`;
  checked.report([...at, "synchronous"], message);
}
