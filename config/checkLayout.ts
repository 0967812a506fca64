import type { Checked } from "./check";
import type { RawCluster } from "./schema";

/** What only a cluster that was built by others has, what it must have, and what it cannot have. */
export function checkLayout(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  if (!checked.isWhole([...at, "layout"])) return;
  if (cluster.layout === undefined) {
    refuseForeign(checked, at, cluster);
    return;
  }
  if (cluster.monitoring !== undefined) {
    checked.report(
      [...at, "monitoring"],
      "a cluster with a layout gets no units from this program; remove 'monitoring'",
    );
  }
  for (const key of ["hba", "clients"] as const) {
    if (cluster[key].length === 0) continue;
    const message = `a cluster with a layout has its pg_hba.conf in 'hba_lines', and its hosts' firewalls are left alone; remove '${key}'`;
    checked.report([...at, key], message);
  }
  if (cluster.rolling.unit_changes) {
    checked.report([...at, "rolling", "unit_changes"], "units that others have written are left as they are");
  }
  if (Object.keys(cluster.limits).length > 0) {
    checked.report([...at, "limits"], "units that others have written are left as they are");
  }
  if (cluster.allow_data_loss) {
    checked.report([...at, "allow_data_loss"], "data that others have made are never removed by this program");
  }
  const own: Record<string, string> = { port: String(cluster.port), data_directory: cluster.data_directory ?? "" };
  for (const [setting, value] of Object.entries(own)) {
    const found = cluster.settings[setting];
    if (found === undefined || String(found).replace(/\/+$/, "") === value) continue;
    const message = `says ${String(found)}, and '${setting}' of the cluster says ${value || "nothing"}`;
    checked.report([...at, "settings", setting], message);
  }
  if (cluster.data_directory === undefined) {
    checked.report([...at, "layout"], "a cluster with a layout needs its 'data_directory'");
  }
  for (const [node, { repmgr }] of Object.entries(cluster.nodes)) {
    if (typeof repmgr.conninfo === "string") continue;
    checked.report([...at, "nodes", node], "a node of a cluster with a layout needs 'conninfo' under 'repmgr'");
  }
}

function refuseForeign(checked: Checked, at: string[], cluster: RawCluster): void {
  const remedy = "it is for clusters with a 'layout', which were built by others";
  if (cluster.hba_lines.length > 0) checked.report([...at, "hba_lines"], `${remedy}; use 'hba'`);
  for (const [node, { settings, repmgr }] of Object.entries(cluster.nodes)) {
    const here = [...at, "nodes", node];
    if (Object.keys(settings).length > 0) checked.report([...here, "settings"], `${remedy}; use those of the cluster`);
    if (Object.keys(repmgr).length > 0) checked.report([...here, "repmgr"], `${remedy}; use those of the cluster`);
  }
}
