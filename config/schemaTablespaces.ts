import { z } from "zod";
import { SQL_NAME } from "./defaults";
import { nameOf, textOf } from "./schemaParts";

const cost = (what: string) =>
  z.number().min(0).describe(`${what}, for what is in it. Default of those not named: the server's.`).optional();
const requests = (whose: string) =>
  z.int().min(0).max(1000).describe(`So many requests at once to its disks, by ${whose}.`).optional();

export const tablespaceSchema = z
  .strictObject({
    directory: textOf(
      "Its directory, one and the same on every data node, for nothing else. It is made where it is not there; of a disk of its own use a directory in it. It cannot be changed later.",
    ).optional(),
    owner: nameOf(
      SQL_NAME,
      "Role in 'roles' that owns it, or postgres. Default: as it is; of a new one, postgres.",
    ).optional(),
    options: z
      .strictObject({
        seq_page_cost: cost("What the planner thinks that a page read in sequence costs"),
        random_page_cost: cost("What the planner thinks that any other page costs"),
        effective_io_concurrency: requests("a query"),
        maintenance_io_concurrency: requests("maintenance"),
      })
      .describe("Options of the tablespace; others that it has are taken away. Default: whatever it has.")
      .optional(),
    removed: z
      .boolean()
      .default(false)
      .describe("It is dropped, when it was deployed before and is empty. Needs 'allow_drop: true' of the cluster."),
  })
  .describe("A tablespace of the cluster.");

export type RawTablespace = z.infer<typeof tablespaceSchema>;
