import type { DatabaseSpec, PublicationSpec } from "../config/types";
import { PUBLISHED } from "../config/defaults";
import type { DatabaseFact, PublicationFact, PublishedTable } from "../facts/content";
import type { PublishableTable, TablesQuestion } from "../facts/publishable";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import type { Difference } from "./difference";

/** By database, those of the tables that were asked about which can be published. */
export type Publishable = Readonly<Record<string, readonly PublishableTable[]>>;

/** The managed publications that are there, with what of them is managed, and with all that they publish. */
export function foundPublications({ publications = [] }: DatabaseSpec, have: DatabaseFact): PublicationSpec[] {
  return publications.flatMap((want) => {
    const found = have.publications.find(({ name }) => name === want.name);
    return found === undefined ? [] : [shown(want, found)];
  });
}

/** What somebody narrowed by hand to some columns or rows is not the table that is wanted, and is shown with what narrows it. */
function shown(want: PublicationSpec, found: PublicationFact): PublicationSpec {
  const tables = found.tables.map(said);
  return {
    name: want.name,
    ...(want.owner === undefined ? {} : { owner: found.owner }),
    ...(found.allTables ? { allTables: true } : {}),
    ...(want.tables === undefined && tables.length === 0 ? {} : { tables }),
    ...(want.schemas === undefined && found.schemas.length === 0 ? {} : { schemas: found.schemas }),
    ...(want.publish === undefined ? {} : { publish: found.publish }),
  };
}

/** What is made and changed; a publication that cannot be as wanted is left as it is as a whole. */
export function publicationDifferences(
  want: DatabaseSpec,
  have: DatabaseFact | undefined,
  publishable: Publishable,
): Difference[] {
  return (want.publications ?? []).flatMap((publication) => {
    if (obstacle(want, publication, have, publishable) !== undefined) return [];
    const found = have?.publications.find(({ name }) => name === publication.name);
    return found === undefined ? creation(want.name, publication) : change(want.name, publication, found);
  });
}

/** Why publications cannot be as wanted, each with what to do. */
export function publicationRefusals(
  wanted: readonly DatabaseSpec[],
  databases: readonly DatabaseFact[],
  publishable: Publishable,
): string[] {
  return wanted.flatMap((want) => {
    const have = databases.find(({ name }) => name === want.name);
    if (have?.closed === true) return [];
    return (want.publications ?? []).flatMap((publication) => obstacle(want, publication, have, publishable) ?? []);
  });
}

/** Tables that are wanted and not published as they are wanted: whether they can be has to be asked. */
export function tablesAsked(wanted: readonly DatabaseSpec[], databases: readonly DatabaseFact[]): TablesQuestion[] {
  return databases.flatMap((have) => {
    if (have.closed === true) return [];
    const publications = wanted.find(({ name }) => name === have.name)?.publications ?? [];
    const tables = publications.flatMap((want) =>
      toAdd(
        want,
        have.publications.find(({ name }) => name === want.name),
      ),
    );
    return tables.length === 0 ? [] : [{ database: have.name, tables: [...new Set(tables)].sort() }];
  });
}

function toAdd({ tables = [] }: PublicationSpec, found: PublicationFact | undefined): string[] {
  const there = (found?.tables ?? []).map(said);
  return tables.filter((table) => !there.includes(table));
}

function obstacle(
  database: DatabaseSpec,
  want: PublicationSpec,
  have: DatabaseFact | undefined,
  publishable: Publishable,
): string | undefined {
  const found = have?.publications.find(({ name }) => name === want.name);
  const why =
    kindObstacle(want, found) ??
    schemaObstacle(database, want, have) ??
    tableObstacle(want, found, publishable[database.name] ?? []);
  return why === undefined ? undefined : `publication ${want.name} of ${database.name} ${why}`;
}

function kindObstacle(want: PublicationSpec, found: PublicationFact | undefined): string | undefined {
  if (found === undefined || found.allTables === (want.allTables === true)) return undefined;
  return (
    `is ${found.allTables ? "" : "not "}for all tables, and PostgreSQL cannot change that. Declare one of another name and let its ` +
    `subscribers use that; or drop this one first ('removed: true', then "pulumi up") and declare it again`
  );
}

function schemaObstacle(
  { schemas: declared = [] }: DatabaseSpec,
  { schemas = [] }: PublicationSpec,
  have: DatabaseFact | undefined,
): string | undefined {
  const there = ["public", ...[...(have?.schemas ?? []), ...declared].map(({ name }) => name)];
  const missing = schemas.filter((schema) => !there.includes(schema));
  if (missing.length === 0) return undefined;
  return `publishes the schemas ${missing.join(", ")}, which are not in the database: declare them under 'schemas', or make them there, then type: pulumi up`;
}

/** While the server cannot tell the rows of a published table apart it refuses to change them (PostgreSQL documentation, "Publication"). */
function tableObstacle(
  want: PublicationSpec,
  found: PublicationFact | undefined,
  able: readonly PublishableTable[],
): string | undefined {
  const asked = toAdd(want, found);
  const missing = asked.filter((name) => !able.some(({ table }) => table === name));
  if (missing.length > 0) {
    const [table, it] = missing.length === 1 ? ["table", "it"] : ["tables", "them"];
    return `publishes ${missing.join(", ")}, and the database has no such ${table}: make ${it} there, then type: pulumi up`;
  }
  const publish = want.publish ?? found?.publish ?? PUBLISHED;
  const blind = asked.filter((name) => able.some(({ table, hasIdentity }) => table === name && !hasIdentity));
  if (blind.length === 0 || !publish.some((event) => event === "update" || event === "delete")) return undefined;
  const identities = blind.map((table) => `alter table ${quoted(table)} replica identity full;`).join(" ");
  return (
    `publishes updates and deletes of ${blind.join(", ")}, which would fail from then on: without a replica identity the rows ` +
    `cannot be told apart. Make a primary key, or type in psql: ${identities} or write 'publish: [insert, truncate]'`
  );
}

function creation(database: string, want: PublicationSpec): Difference[] {
  const publication = sqlIdentifier(want.name);
  const what =
    want.allTables === true
      ? "all tables"
      : want.schemas === undefined
        ? `table ${(want.tables ?? []).map(quoted).join(", ")}`
        : `tables in schema ${want.schemas.map(sqlIdentifier).join(", ")}`;
  const options = want.publish === undefined ? "" : ` with (publish = ${sqlLiteral(want.publish.join(", "))})`;
  return [
    {
      what: `create publication ${want.name} in ${database}`,
      database,
      sql: [
        `create publication ${publication} for ${what}${options};`,
        ...(want.owner === undefined
          ? []
          : [`alter publication ${publication} owner to ${sqlIdentifier(want.owner)};`]),
      ],
    },
  ];
}

/** What leaves goes first: a table that was narrowed by hand leaves and comes back whole. */
function change(database: string, want: PublicationSpec, found: PublicationFact): Difference[] {
  const publication = sqlIdentifier(want.name);
  const [tables, schemas] = [want.tables ?? [], want.schemas ?? []];
  const gone = found.tables.filter((table) => !tables.includes(said(table)));
  const goneSchemas = found.schemas.filter((schema) => !schemas.includes(schema));
  const newSchemas = schemas.filter((schema) => !found.schemas.includes(schema));
  const added = toAdd(want, found);
  const steps = [
    ...list(
      gone,
      "no longer table",
      said,
      (of) => `drop table ${of.map(({ schema, name }) => pair(schema, name)).join(", ")}`,
    ),
    ...list(
      goneSchemas,
      "no longer schema",
      String,
      (of) => `drop tables in schema ${of.map(sqlIdentifier).join(", ")}`,
    ),
    ...list(added, "table", String, (of) => `add table ${of.map(quoted).join(", ")}`),
    ...list(newSchemas, "schema", String, (of) => `add tables in schema ${of.map(sqlIdentifier).join(", ")}`),
    ...publishStep(want, found),
    ...(want.owner === undefined || want.owner === found.owner
      ? []
      : [{ what: `owner ${want.owner}, not ${found.owner}`, sql: `owner to ${sqlIdentifier(want.owner)}` }]),
  ];
  if (steps.length === 0) return [];
  return [
    {
      what: `publication ${want.name} in ${database}: ${steps.map(({ what }) => what).join(", ")}`,
      database,
      sql: steps.map(({ sql }) => `alter publication ${publication} ${sql};`),
    },
  ];
}

interface Step {
  readonly what: string;
  readonly sql: string;
}

function list<T>(of: readonly T[], what: string, text: (one: T) => string, sql: (of: readonly T[]) => string): Step[] {
  return of.length === 0 ? [] : [{ what: `${what} ${of.map(text).join(", ")}`, sql: sql(of) }];
}

function publishStep({ publish }: PublicationSpec, found: PublicationFact): Step[] {
  if (publish === undefined || publish.join() === found.publish.join()) return [];
  return [
    {
      what: `publish ${publish.join(", ")}, not ${found.publish.join(", ") || "nothing"}`,
      sql: `set (publish = ${sqlLiteral(publish.join(", "))})`,
    },
  ];
}

function said({ schema, name, narrowed }: PublishedTable): string {
  return `${schema}.${name}${narrowed}`;
}

/** @param table "sales.orders", as the inventory has it */
function quoted(table: string): string {
  const [schema = "", name = ""] = table.split(".");
  return pair(schema, name);
}

function pair(schema: string, name: string): string {
  return `${sqlIdentifier(schema)}.${sqlIdentifier(name)}`;
}
