import { z } from "zod";
import { PUBLISHED, SQL_NAME } from "./defaults";
import { nameOf } from "./schemaParts";

const removed = z
  .boolean()
  .default(false)
  .describe("It is dropped, when it was deployed before. Needs 'allow_drop: true' of the cluster.");

export const publicationSchema = z
  .strictObject({
    owner: nameOf(SQL_NAME, "Role in 'roles' that owns it. Default: as it is; of a new one, postgres.").optional(),
    tables: z
      .array(
        z
          .string()
          .regex(
            /^[A-Za-z_][A-Za-z0-9_$]{0,62}\.[A-Za-z_][A-Za-z0-9_$]{0,62}$/,
            "expected schema.table, such as sales.orders",
          ),
      )
      .min(1, "expected at least one table")
      .describe("These tables and no others, as schema.table in the letters in which they are stored. They must exist.")
      .optional(),
    schemas: z
      .array(nameOf(SQL_NAME, "A schema."))
      .min(1, "expected at least one schema")
      .describe(
        "All tables of these schemas, also those made later; from PostgreSQL 15 on. One of 'tables', 'schemas' and 'all_tables' is required.",
      )
      .optional(),
    all_tables: z.boolean().default(false).describe("All tables of the database, also those made later."),
    publish: z
      .array(z.enum(PUBLISHED))
      .min(1, "expected at least one of insert, update, delete, truncate")
      .describe("What is published of them. Default: as it is; of a new one, all of it.")
      .optional(),
    removed,
  })
  .describe("A publication of the database.");

export const slotSchema = z
  .strictObject({
    plugin: nameOf(
      { pattern: /^[a-z][a-z0-9_]{0,62}$/, rule: "a lower-case letter, then lower-case letters, digits and _" },
      "The plugin that decodes for its reader; it cannot be changed later.",
    ).default("pgoutput"),
    failover: z
      .boolean()
      .default(false)
      .describe(
        "The standbys keep copies of it, so that its reader goes on after a failover or a switchover; from PostgreSQL 17 on. No reader gets ahead of a standby that may be promoted.",
      ),
    removed,
  })
  .describe(
    "A logical replication slot of the database. It keeps WAL for its reader, on the primary alone unless it is to fail over.",
  );
