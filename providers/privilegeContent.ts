import type { DatabaseSpec, GrantSpec } from "../config/types";
import type { PrivilegesFact, PrivilegesQuestion } from "../facts/privileges";
import { sqlIdentifier } from "../ssh/quote";
import type { Difference } from "./difference";

/** The databases whose privileges are managed, and what of them has to be asked. */
export function privilegesAsked(wanted: readonly DatabaseSpec[], existing: readonly string[]): PrivilegesQuestion[] {
  return wanted
    .filter(({ name, grants }) => grants !== undefined && existing.includes(name))
    .map(({ name, grants = [] }) => {
      const schemas = grants.flatMap(({ schema, by }) => (schema === undefined || by !== undefined ? [] : [schema]));
      return { database: name, schemas: [...new Set(schemas)].sort() };
    });
}

/** The declared grants with those of their privileges that are held; with `exclusive`, those that others have, too. */
export function foundGrants(want: DatabaseSpec, found: PrivilegesFact | undefined): GrantSpec[] {
  const { grants = [] } = want;
  const held = grants.map((grant) => ({
    ...grant,
    privileges: grant.privileges.filter((p) => holds(found, grant, p)),
  }));
  return [...held.filter(({ privileges }) => privileges.length > 0), ...tooMany(want, found)];
}

/** What is given and what is taken, each a statement. */
export function privilegeDifferences(want: DatabaseSpec, found: PrivilegesFact | undefined): Difference[] {
  const { name: database, grants = [] } = want;
  const missing = grants
    .map((grant) => ({ ...grant, privileges: grant.privileges.filter((p) => !holds(found, grant, p)) }))
    .filter(({ privileges }) => privileges.length > 0);
  return [
    ...missing.map((grant) => ({
      what: `${grant.to} gets ${said(grant, database)}`,
      database,
      sql: [statement(grant, database, "grant")],
    })),
    ...tooMany(want, found).map((grant) => ({
      what: `${grant.to} loses ${said(grant, database)}`,
      database,
      sql: [statement(grant, database, "revoke")],
    })),
  ];
}

/** On all objects that there are: one that was made since, without a default privilege, is a difference. */
function holds(found: PrivilegesFact | undefined, grant: GrantSpec, privilege: string): boolean {
  const has = (found?.privileges ?? []).find(
    (fact) => isAbout(fact, grant) && fact.to === grant.to && fact.privilege === privilege,
  );
  if (grant.by !== undefined) return has !== undefined || isBuiltIn(found, grant, privilege);
  const objects = found?.objects.find(({ on, schema }) => on === grant.on && (schema ?? undefined) === grant.schema);
  const single = grant.on === "database" || grant.on === "schema";
  return (has?.count ?? 0) === (objects?.count ?? (single ? 1 : 0));
}

/** While nobody has changed them, the default privileges let everybody execute functions (ALTER DEFAULT PRIVILEGES). */
function isBuiltIn(found: PrivilegesFact | undefined, grant: GrantSpec, privilege: string): boolean {
  const { on, schema, to } = grant;
  const isChanged = found?.privileges.some((fact) => isAbout(fact, grant)) === true;
  return on === "functions" && schema === undefined && to === "public" && privilege === "execute" && !isChanged;
}

/** What nobody declared, on what the grants name; only where the inventory says `exclusive`. */
function tooMany({ grants = [], exclusive }: DatabaseSpec, found: PrivilegesFact | undefined): GrantSpec[] {
  if (exclusive !== true) return [];
  const scopes = [
    ...new Map(grants.map((grant) => [JSON.stringify([grant.on, grant.schema, grant.by]), grant])).values(),
  ];
  return scopes.flatMap(({ on, schema, by }) => {
    const scope = { on, ...(schema === undefined ? {} : { schema }), ...(by === undefined ? {} : { by }) };
    const isDeclared = (to: string, privilege: string): boolean =>
      grants.some(
        (g) =>
          isAbout({ on, schema: schema ?? null, by: by ?? null }, g) && g.to === to && g.privileges.includes(privilege),
      );
    const extra = new Map<string, string[]>();
    const add = (to: string, privilege: string): void => {
      if (!isDeclared(to, privilege)) extra.set(to, [...(extra.get(to) ?? []), privilege]);
    };
    for (const fact of found?.privileges ?? []) {
      if (fact.given > 0 && isAbout(fact, scope)) add(fact.to, fact.privilege);
    }
    const everybody = { ...scope, to: "public", privileges: ["execute"] };
    if (by !== undefined && isBuiltIn(found, everybody, "execute")) add("public", "execute");
    return [...extra].map(([to, privileges]) => ({ to, ...scope, privileges: privileges.sort() }));
  });
}

function isAbout(
  fact: { readonly on: string; readonly schema: string | null; readonly by: string | null },
  { on, schema, by }: Pick<GrantSpec, "on" | "schema" | "by">,
): boolean {
  return fact.on === on && fact.schema === (schema ?? null) && fact.by === (by ?? null);
}

function said({ on, schema, by, privileges }: GrantSpec, database: string): string {
  const where = on === "database" ? `database ${database}` : on === "schema" ? `schema ${schema}` : on;
  const within =
    on === "database" ? "" : ` ${on === "schema" || schema === undefined ? "" : `of ${schema} `}in ${database}`;
  return `${privileges.join(", ")} on ${where}${within}${by === undefined ? "" : ` that ${by} will make`}`.replace(
    / {2,}/g,
    " ",
  );
}

function statement(grant: GrantSpec, database: string, verb: "grant" | "revoke"): string {
  const { on, schema, by, privileges } = grant;
  const to = grant.to === "public" ? "public" : sqlIdentifier(grant.to);
  const within = schema === undefined ? "" : ` in schema ${sqlIdentifier(schema)}`;
  const target =
    by !== undefined
      ? on
      : on === "database"
        ? `database ${sqlIdentifier(database)}`
        : on === "schema"
          ? `schema ${sqlIdentifier(schema ?? "public")}`
          : `all ${on}${within}`;
  const what = `${verb} ${privileges.join(", ")} on ${target} ${verb === "grant" ? "to" : "from"} ${to}`;
  if (by !== undefined) return `alter default privileges for role ${sqlIdentifier(by)}${within} ${what};`;
  return `${what}${verb === "revoke" ? " cascade" : ""};`;
}
