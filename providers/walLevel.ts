import type { ClusterInputs, MemberFacts } from "./cluster";
import { Refused } from "./kind";

type Wanting = ClusterInputs & { readonly settings: Readonly<Record<string, string>> };

/**
 * A server with logical slots does not start below wal_level logical (slot.c, RestoreSlotFromDisk), so a file that says less
 * would make its next restart, whenever that comes, its last.
 * @throws Refused while the node has such slots
 */
export function refuseLowerLevel(want: Wanting, { member: { node, host }, facts: { running } }: MemberFacts): void {
  const level = want.settings.wal_level;
  const slots = (running?.slots ?? []).flatMap(({ name, isLogical }) => (isLogical === true ? [name] : []));
  if (slots.length === 0 || level === undefined || level === "logical") return;
  if (running?.settings.wal_level?.setting !== "logical") return;
  const [first = ""] = slots;
  throw new Refused(
    `${host}: wal_level cannot go from logical to ${level} while ${node} has the logical slots ${slots.join(", ")}: PostgreSQL would not start any more. ` +
      `Write 'wal_level: logical' under 'settings' of the cluster; or, when nobody reads from them any more, type on ${host}: ` +
      `sudo -u postgres psql -p ${want.port} -c "select pg_drop_replication_slot('${first}')"`,
  );
}
