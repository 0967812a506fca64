import type { TablespaceSpec } from "../config/types";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";

/** Something inside the database that is not as wanted, with the SQL that puts it right. */
export interface Difference {
  readonly what: string;
  readonly database: string;
  readonly sql: readonly string[];
  /** The roles and databases that a review shows as data do not tell it. */
  readonly isHidden?: boolean;
  /** PostgreSQL does it in no transaction: databases are made and dropped. */
  readonly isAlone?: boolean;
  readonly isDrop?: boolean;
  /** A tablespace that is made: its directory has to be on every node before. */
  readonly space?: TablespaceSpec;
}

interface Owned {
  readonly name: string;
  /** Absent in what is wanted: as it is. */
  readonly owner?: string;
}

/** What all databases of a cluster share, and whose it is. */
export function ownerDifference(kind: "database" | "tablespace", want: Owned, have: Required<Owned>): Difference[] {
  if (want.owner === undefined || want.owner === have.owner) return [];
  return [
    {
      what: `${kind} ${want.name} belongs to ${have.owner}, not to ${want.owner}`,
      database: "postgres",
      sql: [`alter ${kind} ${sqlIdentifier(want.name)} owner to ${sqlIdentifier(want.owner)};`],
    },
  ];
}

type Settings = Readonly<Record<string, string>>;

/** Lists of names, each of which is quoted where it must be (guc.h, GUC_LIST_QUOTE). */
const NAME_LISTS = ["search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"];

/** The settings of a role or a database as they are found, in the words of the wanted ones where they mean the same. */
export function shownSettings(want: Settings, found: Settings): Settings {
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => {
      const wanted = want[name];
      return [name, wanted !== undefined && isSame(name, wanted, value) ? wanted : value];
    }),
  );
}

/** @param whom "role "app"" in SQL */
export function settingChanges(whom: string, want: Settings, found: Settings): { what: string[]; sql: string[] } {
  const shown = shownSettings(want, found);
  const wrong = Object.keys(want).filter((name) => shown[name] !== want[name]);
  const tooMany = Object.keys(found).filter((name) => want[name] === undefined);
  return {
    what: [...wrong.map((name) => `${name} = ${want[name]}`), ...tooMany.map((name) => `no ${name}`)],
    sql: [
      ...wrong.map((name) => `alter ${whom} set ${setting(name)} to ${settingValue(name, want[name] ?? "")};`),
      ...tooMany.map((name) => `alter ${whom} reset ${setting(name)};`),
    ],
  };
}

function isSame(name: string, a: string, b: string): boolean {
  return a === b || (NAME_LISTS.includes(name) && JSON.stringify(names(a)) === JSON.stringify(names(b)));
}

function setting(name: string): string {
  return name.split(".").map(sqlIdentifier).join(".");
}

function settingValue(name: string, value: string): string {
  return NAME_LISTS.includes(name) ? names(value).map(sqlLiteral).join(", ") : sqlLiteral(value);
}

function names(list: string): string[] {
  return list.split(",").map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
}
