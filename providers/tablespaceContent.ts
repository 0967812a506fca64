import { type Action, waitFor } from "../actions/action";
import type { DatabaseSpec, TablespaceSpec } from "../config/types";
import type { ContentFact, TablespaceFact } from "../facts/content";
import { spacesProbe } from "../facts/tablespaces";
import { sqlIdentifier, sqlLiteral } from "../ssh/quote";
import type { ClusterInputs, ClusterView } from "./cluster";
import { type Difference, ownerDifference } from "./difference";
import { isSpaceReady, spaceQuestion } from "./spaceDirectories";

/** The directory of a new node's tablespace may still be on its way. */
const DIRECTORY_DEADLINE_MS = 60_000;

/** The managed tablespaces as the primary has them; what of one is not managed is not shown. */
export function foundTablespaces(
  wanted: readonly TablespaceSpec[],
  found: readonly TablespaceFact[],
): readonly TablespaceSpec[] {
  return wanted.flatMap((want) => {
    const have = found.find(({ name }) => name === want.name);
    if (have === undefined) return [];
    return [
      {
        name: want.name,
        directory: have.directory,
        ...(want.owner === undefined ? {} : { owner: have.owner }),
        ...(want.options === undefined ? {} : { options: shownOptions(want.options, have.options) }),
      },
    ];
  });
}

/** After the roles, which own them, and before the databases, which are made in them. */
export function tablespaceDifferences(
  wanted: readonly TablespaceSpec[],
  found: readonly TablespaceFact[],
): Difference[] {
  const pairs = wanted.map((want) => [want, found.find(({ name }) => name === want.name)] as const);
  return [
    ...pairs.flatMap(([want, have]) => (have === undefined ? [creation(want)] : [])),
    ...pairs.flatMap(([want, have]) => (have === undefined ? [] : ownerDifference("tablespace", want, have))),
    ...pairs.flatMap(([want, have]) => (have === undefined ? [] : optionDifference(want, have))),
  ];
}

/** What stays where it is until a person moves it: a tablespace for good, a database while others are in it. */
export function tablespaceRefusals(
  { tablespaces = [], databases }: { tablespaces?: readonly TablespaceSpec[]; databases: readonly DatabaseSpec[] },
  content: ContentFact,
): string[] {
  const moved = tablespaces.flatMap(({ name, directory }) => {
    const have = content.tablespaces.find((space) => space.name === name);
    if (have === undefined || have.directory === directory) return [];
    return [cannotMove(name, have.directory, directory)];
  });
  const elsewhere = databases.flatMap(({ name, tablespace }) => {
    const have = content.databases.find((database) => database.name === name);
    if (tablespace === undefined || have === undefined || have.tablespace === tablespace) return [];
    return [
      `database ${name} is in the tablespace ${have.tablespace}, not in ${tablespace}: to move it copies all its files while nobody may be ` +
        `connected to it. Type on the primary, when it suits you: alter database ${sqlIdentifier(name)} set tablespace ${sqlIdentifier(tablespace)}`,
    ];
  });
  return [...moved, ...elsewhere];
}

/** Why a tablespace stays where it is, and what to do. */
export function cannotMove(name: string, is: string, wanted: string): string {
  return (
    `tablespace ${name} is in ${is}, not in ${wanted}, and PostgreSQL cannot move it. Write its directory into the ` +
    `inventory, or declare one of another name and move what is in it there (alter table ... set tablespace)`
  );
}

/**
 * What is waited for before a tablespace is made: a standby that replays it without its directory stops, and does not start again
 * until it is there (PostgreSQL, tablespace.c, create_tablespace_directories).
 */
export function awaitDirectories(
  inputs: ClusterInputs,
  view: ClusterView,
  { name, directory }: TablespaceSpec,
): Action[] {
  const members = view.filter(({ member, facts }) => !member.witness && facts.isLost !== true);
  const probe = spacesProbe(spaceQuestion(inputs, [directory]));
  return members.map(({ member: { node, host } }) =>
    waitFor(
      { host, why: `${directory}, for the tablespace ${name}, is there on ${node}`, deadlineMs: DIRECTORY_DEADLINE_MS },
      probe,
      ([found]) => (found !== undefined && isSpaceReady(found) ? undefined : `it is ${found?.ownership || "absent"}`),
    ),
  );
}

function creation(want: TablespaceSpec): Difference {
  const { name, directory, owner, options = {} } = want;
  const settings = Object.entries(options).map(([option, value]) => `${option} = ${value}`);
  const words = [
    `create tablespace ${sqlIdentifier(name)}`,
    ...(owner === undefined ? [] : [`owner ${sqlIdentifier(owner)}`]),
    `location ${sqlLiteral(directory)}`,
    ...(settings.length === 0 ? [] : [`with (${settings.join(", ")})`]),
  ];
  return {
    what: `create tablespace ${name} in ${directory}, on every node`,
    database: "postgres",
    sql: [`${words.join(" ")};`],
    isAlone: true,
    space: want,
  };
}

function optionDifference({ name, options }: TablespaceSpec, have: TablespaceFact): Difference[] {
  if (options === undefined) return [];
  const shown = shownOptions(options, have.options);
  const wrong = Object.entries(options).filter(([option, value]) => shown[option] !== value);
  const tooMany = Object.keys(shown).filter((option) => options[option] === undefined);
  if (wrong.length + tooMany.length === 0) return [];
  const words = wrong.map(([option, value]) => `${option} = ${value}`);
  const alter = `alter tablespace ${sqlIdentifier(name)}`;
  return [
    {
      what: `tablespace ${name}: ${[...words, ...tooMany.map((option) => `no ${option}`)].join(", ")}`,
      database: "postgres",
      sql: [
        ...(words.length === 0 ? [] : [`${alter} set (${words.join(", ")});`]),
        ...(tooMany.length === 0 ? [] : [`${alter} reset (${tooMany.join(", ")});`]),
      ],
    },
  ];
}

/** PostgreSQL keeps the words it was given: 1.10 and 1.1 are one number. */
function shownOptions(
  wanted: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(found).map(([option, value]) => {
      const want = wanted[option];
      return [option, want !== undefined && Number(want) === Number(value) ? want : value];
    }),
  );
}
