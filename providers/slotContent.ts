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
 * Slots that are to be made, each by itself: PostgreSQL makes none in a transaction that has written. One that was there once is
 * none of these (slotRefusals).
 * @param known "shop.warehouse" of those that were there once
 */
export function slotDifferences(
  wanted: readonly DatabaseSpec[],
  found: readonly SlotFact[],
  known: readonly string[],
): Difference[] {
  return wanted.flatMap(({ name: database, slots = [] }) =>
    slots
      .filter(({ name }) => !found.some((slot) => slot.name === name) && !known.includes(`${database}.${name}`))
      .map((want) => creation(database, want)),
  );
}

/**
 * What a slot keeps for all its life, names that are in use, and slots that are gone: made anew, one would lead its reader over
 * what it had not read yet without a word, so a person does that who has seen to the reader.
 * @param on the primary's node
 */
export function slotRefusals(
  wanted: readonly DatabaseSpec[],
  found: readonly SlotFact[],
  known: readonly string[],
  on: string,
): string[] {
  return wanted.flatMap(({ name: database, slots = [] }) =>
    slots.flatMap((want) => {
      const have = found.find(({ name }) => name === want.name);
      if (have === undefined) return known.includes(`${database}.${want.name}`) ? [loss(database, want, on)] : [];
      if (have.database !== database) {
        const of = have.database === null ? "a physical one" : `one of the database ${have.database}`;
        return [`there is a slot ${want.name} already, ${of}: choose another name, or drop it by hand`];
      }
      if (have.lost) return [loss(database, want, on, have)];
      if (have.plugin === want.plugin) return [];
      return [
        `slot ${want.name} of ${database} has the plugin ${have.plugin ?? "?"}, not ${want.plugin}, and PostgreSQL cannot change that. ` +
          `Write what it has into the inventory, or declare one of another name`,
      ];
    }),
  );
}

function loss(database: string, { name, plugin }: SlotSpec, on: string, have?: SlotFact): string {
  const slot = sqlLiteral(name);
  const drop = have === undefined ? "" : `select pg_drop_replication_slot(${slot}); `;
  return (
    `the logical slot ${name} of ${database} ${have === undefined ? "is gone, as after a failover" : "has lost the WAL that it kept"}: what its ` +
    `reader had not read yet is in no slot, and one made anew would lead it over that gap without a word. Have the reader copy its tables ` +
    `anew, then type on ${on}, in the database ${database}: ${drop}select pg_create_logical_replication_slot(${slot}, ${sqlLiteral(plugin)})`
  );
}

function creation(database: string, { name, plugin }: SlotSpec): Difference {
  const slot = sqlLiteral(name);
  return {
    what: `create logical slot ${name} (${plugin}) in ${database}, once the transactions that run then have ended`,
    database,
    sql: [
      `select pg_create_logical_replication_slot(${slot}, ${sqlLiteral(plugin)}) where not exists (select from pg_replication_slots where slot_name = ${slot});`,
    ],
    isAlone: true,
  };
}
