import { sqlLiteral } from "../ssh/quote";
import { byDatabaseProbe } from "./byDatabase";
import type { Probe } from "./probe";

/** A table that can be published. */
export interface PublishableTable {
  /** "sales.orders" */
  readonly table: string;
  /** Its rows can be told apart by their old values. */
  readonly hasIdentity: boolean;
}

/** Which tables of a database are asked about. */
export interface TablesQuestion {
  readonly database: string;
  readonly tables: readonly string[];
}

/** Permanent tables only; a partitioned one stands for its partitions. */
const sqlOf = (tables: readonly string[]): string => `select coalesce(json_agg(json_build_object(
    'table', format('%s.%s', nspname, relname),
    'hasIdentity', relreplident = 'f' or exists (select from pg_index
      where indrelid = c.oid and case relreplident when 'd' then indisprimary else indisreplident end))), '[]')::jsonb::text
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p') and relpersistence = 'p'
    and format('%s.%s', nspname, relname) = any (array[${tables.map(sqlLiteral).join(", ")}]::text[]);`;

/**
 * Those among some tables that are there and can be published, by database.
 * @param psql shell that starts psql with -XAtq as postgres, ready for more options
 */
export function publishableProbe(
  psql: string,
  questions: readonly TablesQuestion[],
): Probe<Readonly<Record<string, readonly PublishableTable[]>>> {
  return byDatabaseProbe("publishable", psql, questions, ({ tables }) => sqlOf(tables));
}
