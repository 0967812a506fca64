import { canonicalValues } from "./deriveSettings";
import type { RawCluster } from "./schema";
import { PUBLISHED } from "./defaults";
import { plainDirectory } from "./directory";
import type { ClusterSpec, DatabaseSpec, GrantSpec, PublicationSpec, RemovedSpec, SlotSpec } from "./types";

/** The roles as they are wanted; a key that nobody wrote is in none of them, so that it is compared with nothing. */
export function deriveRoles(raw: RawCluster): ClusterSpec["roles"] {
  return kept(raw.roles).map(([name, role]) => ({
    name,
    login: role.login,
    createdb: role.createdb,
    createrole: role.createrole,
    superuser: role.superuser,
    replication: role.replication,
    ...(role.inherit === undefined ? {} : { inherit: role.inherit }),
    ...(role.bypassrls === undefined ? {} : { bypassrls: role.bypassrls }),
    connectionLimit: role.connection_limit,
    ...(role.valid_until === undefined ? {} : { validUntil: role.valid_until }),
    ...(role.member_of === undefined ? {} : { memberOf: [...new Set(role.member_of)].sort() }),
    ...settingsOf(role),
    passwordSecret: role.password_secret,
  }));
}

export function deriveDatabases(raw: RawCluster): ClusterSpec["databases"] {
  return kept(raw.databases).map(([name, database]) => {
    const { connection_limit: limit, settings, schemas, grants, default_privileges: later, ...rest } = database;
    const { exclusive, publications, slots, removed: _, ...own } = rest;
    return {
      name,
      ...own,
      ...(limit === undefined ? {} : { connectionLimit: limit }),
      ...settingsOf({ settings }),
      ...(schemas === undefined
        ? {}
        : { schemas: Object.entries(schemas).map(([schema, { owner }]) => withOwner(schema, owner ?? own.owner)) }),
      ...(grants === undefined && later === undefined ? {} : { grants: deriveGrants(grants ?? [], later ?? []) }),
      ...(exclusive ? { exclusive } : {}),
      ...derivePublished({ publications, slots }),
    };
  });
}

export function deriveTablespaces(raw: RawCluster): ClusterSpec["tablespaces"] {
  return kept(raw.tablespaces).map(([name, { directory = "", owner, options }]) => ({
    name,
    directory: plainDirectory(directory),
    ...(owner === undefined ? {} : { owner }),
    ...(options === undefined
      ? {}
      : { options: Object.fromEntries(Object.entries(options).map(([option, value]) => [option, String(value)])) }),
  }));
}

/** What must be gone; nothing where nobody says so. */
export function deriveRemoved({ roles, databases, tablespaces }: RawCluster): { removed?: RemovedSpec } {
  const gone = (all: Readonly<Record<string, { removed: boolean }>> = {}): string[] =>
    Object.keys(all).filter((name) => all[name]?.removed === true);
  const within = (kind: "publications" | "slots"): string[] =>
    Object.entries(databases).flatMap(([database, own]) => gone(own[kind]).map((name) => `${database}.${name}`));
  const [publications, slots] = [within("publications"), within("slots")];
  const spaces = gone(tablespaces);
  const removed = {
    roles: gone(roles),
    databases: gone(databases),
    ...(spaces.length === 0 ? {} : { tablespaces: spaces }),
    ...(publications.length === 0 ? {} : { publications }),
    ...(slots.length === 0 ? {} : { slots }),
  };
  return Object.values(removed).every((names) => names.length === 0) ? {} : { removed };
}

/** Those that are to be there. */
export function kept<T extends { removed: boolean }>(all: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(all).filter(([, { removed }]) => !removed);
}

type RawDatabase = RawCluster["databases"][string];

/** What is written twice for the same role and the same objects is one. */
function deriveGrants(
  grants: NonNullable<RawDatabase["grants"]>,
  later: NonNullable<RawDatabase["default_privileges"]>,
): GrantSpec[] {
  const all = [...grants, ...later.map(({ made_by: by, ...grant }) => ({ ...grant, by }))];
  const merged = new Map<string, GrantSpec>();
  for (const { privileges, ...scope } of all) {
    const key = JSON.stringify([scope.on, scope.schema, "by" in scope ? scope.by : undefined, scope.to]);
    const before = merged.get(key)?.privileges ?? [];
    merged.set(key, { ...scope, privileges: [...new Set([...before, ...privileges])].sort() });
  }
  return [...merged.values()];
}

function derivePublished({
  publications,
  slots,
}: Pick<RawDatabase, "publications" | "slots">): Pick<DatabaseSpec, "publications" | "slots"> {
  return {
    ...(publications === undefined ? {} : { publications: kept(publications).map(derivePublication) }),
    ...(slots === undefined ? {} : { slots: kept(slots).map(deriveSlot) }),
  };
}

function deriveSlot([name, { plugin, failover }]: [string, NonNullable<RawDatabase["slots"]>[string]]): SlotSpec {
  return { name, plugin, ...(failover ? { failover } : {}) };
}

function derivePublication([name, publication]: [
  string,
  NonNullable<RawDatabase["publications"]>[string],
]): PublicationSpec {
  const { owner, tables, schemas, all_tables: allTables, publish } = publication;
  return {
    name,
    ...(owner === undefined ? {} : { owner }),
    ...(allTables ? { allTables } : {}),
    ...(tables === undefined ? {} : { tables: [...new Set(tables)].sort() }),
    ...(schemas === undefined ? {} : { schemas: [...new Set(schemas)].sort() }),
    ...(publish === undefined ? {} : { publish: PUBLISHED.filter((event) => publish.includes(event)) }),
  };
}

function withOwner(name: string, owner: string | undefined): { name: string; owner?: string } {
  return owner === undefined ? { name } : { name, owner };
}

function settingsOf({ settings }: { settings?: RawCluster["settings"] }): { settings?: Record<string, string> } {
  return settings === undefined ? {} : { settings: canonicalValues(settings) };
}
