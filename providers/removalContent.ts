import type { DatabaseSpec, RemovedSpec } from "../config/types";
import type { ContentFact } from "../facts/content";
import type { RemovalFact } from "../facts/removal";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import type { Difference } from "./difference";

export interface RemovalInputs {
  readonly cluster: string;
  /** What must not exist. */
  readonly removed?: RemovedSpec;
  /** Those among them that this program has deployed, as the state knows; nothing else is dropped. */
  readonly ours?: OursSpec;
}

export interface OursSpec extends RemovedSpec {
  /** "shop.warehouse": wanted slots that were there once: who read from one of them that is not there now has lost its place. */
  readonly made?: readonly string[];
}

const NONE: RemovedSpec = { roles: [], databases: [] };

/** Those that are marked as removed and are still there. */
export function stillThere({ removed = NONE }: RemovalInputs, content: ContentFact): Required<RemovedSpec> {
  const { roles, tablespaces, databases, slots } = content;
  const published = databases.flatMap(({ name, publications }) => publications.map((p) => `${name}.${p.name}`));
  const kept = slots.map((slot) => `${slot.database ?? ""}.${slot.name}`);
  return {
    roles: removed.roles.filter((name) => roles.some((role) => role.name === name)),
    databases: removed.databases.filter((name) => databases.some((database) => database.name === name)),
    tablespaces: (removed.tablespaces ?? []).filter((name) => tablespaces.some((space) => space.name === name)),
    publications: (removed.publications ?? []).filter((name) => published.includes(name)),
    slots: (removed.slots ?? []).filter((name) => kept.includes(name)),
  };
}

/** What is marked as removed and is gone. */
export function goneOf(inputs: RemovalInputs, content: ContentFact): RemovedSpec {
  const { roles, databases, tablespaces, publications, slots } = inputs.removed ?? NONE;
  const there = stillThere(inputs, content);
  const gone = (names: readonly string[], still: readonly string[]) => names.filter((name) => !still.includes(name));
  return {
    roles: gone(roles, there.roles),
    databases: gone(databases, there.databases),
    ...(tablespaces === undefined ? {} : { tablespaces: gone(tablespaces, there.tablespaces) }),
    ...(publications === undefined ? {} : { publications: gone(publications, there.publications) }),
    ...(slots === undefined ? {} : { slots: gone(slots, there.slots) }),
  };
}

interface Deployed extends RemovalInputs {
  readonly roles?: readonly { readonly name: string }[];
  readonly tablespaces?: readonly { readonly name: string }[];
  readonly databases?: readonly Pick<DatabaseSpec, "name" | "publications" | "slots">[];
}

/**
 * What the state tells of what is to be dropped: it was deployed the last time, or was about to be dropped. And of the slots
 * that are wanted, those that were there once.
 */
export function recallOurs(before: Deployed, { removed, databases }: Deployed): OursSpec | undefined {
  const wanted = within(databases, "slots");
  const made = (before.ours?.made ?? []).filter((name) => wanted.includes(name));
  if (removed === undefined && made.length === 0) return undefined;
  const { roles, databases: gone, tablespaces, publications, slots } = removed ?? NONE;
  const known = (kind: keyof RemovedSpec, deployed: readonly string[]) => (name: string) =>
    deployed.includes(name) || before.ours?.[kind]?.includes(name) === true;
  const all = (these: readonly { readonly name: string }[] = []) => these.map(({ name }) => name);
  const published = known("publications", within(before.databases, "publications"));
  const read = known("slots", within(before.databases, "slots"));
  return {
    roles: roles.filter(known("roles", all(before.roles))),
    databases: gone.filter(known("databases", all(before.databases))),
    ...(tablespaces === undefined
      ? {}
      : { tablespaces: tablespaces.filter(known("tablespaces", all(before.tablespaces))) }),
    ...(publications === undefined ? {} : { publications: publications.filter(published) }),
    ...(slots === undefined ? {} : { slots: slots.filter(read) }),
    ...(made.length === 0 ? {} : { made }),
  };
}

/** "shop.orders" */
function within(databases: Deployed["databases"] = [], kind: "publications" | "slots"): string[] {
  return databases.flatMap((database) => (database[kind] ?? []).map(({ name }) => `${database.name}.${name}`));
}

/** What is inside of databases first, then these: what a role owns in them goes with them. */
export function drops(inputs: RemovalInputs, content: ContentFact, removal: RemovalFact | undefined): Difference[] {
  const going = toDrop(inputs, content, removal);
  return [
    ...going.publications.map((path) => dropWithin("publication", path)),
    ...going.slots.map((path) => dropWithin("slot", path)),
    ...going.databases.map((name) => drop("database", name, { isAlone: true })),
    ...going.tablespaces.map((name) => drop("tablespace", name, { isAlone: true })),
    ...going.roles.map((name) => drop("role", name, {})),
  ];
}

/** Why what is marked as removed stays, each with what to do. */
export function dropRefusals(inputs: RemovalInputs, content: ContentFact, removal: RemovalFact | undefined): string[] {
  const there = stillThere(inputs, content);
  const going = toDrop(inputs, content, removal);
  return [
    ...there.publications.flatMap((path) => publicationObstacle(inputs, path) ?? []),
    ...there.slots.flatMap((path) => slotObstacle(inputs, path, content) ?? []),
    ...there.databases.flatMap((name) => databaseObstacle(inputs, name, removal, going.slots) ?? []),
    ...there.tablespaces.flatMap((name) => spaceObstacle(inputs, name, removal, going.databases) ?? []),
    ...there.roles.flatMap((name) => roleObstacle(inputs, name, removal, going) ?? []),
  ];
}

function toDrop(inputs: RemovalInputs, content: ContentFact, removal: RemovalFact | undefined): Required<RemovedSpec> {
  const there = stillThere(inputs, content);
  const slots = there.slots.filter((path) => slotObstacle(inputs, path, content) === undefined);
  const databases = there.databases.filter((name) => databaseObstacle(inputs, name, removal, slots) === undefined);
  const tablespaces = there.tablespaces.filter((name) => spaceObstacle(inputs, name, removal, databases) === undefined);
  return {
    publications: there.publications.filter((path) => publicationObstacle(inputs, path) === undefined),
    slots,
    databases,
    tablespaces,
    roles: there.roles.filter((name) => roleObstacle(inputs, name, removal, { databases, tablespaces }) === undefined),
  };
}

function publicationObstacle({ ours }: RemovalInputs, path: string): string | undefined {
  const [database, name] = parted(path);
  return ours?.publications?.includes(path) === true ? undefined : notOurs("publication", `${name} of ${database}`);
}

function slotObstacle({ ours }: RemovalInputs, path: string, { slots }: ContentFact): string | undefined {
  const [database, name] = parted(path);
  if (ours?.slots?.includes(path) !== true) return notOurs("slot", `${name} of ${database}`);
  if (slots.find((slot) => slot.name === name)?.active !== true) return undefined;
  return `slot ${name} of ${database} is not dropped: somebody reads from it. Stop its reader first (select * from pg_replication_slots where slot_name = '${name}')`;
}

function databaseObstacle(
  { ours }: RemovalInputs,
  name: string,
  removal: RemovalFact | undefined,
  goingSlots: readonly string[],
): string | undefined {
  if (ours?.databases.includes(name) !== true) return notOurs("database", name);
  const { databaseSessions = {}, slots = {} } = removal ?? {};
  const sessions = databaseSessions[name] ?? 0;
  if (sessions > 0) {
    return `database ${name} is not dropped: ${counted(sessions, "other session")} in it. End them first (select * from pg_stat_activity where datname = '${name}')`;
  }
  const left = (slots[name] ?? 0) - goingSlots.filter((path) => parted(path)[0] === name).length;
  if (left <= 0) return undefined;
  return `database ${name} is not dropped: ${counted(left, "logical slot")} in it (select * from pg_replication_slots)`;
}

function spaceObstacle(
  { ours }: RemovalInputs,
  name: string,
  removal: RemovalFact | undefined,
  going: readonly string[],
): string | undefined {
  if (ours?.tablespaces?.includes(name) !== true) return notOurs("tablespace", name);
  const left = (removal?.spaces[name] ?? []).filter((database) => !going.includes(database));
  if (left.length === 0) return undefined;
  return (
    `tablespace ${name} is not dropped: it holds files of ${left.join(", ")}. Move them first, in each of these databases: ` +
    `alter table all in tablespace ${name} set tablespace pg_default; alter index all in tablespace ${name} set tablespace pg_default`
  );
}

function roleObstacle(
  { ours }: RemovalInputs,
  name: string,
  removal: RemovalFact | undefined,
  going: Pick<Required<RemovedSpec>, "databases" | "tablespaces">,
): string | undefined {
  if (ours?.roles.includes(name) !== true) return notOurs("role", name);
  const sessions = removal?.roleSessions[name] ?? 0;
  if (sessions > 0) {
    return `role ${name} is not dropped: ${counted(sessions, "session")} of it. End them first (select * from pg_stat_activity where usename = '${name}')`;
  }
  const owned = (removal?.owned ?? []).filter(
    ({ role, database, tablespace = "" }) =>
      role === name && !going.databases.includes(database) && !going.tablespaces.includes(tablespace),
  );
  if (owned.length === 0) return undefined;
  const places = owned.map(({ database, tablespace, objects }) => {
    if (tablespace !== undefined) return `the tablespace ${tablespace}`;
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

function drop(kind: "role" | "database" | "tablespace", name: string, more: { isAlone?: true }): Difference {
  const what = `drop ${kind} ${name}`;
  return { what, database: "postgres", sql: [`drop ${kind} ${sqlIdentifier(name)};`], isDrop: true, ...more };
}

/** Alone, so that what fails beside it does not bring it back half way: a slot knows no transaction. */
function dropWithin(kind: "publication" | "slot", path: string): Difference {
  const [database, name] = parted(path);
  const isSlot = kind === "slot";
  return {
    what: `drop ${isSlot ? "logical slot" : kind} ${name} of ${database}`,
    database,
    sql: [
      isSlot ? `select pg_drop_replication_slot(${sqlLiteral(name)});` : `drop publication ${sqlIdentifier(name)};`,
    ],
    isDrop: true,
    ...(isSlot ? { isAlone: true } : {}),
  };
}

/** No name of a database has a dot in the inventory. */
function parted(path: string): [database: string, name: string] {
  const dot = path.indexOf(".");
  return [path.slice(0, dot), path.slice(dot + 1)];
}
