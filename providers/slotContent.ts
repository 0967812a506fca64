import type { DatabaseSpec, SlotSpec } from "../config/types";
import type { SlotFact } from "../facts/content";
import { conninfoValue, sqlLiteral } from "../ssh/quote";
import type { Difference } from "./difference";

/** The managed logical slots from which somebody can read. */
export function foundSlots({ name: database, slots = [] }: DatabaseSpec, found: readonly SlotFact[]): SlotSpec[] {
  return slots.flatMap(({ name, failover }) => {
    const have = found.find((slot) => slot.name === name);
    if (have?.database !== database || have.lost) return [];
    // A subscription may have its slot fail over without us.
    return [{ name, plugin: have.plugin ?? "", ...(failover === true && have.failover === true ? { failover } : {}) }];
  });
}

/** "shop.warehouse" of all of them. */
export function slotPaths(wanted: readonly DatabaseSpec[], found: readonly SlotFact[]): string[] {
  return wanted.flatMap((want) => foundSlots(want, found).map(({ name }) => `${want.name}.${name}`));
}

/**
 * Slots that are to be made or to fail over, each by itself: PostgreSQL makes none in a transaction that has written. One that
 * was there once is none of those to be made (slotRefusals).
 * @param known "shop.warehouse" of those that were there once
 */
export function slotDifferences(
  wanted: readonly DatabaseSpec[],
  found: readonly SlotFact[],
  known: readonly string[],
): Difference[] {
  return wanted.flatMap(({ name: database, slots = [] }) =>
    slots.flatMap((want) => {
      const have = found.find((slot) => slot.name === want.name);
      if (have === undefined) return known.includes(`${database}.${want.name}`) ? [] : [creation(database, want)];
      return lacksFailover(database, want, have) && !have.active ? [alteration(database, want)] : [];
    }),
  );
}

function lacksFailover(database: string, { failover, plugin }: SlotSpec, have: SlotFact): boolean {
  const isOurs = have.database === database && have.plugin === plugin && !have.lost;
  return isOurs && failover === true && have.failover !== true;
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
      if (lacksFailover(database, want, have) && have.active) return [busy(database, want)];
      if (have.plugin === want.plugin) return [];
      return [
        `slot ${want.name} of ${database} has the plugin ${have.plugin ?? "?"}, not ${want.plugin}, and PostgreSQL cannot change that. ` +
          `Write what it has into the inventory, or declare one of another name`,
      ];
    }),
  );
}

function loss(database: string, { name, plugin, failover }: SlotSpec, on: string, have?: SlotFact): string {
  const slot = sqlLiteral(name);
  const drop = have === undefined ? "" : `select pg_drop_replication_slot(${slot}); `;
  return (
    `the logical slot ${name} of ${database} ${have === undefined ? "is gone, as after a failover" : "has lost the WAL that it kept"}: what its ` +
    `reader had not read yet is in no slot, and one made anew would lead it over that gap without a word. Have the reader copy its tables ` +
    `anew, then type on ${on}, in the database ${database}: ${drop}select pg_create_logical_replication_slot(${slot}, ${sqlLiteral(plugin)}${failover === true ? ", failover => true" : ""})`
  );
}

/** A subscription that was told nothing of it says so itself: one with "failover = false" would take it away again. */
function busy(database: string, { name }: SlotSpec): string {
  return (
    `the logical slot ${name} of ${database} does not fail over, and while somebody reads from it that cannot be changed here. A subscription: type where ` +
    `it is: alter subscription ... disable; alter subscription ... set (failover = true); alter subscription ... enable. Another reader: stop it, then type: pulumi up`
  );
}

function creation(database: string, { name, plugin, failover }: SlotSpec): Difference {
  const slot = sqlLiteral(name);
  const more = failover === true ? ", failover => true" : "";
  return {
    what: `create logical slot ${name} (${plugin}) in ${database}${failover === true ? ", which fails over" : ""}, once the transactions that run then have ended`,
    database,
    sql: [
      `select pg_create_logical_replication_slot(${slot}, ${sqlLiteral(plugin)}${more}) where not exists (select from pg_replication_slots where slot_name = ${slot});`,
    ],
    isAlone: true,
  };
}

/** No SQL function changes it, only a replication connection does (PostgreSQL documentation, 53.4). */
function alteration(database: string, { name }: SlotSpec): Difference {
  return {
    what: `logical slot ${name} of ${database} fails over`,
    database: `dbname=${conninfoValue(database)} replication=database`,
    sql: [`ALTER_REPLICATION_SLOT ${name} (FAILOVER true);`],
    isAlone: true,
  };
}
