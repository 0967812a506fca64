import type { Checked } from "./check";
import { isWorld, openMessage } from "./checkHba";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

export function checkAccess(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  cluster.clients.forEach((network, index) => {
    if (isWorld(network) && !cluster.open_to_world && checked.isWhole([...at, "open_to_world"])) {
      checked.report([...at, "clients", index], openMessage(network));
    }
  });
  checkHooks(checked, at, cluster);
}

function checkHooks(checked: Checked, at: string[], cluster: RawCluster): void {
  cluster.hooks.after_deploy.forEach(({ on }, index) => {
    const targets = ["control", ...checked.names(...at, "nodes")];
    if (!targets.includes(on)) {
      checked.report([...at, "hooks", "after_deploy", index, "on"], unknownName("hook target", on, targets));
    }
  });
}
