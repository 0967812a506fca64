import type { RemovedSpec } from "../config/types";
import type { ContentFact } from "../facts/content";
import type { RemovalFact } from "../facts/removal";
import { sqlIdentifier } from "../ssh/quote";
import type { Difference } from "./difference";

export interface RemovalInputs {
  readonly cluster: string;
  /** Roles and databases that must not exist. */
  readonly removed?: RemovedSpec;
  /** Those among them that this program has deployed, as the state knows; nothing else is dropped. */
  readonly ours?: RemovedSpec;
}

const NONE: RemovedSpec = { roles: [], databases: [] };

/** Those that are marked as removed and are still there. */
export function stillThere({ removed = NONE }: RemovalInputs, { roles, databases }: ContentFact): RemovedSpec {
  return {
    roles: removed.roles.filter((name) => roles.some((role) => role.name === name)),
    databases: removed.databases.filter((name) => databases.some((database) => database.name === name)),
  };
}

/** What the state tells of what is to be dropped: it was deployed the last time, or was about to be dropped. */
export function recallOurs(
  before: RemovalInputs & {
    readonly roles?: readonly { name: string }[];
    readonly databases?: readonly { name: string }[];
  },
  { removed }: RemovalInputs,
): RemovedSpec | undefined {
  if (removed === undefined) return undefined;
  const known = (kind: "roles" | "databases") => (name: string) =>
    before[kind]?.some((one) => one.name === name) === true || before.ours?.[kind].includes(name) === true;
  return { roles: removed.roles.filter(known("roles")), databases: removed.databases.filter(known("databases")) };
}

/** Databases first: what a role owns in them goes with them. */
export function drops(inputs: RemovalInputs, content: ContentFact, removal: RemovalFact | undefined): Difference[] {
  const there = stillThere(inputs, content);
  const databases = there.databases.filter((name) => databaseObstacle(inputs, name, removal) === undefined);
  const roles = there.roles.filter((name) => roleObstacle(inputs, name, removal, databases) === undefined);
  return [
    ...databases.map((name) => drop("database", name, { isAlone: true })),
    ...roles.map((name) => drop("role", name, {})),
  ];
}

/** Why what is marked as removed stays, each with what to do. */
export function dropRefusals(inputs: RemovalInputs, content: ContentFact, removal: RemovalFact | undefined): string[] {
  const there = stillThere(inputs, content);
  const going = there.databases.filter((name) => databaseObstacle(inputs, name, removal) === undefined);
  return [
    ...there.databases.flatMap((name) => databaseObstacle(inputs, name, removal) ?? []),
    ...there.roles.flatMap((name) => roleObstacle(inputs, name, removal, going) ?? []),
  ];
}

function databaseObstacle({ ours }: RemovalInputs, name: string, removal?: RemovalFact): string | undefined {
  if (ours?.databases.includes(name) !== true) return notOurs("database", name);
  const { databaseSessions = {}, slots = {} } = removal ?? {};
  const sessions = databaseSessions[name] ?? 0;
  if (sessions > 0) {
    return `database ${name} is not dropped: ${counted(sessions, "other session")} in it. End them first (select * from pg_stat_activity where datname = '${name}')`;
  }
  if ((slots[name] ?? 0) === 0) return undefined;
  return `database ${name} is not dropped: ${counted(slots[name] ?? 0, "logical slot")} in it (select * from pg_replication_slots)`;
}

function roleObstacle(
  { ours }: RemovalInputs,
  name: string,
  removal: RemovalFact | undefined,
  going: readonly string[],
): string | undefined {
  if (ours?.roles.includes(name) !== true) return notOurs("role", name);
  const sessions = removal?.roleSessions[name] ?? 0;
  if (sessions > 0) {
    return `role ${name} is not dropped: ${counted(sessions, "session")} of it. End them first (select * from pg_stat_activity where usename = '${name}')`;
  }
  const owned = (removal?.owned ?? []).filter(({ role, database }) => role === name && !going.includes(database));
  if (owned.length === 0) return undefined;
  const places = owned.map(({ database, objects }) => {
    return `${counted(objects, "object")} ${database === "" ? "that all databases share" : `in ${database}`}`;
  });
  return (
    `role ${name} is not dropped: it owns, or has rights on, ${places.join(", ")}. Give them away first, in each database: ` +
    `reassign owned by ${name} to another role; drop owned by ${name};`
  );
}

function notOurs(kind: string, name: string): string {
  return (
    `${kind} ${name} is marked as removed and exists, but this program has not deployed it here, so it is not dropped. ` +
    `Drop it by hand, or take its 'removed' out of the inventory`
  );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function drop(kind: "role" | "database", name: string, more: { isAlone?: true }): Difference {
  const what = `drop ${kind} ${name}`;
  return { what, database: "postgres", sql: [`drop ${kind} ${sqlIdentifier(name)};`], isDrop: true, ...more };
}
