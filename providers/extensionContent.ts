import type { DatabaseSpec, ExtensionSpec } from "../config/types";
import type { DatabaseFact, ExtensionFact } from "../facts/content";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import type { Difference } from "./difference";

type Wanted = Exclude<ExtensionSpec, string>;

/** The managed extensions that are there, in the form in which they are wanted. */
export function foundExtensions({ extensions }: DatabaseSpec, have: DatabaseFact): ExtensionSpec[] {
  return extensions.flatMap((spec): ExtensionSpec | ExtensionSpec[] => {
    const { name, version, schema } = wantedOf(spec);
    const found = extensionOf(have, name);
    if (found === undefined) return [];
    if (typeof spec === "string") return [name];
    return [
      {
        name,
        ...(version === undefined ? {} : { version: found.version }),
        ...(schema === undefined ? {} : { schema: found.schema }),
      },
    ];
  });
}

export function extensionDifferences(
  { name: database, extensions }: DatabaseSpec,
  have: DatabaseFact | undefined,
): Difference[] {
  const pairs = extensions.map((spec) => [wantedOf(spec), extensionOf(have, wantedOf(spec).name)] as const);
  const missing = pairs.filter(([, found]) => found === undefined).map(([want]) => want);
  const moved = pairs.flatMap(([{ name, schema }, found]) =>
    schema === undefined || found === undefined || found.schema === schema
      ? []
      : [{ name, schema, from: found.schema }],
  );
  return [
    ...(missing.length === 0
      ? []
      : [
          {
            what: `create extension ${missing.map(({ name }) => name).join(", ")} in ${database}`,
            database,
            sql: missing.map(creation),
          },
        ]),
    ...updates(database, pairs, ({ version }) => version === undefined).map((update) => ({
      ...update,
      isHidden: true,
    })),
    ...updates(database, pairs, ({ version }) => version !== undefined),
    ...moved.map(({ name, schema, from }) => ({
      what: `extension ${name} in ${database} is in schema ${from}, not in ${schema}`,
      database,
      sql: [`alter extension ${sqlIdentifier(name)} set schema ${sqlIdentifier(schema)};`],
    })),
  ];
}

/** To the version that is named, else to the one that the installed package brings; one that no package brings is left alone. */
function updates(
  database: string,
  pairs: readonly (readonly [Wanted, ExtensionFact | undefined])[],
  of: (want: Wanted) => boolean,
): Difference[] {
  const due = pairs.flatMap(([want, found]) => {
    const to = want.version ?? found?.available ?? undefined;
    return found === undefined || to === undefined || found.version === to || !of(want)
      ? []
      : [{ name: want.name, from: found.version, to, isNamed: want.version !== undefined }];
  });
  if (due.length === 0) return [];
  return [
    {
      what: `update extension ${due.map(({ name, from, to }) => `${name} ${from} to ${to}`).join(", ")} in ${database}`,
      database,
      sql: due.map(({ name, to, isNamed }) => {
        return `alter extension ${sqlIdentifier(name)} update${isNamed ? ` to ${sqlLiteral(to)}` : ""};`;
      }),
    },
  ];
}

function creation({ name, version, schema }: Wanted): string {
  const where = schema === undefined ? "" : ` schema ${sqlIdentifier(schema)}`;
  const which = version === undefined ? "" : ` version ${sqlLiteral(version)}`;
  return `create extension if not exists ${sqlIdentifier(name)}${where}${which} cascade;`;
}

function wantedOf(spec: ExtensionSpec): Wanted {
  return typeof spec === "string" ? { name: spec } : spec;
}

function extensionOf(database: DatabaseFact | undefined, extension: string): ExtensionFact | undefined {
  return database?.extensions.find(({ name }) => name === extension);
}
