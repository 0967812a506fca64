import type { Membership, RoleFact } from "../facts/content";
import { scramVerifier, verifies } from "../facts/scram";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import { type Difference, settingChanges, shownSettings } from "./difference";
import type { ManagedRole, PgClusterInputs } from "./pgCluster";

const ATTRIBUTES = ["login", "superuser", "createdb", "createrole", "replication", "inherit", "bypassrls"] as const;

/** A managed role as it is found; what it is not managed for is not shown. */
export function foundRole(want: ManagedRole, found: RoleFact): ManagedRole {
  const attributes = ATTRIBUTES.filter((attribute) => want[attribute] !== undefined);
  return {
    ...want,
    ...Object.fromEntries(attributes.map((attribute) => [attribute, found[attribute]])),
    connectionLimit: found.connectionLimit,
    ...(want.validUntil === undefined ? {} : { validUntil: found.validUntil ?? "infinity" }),
    ...(want.memberOf === undefined ? {} : { memberOf: groups(found) }),
    ...(want.settings === undefined ? {} : { settings: shownSettings(want.settings, found.settings) }),
  };
}

/** All roles first, then what may name another one. */
export function roleDifferences(
  { roles, rolePasswords, version }: PgClusterInputs,
  found: readonly RoleFact[],
): Difference[] {
  const pairs = roles.map((want) => [want, found.find(({ name }) => name === want.name)] as const);
  return [
    ...pairs.flatMap(([want, have]) => attributeDifference(want, have, rolePasswords[want.name])),
    ...pairs.flatMap(([want, have]) => membershipDifference(want, have?.memberOf ?? [], version)),
    ...pairs.flatMap(([want, have]) => settingDifference(want, have?.settings ?? {})),
  ];
}

function attributeDifference(
  want: ManagedRole,
  have: RoleFact | undefined,
  password: string | undefined,
): Difference[] {
  const attributes = ATTRIBUTES.filter((a) => want[a] !== undefined && have?.[a] !== want[a]);
  const limit = have?.connectionLimit === want.connectionLimit ? [] : [`connection limit ${want.connectionLimit}`];
  const isValid = want.validUntil === undefined || (have?.validUntil ?? "infinity") === want.validUntil;
  const options = [...attributes.map((a) => `${want[a] === true ? "" : "no"}${a}`), ...limit];
  const isPasswordRight = password === undefined || verifies(have?.verifier ?? null, password);
  if (have !== undefined && options.length === 0 && isPasswordRight && isValid) return [];
  const validity = isValid ? [] : [`valid until ${sqlLiteral(want.validUntil)}`];
  const secret = isPasswordRight ? [] : [`password ${sqlLiteral(scramVerifier(password))}`];
  const reasons = [
    ...options,
    ...(isValid ? [] : [`valid until ${want.validUntil}`]),
    ...(isPasswordRight ? [] : ["its password"]),
  ];
  const verb = have === undefined ? "create" : "alter";
  return [
    {
      what: `${verb} role ${want.name} (${reasons.join(", ")})`,
      database: "postgres",
      sql: [`${verb} role ${sqlIdentifier(want.name)} with ${[...options, ...validity, ...secret].join(" ")};`],
      isHidden: have !== undefined && options.length === 0 && isValid,
    },
  ];
}

/** From 16 on a membership is one of its grantor, and only that one is revoked (PostgreSQL documentation, REVOKE). */
function membershipDifference(want: ManagedRole, found: readonly Membership[], version: number): Difference[] {
  if (want.memberOf === undefined) return [];
  const wanted = want.memberOf;
  const missing = wanted.filter((group) => !found.some(({ role }) => role === group));
  const tooMany = found.filter(({ role }) => !wanted.includes(role));
  if (missing.length === 0 && tooMany.length === 0) return [];
  const name = sqlIdentifier(want.name);
  const left = [...new Set(tooMany.map(({ role }) => role))].map((group) => `no longer of ${group}`);
  return [
    {
      what: `role ${want.name}: member ${[...missing.map((group) => `of ${group}`), ...left].join(", ")}`,
      database: "postgres",
      sql: [
        ...missing.map((group) => `grant ${sqlIdentifier(group)} to ${name};`),
        ...tooMany.map(({ role, grantor }) => {
          const by = version < 16 ? "" : ` granted by ${sqlIdentifier(grantor)}`;
          return `revoke ${sqlIdentifier(role)} from ${name}${by} cascade;`;
        }),
      ],
    },
  ];
}

function settingDifference({ name, settings }: ManagedRole, found: RoleFact["settings"]): Difference[] {
  if (settings === undefined) return [];
  const { what, sql } = settingChanges(`role ${sqlIdentifier(name)}`, settings, found);
  return sql.length === 0 ? [] : [{ what: `role ${name}: ${what.join(", ")}`, database: "postgres", sql }];
}

function groups({ memberOf }: RoleFact): string[] {
  return [...new Set(memberOf.map(({ role }) => role))].sort();
}
