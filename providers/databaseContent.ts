import type { DatabaseSpec, SchemaSpec } from "../config/types";
import type { ContentFact, DatabaseFact, SchemaFact } from "../facts/content";
import type { PrivilegesFact } from "../facts/privileges";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import { type Difference, ownerDifference, settingChanges, shownSettings } from "./difference";
import { extensionDifferences, foundExtensions } from "./extensionContent";
import { foundGrants, privilegeDifferences } from "./privilegeContent";
import { foundPublications, type Publishable, publicationDifferences } from "./publicationContent";
import { foundSlots } from "./slotContent";

/** A managed database as it is found; what it is not managed for is not shown. */
export function foundDatabase(
  want: DatabaseSpec,
  found: DatabaseFact,
  privileges: PrivilegesFact | undefined,
  slots: ContentFact["slots"],
): DatabaseSpec {
  return {
    ...want,
    ...(want.owner === undefined ? {} : { owner: found.owner }),
    ...(want.encoding === undefined ? {} : { encoding: found.encoding }),
    ...(want.provider === undefined ? {} : { provider: found.provider }),
    ...(want.locale === undefined || isSameLocale(want.locale, found.locale) ? {} : { locale: found.locale }),
    ...(want.tablespace === undefined ? {} : { tablespace: found.tablespace }),
    ...(want.connectionLimit === undefined ? {} : { connectionLimit: found.connectionLimit }),
    ...(want.settings === undefined ? {} : { settings: shownSettings(want.settings, found.settings) }),
    ...(found.closed === true ? {} : foundInside(want, found, privileges)),
    ...(want.slots === undefined ? {} : { slots: foundSlots(want, slots) }),
  };
}

function foundInside(
  want: DatabaseSpec,
  found: DatabaseFact,
  privileges: PrivilegesFact | undefined,
): Partial<DatabaseSpec> {
  return {
    extensions: foundExtensions(want, found),
    ...(want.schemas === undefined ? {} : { schemas: want.schemas.flatMap((schema) => foundSchema(schema, found)) }),
    ...(want.grants === undefined ? {} : { grants: foundGrants(want, privileges) }),
    ...(want.publications === undefined ? {} : { publications: foundPublications(want, found) }),
  };
}

/** Before anything inside of them: the databases themselves, then what they are. */
export function databaseDifferences(
  wanted: readonly DatabaseSpec[],
  found: readonly DatabaseFact[],
  privileges: Readonly<Record<string, PrivilegesFact>>,
  publishable: Publishable,
  version: number,
): Difference[] {
  const pairs = wanted.map((want) => [want, found.find(({ name }) => name === want.name)] as const);
  const open = pairs.filter(([, have]) => have?.closed !== true);
  return [
    ...pairs.flatMap(([want, have]) => (have === undefined ? [creation(want, version)] : [])),
    ...pairs.flatMap(([want, have]) => (have === undefined ? [] : ownerDifference("database", want, have))),
    ...pairs.flatMap(([want, have]) => (have === undefined ? [] : limitDifference(want, have))),
    ...pairs.flatMap(([want, have]) => settingDifference(want, have?.settings ?? {})),
    ...pairs.flatMap(([{ name }, have]) => (have?.closed === true ? [opening(name)] : [])),
    ...open.flatMap(([want, have]) => [
      ...schemaDifferences(want, have?.schemas ?? []),
      ...extensionDifferences(want, have),
      ...privilegeDifferences(want, privileges[want.name]),
      ...publicationDifferences(want, have, publishable),
    ]),
  ];
}

/** What a database keeps for all its life (PostgreSQL documentation, CREATE DATABASE). */
export function databaseRefusals(wanted: readonly DatabaseSpec[], found: readonly DatabaseFact[]): string[] {
  return wanted.flatMap((want) => {
    const have = found.find(({ name }) => name === want.name);
    if (have === undefined) return [];
    const wrong = [
      ...(want.encoding === undefined || want.encoding === have.encoding
        ? []
        : [`encoding ${have.encoding}, not ${want.encoding}`]),
      ...(want.provider === undefined || want.provider === have.provider
        ? []
        : [`provider ${have.provider}, not ${want.provider}`]),
      ...(want.locale === undefined || isSameLocale(want.locale, have.locale)
        ? []
        : [`locale ${have.locale}, not ${want.locale}`]),
    ];
    if (wrong.length === 0) return [];
    return [
      `database ${want.name} has ${wrong.join(", ")}, and PostgreSQL cannot change that. Write what it has into the inventory, ` +
        `or dump it, make one of another name and restore it there`,
    ];
  });
}

function creation(want: DatabaseSpec, version: number): Difference {
  const template =
    want.template ?? (want.encoding === undefined && want.locale === undefined ? undefined : "template0");
  const options = [
    ...(want.owner === undefined ? [] : [`owner ${sqlIdentifier(want.owner)}`]),
    ...(template === undefined ? [] : [`template ${sqlIdentifier(template)}`]),
    ...(want.encoding === undefined ? [] : [`encoding ${sqlLiteral(want.encoding)}`]),
    ...(want.locale === undefined ? [] : [localeOption(want.provider ?? "libc", sqlLiteral(want.locale), version)]),
    ...(want.tablespace === undefined ? [] : [`tablespace ${sqlIdentifier(want.tablespace)}`]),
    ...(want.connectionLimit === undefined ? [] : [`connection limit ${want.connectionLimit}`]),
  ];
  return {
    what: `create database ${want.name}`,
    database: "postgres",
    sql: [`create database ${[sqlIdentifier(want.name), ...options].join(" ")};`],
    isAlone: true,
  };
}

function localeOption(provider: "libc" | "icu" | "builtin", locale: string, version: number): string {
  if (provider !== "libc") return `locale_provider ${provider} ${provider}_locale ${locale}`;
  return `${version < 15 ? "" : "locale_provider libc "}lc_collate ${locale} lc_ctype ${locale}`;
}

function limitDifference(want: DatabaseSpec, have: DatabaseFact): Difference[] {
  if (want.connectionLimit === undefined || have.connectionLimit === want.connectionLimit) return [];
  return [
    {
      what: `database ${want.name}: connection limit ${want.connectionLimit}`,
      database: "postgres",
      sql: [`alter database ${sqlIdentifier(want.name)} connection limit ${want.connectionLimit};`],
    },
  ];
}

/** The inside shows at the next look, once somebody is let in. */
function opening(name: string): Difference {
  return {
    what: `database ${name} lets nobody in: allow connections`,
    database: "postgres",
    sql: [`alter database ${sqlIdentifier(name)} allow_connections true;`],
    isHidden: true,
  };
}

function settingDifference({ name, settings }: DatabaseSpec, found: DatabaseFact["settings"]): Difference[] {
  if (settings === undefined) return [];
  const { what, sql } = settingChanges(`database ${sqlIdentifier(name)}`, settings, found);
  return sql.length === 0 ? [] : [{ what: `database ${name}: ${what.join(", ")}`, database: "postgres", sql }];
}

function foundSchema(want: SchemaSpec, { schemas }: DatabaseFact): SchemaSpec[] {
  const found = schemas.find(({ name }) => name === want.name);
  if (found === undefined) return [];
  return [want.owner === undefined ? { name: want.name } : { name: want.name, owner: found.owner }];
}

function schemaDifferences({ name: database, schemas = [] }: DatabaseSpec, found: readonly SchemaFact[]): Difference[] {
  return schemas.flatMap(({ name, owner }) => {
    const have = found.find((schema) => schema.name === name);
    const schema = sqlIdentifier(name);
    if (have === undefined) {
      const authorization = owner === undefined ? "" : ` authorization ${sqlIdentifier(owner)}`;
      return [
        {
          what: `create schema ${name} in ${database}`,
          database,
          sql: [`create schema if not exists ${schema}${authorization};`],
        },
      ];
    }
    if (owner === undefined || have.owner === owner) return [];
    const what = `schema ${name} in ${database} belongs to ${have.owner}, not to ${owner}`;
    return [{ what, database, sql: [`alter schema ${schema} owner to ${sqlIdentifier(owner)};`] }];
  });
}

/** "en_US.utf8" and "en_US.UTF-8" are one locale to libc, "de_DE" and "de-DE" to icu. */
function isSameLocale(a: string, b: string): boolean {
  const plain = (locale: string): string =>
    locale
      .toLowerCase()
      .replaceAll("_", "-")
      .replace(/utf-?8$/, "utf8");
  return plain(a) === plain(b);
}
