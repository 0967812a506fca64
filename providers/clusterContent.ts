import type { Action } from "../actions/action";
import { type LiveMember, livePrimaries } from "./cluster";
import { sqlAction } from "./commands";
import { databaseDifferences, databaseRefusals, foundDatabase } from "./databaseContent";
import type { Difference } from "./difference";
import { HEALTHY_CLUSTER, type ManagedRole, type PgClusterFacts, type PgClusterInputs } from "./pgCluster";
import { dropRefusals, drops, stillThere } from "./removalContent";
import { foundRole, roleDifferences } from "./roleContent";

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
    return found === undefined ? [] : [foundDatabase(want, found, have.privileges[want.name])];
  });
}

/** What is marked as removed and is gone. */
export function foundRemoved(inputs: PgClusterInputs, have: PgClusterFacts): PgClusterInputs["removed"] {
  const { removed } = inputs;
  if (removed === undefined || livePrimaries(have.view)[0] === undefined) return removed;
  const there = stillThere(inputs, have.content);
  return {
    roles: removed.roles.filter((name) => !there.roles.includes(name)),
    databases: removed.databases.filter((name) => !there.databases.includes(name)),
  };
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
export function planContent(want: PgClusterInputs, have: PgClusterFacts, { member }: LiveMember): Action[] {
  return transactions(differences(want, have)).map((parts) => {
    const statements = parts.flatMap(({ sql }) => sql);
    const sql = statements.length === 1 ? statements : ["begin;", ...statements, "commit;"];
    const on = { host: member.host, database: parts[0]?.database ?? "postgres" };
    const action = sqlAction(want, on, reason(parts), sql);
    return parts.some(({ isDrop }) => isDrop === true) ? { ...action, effect: "drop" } : action;
  });
}

/** What cannot become as wanted, each with what to do. */
export function contentRefusals(want: PgClusterInputs, { content, removal }: PgClusterFacts): string[] {
  return [...databaseRefusals(want.databases, content.databases), ...dropRefusals(want, content, removal)];
}

function differences(want: PgClusterInputs, { content, privileges, removal }: PgClusterFacts): Difference[] {
  return [
    ...roleDifferences(want, content.roles),
    ...databaseDifferences(want.databases, content.databases, privileges, want.version),
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
