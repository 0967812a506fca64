import type { DatabaseSpec, SlotSpec } from "../config/types";
import type { SlotFact } from "../facts/content";
import { sqlLiteral } from "../ssh/quote";
import type { Difference } from "./difference";

/** The managed logical slots from which somebody can read. */
export function foundSlots({ name: database, slots = [] }: DatabaseSpec, found: readonly SlotFact[]): SlotSpec[] {
  return slots.flatMap(({ name }) => {
    const have = found.find((slot) => slot.name === name);
    return have?.database !== database || have.lost ? [] : [{ name, plugin: have.plugin ?? "" }];
  });
}

/** "shop.warehouse" of all of them. */
export function slotPaths(wanted: readonly DatabaseSpec[], found: readonly SlotFact[]): string[] {
  return wanted.flatMap((want) => foundSlots(want, found).map(({ name }) => `${want.name}.${name}`));
}

/**
 * Slots that are to be made, each by itself: PostgreSQL makes none in a transaction that has written.
 * @param known "shop.warehouse" of those that were there once: who read from one of them has lost its place
 */
export function slotDifferences(
  wanted: readonly DatabaseSpec[],
  found: readonly SlotFact[],
  known: readonly string[],
): Difference[] {
  return wanted.flatMap(({ name: database, slots = [] }) =>
    slots.flatMap((want) => {
      const have = found.find(({ name }) => name === want.name);
      if (have !== undefined && (have.database !== database || !have.lost)) return [];
      const isLoss = have !== undefined || known.includes(`${database}.${want.name}`);
      return [...(have === undefined ? [] : [clearing(database, want)]), creation(database, want, isLoss, have)];
    }),
  );
}

/** What a slot keeps for all its life, and names that are in use. */
export function slotRefusals(wanted: readonly DatabaseSpec[], found: readonly SlotFact[]): string[] {
  return wanted.flatMap(({ name: database, slots = [] }) =>
    slots.flatMap((want) => {
      const have = found.find(({ name }) => name === want.name);
      if (have === undefined) return [];
      if (have.database !== database) {
        const of = have.database === null ? "a physical one" : `one of the database ${have.database}`;
        return [`there is a slot ${want.name} already, ${of}: choose another name, or drop it by hand`];
      }
      if (have.lost || have.plugin === want.plugin) return [];
      return [
        `slot ${want.name} of ${database} has the plugin ${have.plugin ?? "?"}, not ${want.plugin}, and PostgreSQL cannot change that. ` +
          `Write what it has into the inventory, or declare one of another name`,
      ];
    }),
  );
}

function clearing(database: string, { name }: SlotSpec): Difference {
  const slot = sqlLiteral(name);
  return {
    what: `drop logical slot ${name} of ${database}: the WAL it was to keep is gone, nobody can read from it again`,
    database,
    sql: [
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = ${slot} and wal_status = 'lost';`,
    ],
    isAlone: true,
  };
}

function creation(
  database: string,
  { name, plugin }: SlotSpec,
  isLoss: boolean,
  have: SlotFact | undefined,
): Difference {
  const slot = sqlLiteral(name);
  const lost =
    `the logical slot ${name} of ${database} is ${have === undefined ? "missing" : "lost"}: make it anew. What was written ` +
    `before is not in it: whoever read from it has lost its place and has to copy its tables anew`;
  return {
    what: isLoss
      ? lost
      : `create logical slot ${name} (${plugin}) in ${database}, once the transactions that run then have ended`,
    database,
    sql: [
      `select pg_create_logical_replication_slot(${slot}, ${sqlLiteral(plugin)}) where not exists (select from pg_replication_slots where slot_name = ${slot});`,
    ],
    isAlone: true,
    ...(isLoss ? { isLoss } : {}),
  };
}
