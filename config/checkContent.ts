import type { Checked } from "./check";
import { checkGrants } from "./checkGrants";
import { checkPublished } from "./checkPublished";
import { checkTablespaces } from "./checkTablespaces";
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

/** PostgreSQL's own roles that others can be members of, and since which version (documentation, "Predefined Roles"). */
const PREDEFINED: Readonly<Record<string, number>> = {
  pg_monitor: 13,
  pg_read_all_settings: 13,
  pg_read_all_stats: 13,
  pg_stat_scan_tables: 13,
  pg_read_server_files: 13,
  pg_write_server_files: 13,
  pg_execute_server_program: 13,
  pg_signal_backend: 13,
  pg_read_all_data: 14,
  pg_write_all_data: 14,
  pg_checkpoint: 15,
  pg_use_reserved_connections: 16,
  pg_create_subscription: 16,
  pg_maintain: 17,
};
const PROVIDERS: Readonly<Record<string, number>> = { libc: 13, icu: 15, builtin: 17 };

/** Roles and databases: names that are taken, and what they name that is not there. */
export function checkContent(checked: Checked, name: string, cluster: RawCluster): void {
  const at = ["postgresql_clusters", name];
  const roles = checked.names(...at, "roles").filter((role) => cluster.roles[role]?.removed !== true);
  checkRemoved(checked, at, cluster);
  checkRoles(checked, at, cluster, roles);
  checkPublished(checked, at, cluster, roles);
  checkTablespaces(checked, at, cluster, roles);
  for (const [database, own] of Object.entries(cluster.databases)) {
    const here = [...at, "databases", database];
    if (own.removed) continue;
    if (TAKEN_DATABASES.includes(database)) {
      checked.report(here, `'${database}' is taken by PostgreSQL or repmgr; choose another name`);
    }
    checkGrants(checked, here, cluster, roles);
    checkLocale(checked, here, cluster, own);
    checkTemplate(checked, here, own, checked.names(...at, "databases"));
    const owners = [[...here, "owner"], ...Object.keys(own.schemas ?? {}).map((s) => [...here, "schemas", s, "owner"])];
    for (const path of owners) {
      const owner = path.length === here.length + 1 ? own.owner : own.schemas?.[path.at(-2) ?? ""]?.owner;
      if (owner !== undefined && !roles.includes(owner)) checked.report(path, unknownName("role", owner, roles));
    }
  }
}

/** Two words in two places: no role and no data go by a slip. */
function checkRemoved(checked: Checked, at: string[], cluster: RawCluster): void {
  if (cluster.allow_drop) return;
  for (const kind of ["roles", "databases", "tablespaces"] as const) {
    for (const [name, { removed }] of Object.entries<{ removed: boolean }>(cluster[kind])) {
      if (!removed) continue;
      checked.report([...at, kind, name, "removed"], "it drops only with 'allow_drop: true' of the cluster");
    }
  }
}

function checkRoles(checked: Checked, at: string[], cluster: RawCluster, roles: readonly string[]): void {
  const predefined = Object.keys(PREDEFINED).filter((role) => (PREDEFINED[role] ?? 0) <= cluster.version);
  for (const [role, own] of Object.entries(cluster.roles)) {
    const here = [...at, "roles", role];
    if (TAKEN_ROLES.includes(role) || role.startsWith("pg_")) {
      checked.report(here, `'${role}' is taken by PostgreSQL or repmgr; choose another name`);
    }
    if (own.removed) continue;
    own.member_of?.forEach((group, index) => {
      const path = [...here, "member_of", index];
      if (!roles.includes(group) && !predefined.includes(group)) {
        checked.report(path, unknownName("role", group, [...roles, ...predefined]));
      } else if (circle(cluster.roles, role, group)) {
        checked.report(path, `'${group}' is a member of '${role}' itself, and PostgreSQL allows no circle`);
      }
    });
  }
}

/** Whether a group is, over however many others, a member of the role. */
function circle(roles: RawCluster["roles"], role: string, group: string, seen: readonly string[] = []): boolean {
  if (group === role) return true;
  if (seen.includes(group)) return false;
  return (roles[group]?.member_of ?? []).some((next) => circle(roles, role, next, [...seen, group]));
}

function checkLocale(
  checked: Checked,
  here: string[],
  { version }: RawCluster,
  { provider, locale }: RawCluster["databases"][string],
): void {
  if (provider === undefined) return;
  const since = PROVIDERS[provider] ?? 0;
  const path = [...here, "provider"];
  if (version < since) checked.report(path, `${provider} is known from PostgreSQL ${since} on, this is ${version}`);
  else if (locale === undefined) checked.report(path, "a provider needs 'locale' beside it");
}

function checkTemplate(
  checked: Checked,
  here: string[],
  { template }: RawCluster["databases"][string],
  databases: readonly string[],
): void {
  const known = ["template0", "template1", ...databases.filter((database) => database !== here.at(-1))];
  if (template === undefined || known.includes(template)) return;
  checked.report([...here, "template"], unknownName("database", template, known));
}
