import type { Action } from "../actions/action";
import { type LiveMember, livePrimaries } from "./cluster";
import { sqlAction } from "./commands";
import { databaseDifferences, databaseRefusals, foundDatabase } from "./databaseContent";
import type { Difference } from "./difference";
import { HEALTHY_CLUSTER, type ManagedRole, type PgClusterFacts, type PgClusterInputs } from "./pgCluster";
import { publicationRefusals } from "./publicationContent";
import { dropRefusals, drops, goneOf, type OursSpec } from "./removalContent";
import { foundRole, roleDifferences } from "./roleContent";
import { slotDifferences, slotPaths, slotRefusals } from "./slotContent";
import { awaitDirectories, foundTablespaces, tablespaceDifferences, tablespaceRefusals } from "./tablespaceContent";

/** So many differences are named in the reason of a transaction; what is shown as data is there besides. */
const MOST_NAMED = 12;

/** The managed roles as the primary has them; what a role is not managed for is not shown. */
export function foundRoles(inputs: PgClusterInputs, have: PgClusterFacts): readonly ManagedRole[] {
  if (livePrimaries(have.view)[0] === undefined) return inputs.roles;
  return inputs.roles.flatMap((want) => {
    const found = have.content.roles.find(({ name }) => name === want.name);
    return found === undefined ? [] : [foundRole(want, found)];
  });
}

/** The managed databases as the primary has them, with what of them is managed. */
export function foundDatabases(inputs: PgClusterInputs, have: PgClusterFacts): PgClusterInputs["databases"] {
  if (livePrimaries(have.view)[0] === undefined) return inputs.databases;
  return inputs.databases.flatMap((want) => {
    const found = have.content.databases.find(({ name }) => name === want.name);
    return found === undefined ? [] : [foundDatabase(want, found, have.privileges[want.name], have.content.slots)];
  });
}

/** The managed tablespaces as the primary has them. */
export function foundSpaces({ tablespaces }: PgClusterInputs, have: PgClusterFacts): PgClusterInputs["tablespaces"] {
  if (tablespaces === undefined || livePrimaries(have.view)[0] === undefined) return tablespaces;
  return foundTablespaces(tablespaces, have.content.tablespaces);
}

/** What is marked as removed and is gone. */
export function foundRemoved(inputs: PgClusterInputs, have: PgClusterFacts): PgClusterInputs["removed"] {
  const { removed } = inputs;
  if (removed === undefined || livePrimaries(have.view)[0] === undefined) return removed;
  return goneOf(inputs, have.content);
}

/** The managed logical slots that are there; undefined where none was ever managed. */
export function foundLogicalSlots(inputs: PgClusterInputs, have: PgClusterFacts): readonly string[] | undefined {
  const isManaged = inputs.databases.some(({ slots }) => slots !== undefined);
  if (livePrimaries(have.view)[0] === undefined || (!isManaged && inputs.logicalSlots === undefined))
    return inputs.logicalSlots;
  return slotPaths(inputs.databases, have.content.slots);
}

/** What a review has to keep in mind, because no look at the hosts tells it once a slot is gone. */
export function foundOurs(inputs: PgClusterInputs, have: PgClusterFacts): OursSpec | undefined {
  const before = [...(inputs.ours?.made ?? []), ...(inputs.logicalSlots ?? [])];
  const made = new Set([...before, ...(foundLogicalSlots(inputs, have) ?? [])]);
  if (made.size === 0) return inputs.ours;
  return { roles: [], databases: [], ...inputs.ours, made: [...made].sort() };
}

/** "as wanted", or what else differs: passwords, whose value nobody may see, and extensions that need an update. */
export function contentState(want: PgClusterInputs, have: PgClusterFacts): string {
  if (livePrimaries(have.view)[0] === undefined) return HEALTHY_CLUSTER.content;
  const hidden = differences(want, have).filter(({ isHidden }) => isHidden === true);
  return hidden.map(({ what }) => what).join("; ") || HEALTHY_CLUSTER.content;
}

/**
 * What has to be done on the primary: what follows one another in one database is one transaction, so that a cut or a
 * failover leaves all of it or nothing.
 */
export function planContent(want: PgClusterInputs, have: PgClusterFacts, primary: LiveMember): Action[] {
  const slots = isLogical(primary) ? newSlots(want, have) : [];
  return planned(want, have, [...differences(want, have), ...slots], primary);
}

/** In a preview: the slots that are made once the primary has been restarted for them. */
export function foreseeSlots(want: PgClusterInputs, have: PgClusterFacts): Action[] {
  const primary = livePrimaries(have.view)[0];
  return primary === undefined || isLogical(primary) ? [] : planned(want, have, newSlots(want, have), primary);
}

function newSlots(want: PgClusterInputs, { content }: PgClusterFacts): Difference[] {
  return slotDifferences(want.databases, content.slots, want.ours?.made ?? []);
}

function isLogical({ facts }: LiveMember): boolean {
  return facts.running.settings.wal_level?.setting === "logical";
}

function planned(
  want: PgClusterInputs,
  { view }: PgClusterFacts,
  all: readonly Difference[],
  { member }: LiveMember,
): Action[] {
  return transactions(all).flatMap((parts) => {
    const before = parts.flatMap(({ space }) => (space === undefined ? [] : awaitDirectories(want, view, space)));
    const statements = parts.flatMap(({ sql }) => sql);
    const sql = statements.length === 1 ? statements : ["begin;", ...statements, "commit;"];
    const on = { host: member.host, database: parts[0]?.database ?? "postgres" };
    const action = sqlAction(want, on, reason(parts), sql);
    return [...before, parts.some(({ isDrop }) => isDrop === true) ? { ...action, effect: "drop" } : action];
  });
}

/**
 * What cannot become as wanted, each with what to do.
 * @param restarts the primary is going to be restarted for its wal_level
 */
export function contentRefusals(
  want: PgClusterInputs,
  have: PgClusterFacts,
  primary: LiveMember,
  restarts: boolean,
): string[] {
  const { content, removal } = have;
  const cannot = newSlots(want, have).length > 0 && !isLogical(primary) && !restarts;
  const { member, facts } = primary;
  return [
    ...databaseRefusals(want.databases, content.databases),
    ...tablespaceRefusals(want, content),
    ...publicationRefusals(want.databases, content.databases, have.publishable),
    ...slotRefusals(want.databases, content.slots, want.ours?.made ?? [], member.node),
    ...(cannot
      ? [
          `${member.node} runs with wal_level ${facts.running.settings.wal_level?.setting ?? "unknown"}, below which no logical slot can be made; ` +
            `write 'wal_level: logical' under 'settings' of the cluster`,
        ]
      : []),
    ...dropRefusals(want, content, removal),
  ];
}

function differences(want: PgClusterInputs, have: PgClusterFacts): Difference[] {
  const { content, privileges, publishable, removal } = have;
  return [
    ...roleDifferences(want, content.roles),
    ...tablespaceDifferences(want.tablespaces ?? [], content.tablespaces),
    ...databaseDifferences(want.databases, content.databases, privileges, publishable, want.version),
    ...drops(want, content, removal),
  ];
}

function transactions(all: readonly Difference[]): Difference[][] {
  const groups: Difference[][] = [];
  for (const difference of all) {
    const last = groups.at(-1);
    const isJoined =
      last?.[0]?.database === difference.database && last[0].isAlone !== true && difference.isAlone !== true;
    if (isJoined) last.push(difference);
    else groups.push([difference]);
  }
  return groups;
}

function reason(parts: readonly Difference[]): string {
  const named = parts.slice(0, MOST_NAMED).map(({ what }) => what);
  const more = parts.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
