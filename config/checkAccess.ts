import type { Checked } from "./check";
import { isWorld, openMessage } from "./checkHba";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

/** Words with a meaning of their own in pg_hba.conf or in SQL, and what PostgreSQL and repmgr bring along. */
const TAKEN_DATABASES = [
  "all",
  "sameuser",
  "samerole",
  "samegroup",
  "replication",
  "postgres",
  "template0",
  "template1",
  "repmgr",
];
const TAKEN_ROLES = ["all", "public", "none", "current_user", "current_role", "session_user", "postgres", "repmgr"];

export function checkAccess(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  cluster.clients.forEach((network, index) => {
    if (isWorld(network) && !cluster.open_to_world && checked.isWhole([...at, "open_to_world"])) {
      checked.report([...at, "clients", index], openMessage(network));
    }
  });
  for (const role of Object.keys(cluster.roles)) {
    if (TAKEN_ROLES.includes(role) || role.startsWith("pg_")) {
      checked.report([...at, "roles", role], `'${role}' is taken by PostgreSQL or repmgr; choose another name`);
    }
  }
  checkDatabases(checked, at, cluster);
  checkHooks(checked, at, cluster);
}

function checkDatabases(checked: Checked, at: string[], cluster: RawCluster): void {
  for (const [database, { owner }] of Object.entries(cluster.databases)) {
    const here = [...at, "databases", database];
    if (TAKEN_DATABASES.includes(database)) {
      checked.report(here, `'${database}' is taken by PostgreSQL or repmgr; choose another name`);
    }
    const roles = checked.names(...at, "roles");
    if (owner !== undefined && !roles.includes(owner)) {
      checked.report([...here, "owner"], unknownName("role", owner, roles));
    }
  }
}

function checkHooks(checked: Checked, at: string[], cluster: RawCluster): void {
  cluster.hooks.after_deploy.forEach(({ on }, index) => {
    const targets = ["control", ...checked.names(...at, "nodes")];
    if (!targets.includes(on)) {
      checked.report([...at, "hooks", "after_deploy", index, "on"], unknownName("hook target", on, targets));
    }
  });
}
