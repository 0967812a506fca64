import { scramVerifier, verifies } from "../facts/scram";
import type { DatabaseFact, ExtensionFact } from "../facts/databases";
import type { RoleFact } from "../facts/running";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import { type LiveMember, livePrimaries } from "./cluster";
import { HEALTHY_CLUSTER, type ManagedRole, type PgClusterFacts, type PgClusterInputs } from "./pgCluster";

export interface Difference {
  readonly what: string;
  readonly database: string;
  readonly sql: readonly string[];
  /** The roles and databases that a review shows as data do not tell it. */
  readonly isHidden?: boolean;
}

const ATTRIBUTES = ["login", "superuser", "createdb", "createrole", "replication"] as const;

/** The managed roles as the primary has them; what a role is not managed for is not shown. */
export function foundRoles(inputs: PgClusterInputs, have: PgClusterFacts): readonly ManagedRole[] {
  const primary = livePrimaries(have.view)[0];
  if (primary === undefined) return inputs.roles;
  return inputs.roles.flatMap(({ name }) => {
    const found = primary.facts.running.roles.find((role) => role.name === name);
    if (found === undefined) return [];
    const { login, superuser, createdb, createrole, replication, connectionLimit } = found;
    return [{ name, login, superuser, createdb, createrole, replication, connectionLimit }];
  });
}

/** The managed databases as the primary has them, with those of their extensions that are managed. */
export function foundDatabases(inputs: PgClusterInputs, have: PgClusterFacts): PgClusterInputs["databases"] {
  if (livePrimaries(have.view)[0] === undefined) return inputs.databases;
  return inputs.databases.flatMap((want) => {
    const found = have.databases.find(({ name }) => name === want.name);
    if (found === undefined) return [];
    const extensions = want.extensions.filter((name) => extensionOf(found, name) !== undefined);
    return [{ ...want, ...(want.owner === undefined ? {} : { owner: found.owner }), extensions }];
  });
}

/** "as wanted", or what else differs: passwords, whose value nobody may see, and extensions that need an update. */
export function contentState(want: PgClusterInputs, have: PgClusterFacts): string {
  const primary = livePrimaries(have.view)[0];
  if (primary === undefined) return HEALTHY_CLUSTER.content;
  const hidden = differences(want, have, primary).filter(({ isHidden }) => isHidden === true);
  return hidden.map(({ what }) => what).join("; ") || HEALTHY_CLUSTER.content;
}

/** What has to be done on the primary, each with its SQL. */
export function differences(want: PgClusterInputs, have: PgClusterFacts, { facts }: LiveMember): Difference[] {
  const { roles } = facts.running;
  return [
    ...want.roles.flatMap((role) => roleDifference(role, want.rolePasswords[role.name], roles)),
    ...want.databases.flatMap((database) => databaseDifferences(database, have)),
  ];
}

function roleDifference(role: ManagedRole, password: string | undefined, roles: readonly RoleFact[]): Difference[] {
  const name = sqlIdentifier(role.name);
  const have = roles.find((r) => r.name === role.name);
  const attributes = ATTRIBUTES.filter((a) => have?.[a] !== role[a]);
  const limit = have?.connectionLimit === role.connectionLimit ? [] : [`connection limit ${role.connectionLimit}`];
  const options = [...attributes.map((a) => `${role[a] ? "" : "no"}${a}`), ...limit];
  const isPasswordRight = password === undefined || verifies(have?.verifier ?? null, password);
  if (have !== undefined && options.length === 0 && isPasswordRight) return [];
  const secret = isPasswordRight ? "" : ` password ${sqlLiteral(scramVerifier(password))}`;
  const reasons = [...options, ...(isPasswordRight ? [] : ["its password"])].join(", ");
  const verb = have === undefined ? "create" : "alter";
  return [
    {
      what: `${verb} role ${role.name} (${reasons})`,
      database: "postgres",
      sql: [`${verb} role ${name} with ${options.join(" ")}${secret};`],
      isHidden: have !== undefined && options.length === 0,
    },
  ];
}

function databaseDifferences(want: PgClusterInputs["databases"][number], { databases }: PgClusterFacts): Difference[] {
  const name = sqlIdentifier(want.name);
  const have = databases.find((database) => database.name === want.name);
  const owner = want.owner === undefined ? "" : ` owner ${sqlIdentifier(want.owner)}`;
  const found: Difference[] = [];
  if (have === undefined) {
    found.push({
      what: `create database ${want.name}`,
      database: "postgres",
      sql: [`create database ${name}${owner};`],
    });
  } else if (want.owner !== undefined && have.owner !== want.owner) {
    const sql = [`alter database ${name} owner to ${sqlIdentifier(want.owner)};`];
    found.push({
      what: `database ${want.name} belongs to ${have.owner}, not to ${want.owner}`,
      database: "postgres",
      sql,
    });
  }
  return [...found, ...extensionDifferences(want, have)];
}

function extensionDifferences(
  { name, extensions }: PgClusterInputs["databases"][number],
  have: DatabaseFact | undefined,
): Difference[] {
  const missing = extensions.filter((extension) => extensionOf(have, extension) === undefined);
  const create = missing.map((extension) => `create extension if not exists ${sqlIdentifier(extension)} cascade;`);
  const older = extensions.flatMap((extension) => extensionOf(have, extension) ?? []).filter(isOlder);
  const update = older.map((extension) => `alter extension ${sqlIdentifier(extension.name)} update;`);
  return [
    ...(missing.length === 0
      ? []
      : [{ what: `create extension ${missing.join(", ")} in ${name}`, database: name, sql: create }]),
    ...(older.length === 0
      ? []
      : [{ what: `update extension ${versions(older)} in ${name}`, database: name, sql: update, isHidden: true }]),
  ];
}

function versions(extensions: readonly ExtensionFact[]): string {
  return extensions.map(({ name, version, available }) => `${name} ${version} to ${available ?? "?"}`).join(", ");
}

/** The installed package brings another version than the database has; one that no package brings is left alone. */
function isOlder({ version, available }: ExtensionFact): boolean {
  return available !== null && available !== version;
}

function extensionOf(database: DatabaseFact | undefined, extension: string): ExtensionFact | undefined {
  return database?.extensions.find(({ name }) => name === extension);
}
