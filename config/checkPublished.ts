import type { Checked } from "./check";
import { checkFailoverSlots } from "./checkFailoverSlots";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

type RawDatabase = RawCluster["databases"][string];
type RawPublication = NonNullable<RawDatabase["publications"]>[string];

const SCHEMAS_SINCE = 15;

/** Publications and logical slots: what one publishes, names that are taken, and what the server must be set to for them. */
export function checkPublished(checked: Checked, at: string[], cluster: RawCluster, roles: readonly string[]): void {
  const owners = new Map<string, string>();
  const needLogical: string[][] = [];
  const failOver: string[][] = [];
  for (const [database, own] of Object.entries(cluster.databases)) {
    const here = [...at, "databases", database];
    for (const [name, publication] of Object.entries(own.publications ?? {})) {
      const path = [...here, "publications", name];
      if (isDropped(checked, path, cluster, publication)) continue;
      checkPublication(checked, path, cluster, publication, roles);
      needLogical.push(path);
    }
    for (const [name, slot] of Object.entries(own.slots ?? {})) {
      const path = [...here, "slots", name];
      const other = owners.get(name);
      if (other !== undefined)
        checked.report(path, `'${other}' has a slot of this name; it counts in the whole cluster`);
      owners.set(name, database);
      if (/^repmgr_slot_/.test(name)) checked.report(path, `'${name}' is taken by repmgr; choose another name`);
      if (!isDropped(checked, path, cluster, slot)) needLogical.push(path);
      if (slot.failover) failOver.push([...path, "failover"]);
    }
  }
  checkFailoverSlots(checked, at, cluster, failOver);
  checkLevel(checked, at, cluster, needLogical[0]);
}

function isDropped(
  checked: Checked,
  path: string[],
  { allow_drop: allowDrop }: RawCluster,
  { removed }: { removed: boolean },
): boolean {
  if (removed && !allowDrop) {
    checked.report([...path, "removed"], "it drops only with 'allow_drop: true' of the cluster");
  }
  return removed;
}

function checkPublication(
  checked: Checked,
  path: string[],
  { version }: RawCluster,
  { owner, tables, schemas, all_tables: all }: RawPublication,
  roles: readonly string[],
): void {
  const forms = [tables, schemas, all ? true : undefined].filter((form) => form !== undefined).length;
  // One that is not sound has been reported and is not seen here.
  if (forms !== 1 && ["tables", "schemas", "all_tables"].every((key) => checked.isWhole([...path, key]))) {
    checked.report(path, "expected one of 'tables', 'schemas' and 'all_tables: true'");
  }
  if (schemas !== undefined && version < SCHEMAS_SINCE) {
    const message = `whole schemas are published from PostgreSQL ${SCHEMAS_SINCE} on, this is ${version}; name 'tables'`;
    checked.report([...path, "schemas"], message);
  }
  if (owner !== undefined && !roles.includes(owner)) {
    checked.report([...path, "owner"], unknownName("role", owner, roles));
  }
}

/** It is the user's to write: it restarts every node, and while logical slots are there nothing leads back. */
function checkLevel(checked: Checked, at: string[], { settings }: RawCluster, first: string[] | undefined): void {
  if (first === undefined || settings.wal_level === "logical") return;
  const path = settings.wal_level === undefined ? first : [...at, "settings", "wal_level"];
  checked.report(
    path,
    "publications and logical slots need wal_level logical; write 'wal_level: logical' under 'settings' of the cluster",
  );
}
