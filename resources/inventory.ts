import * as pulumi from "./sdk";
import { formatProblems, loadInventory } from "../config/loadInventory";
import { parsePromotion, PROMOTED, promoteAgain, type Promotion, unpromoted } from "../config/promotion";
import type { Inventory } from "../config/types";

/** The inventory of this stack, and its secrets by name. */
export interface StackInventory extends Inventory {
  /** What was promoted to this stack, and whether this is what it gets. */
  readonly promoted?: Promotion & { readonly deployed: string };
  secret(name: string): pulumi.Output<string>;
}

/**
 * Reads the file that `repmgr-pulumi:inventory` of the stack names.
 * @throws pulumi.RunError with every problem at once, each with file, line and path
 */
export function openInventory(): StackInventory {
  const config = new pulumi.Config();
  const path = config.require("inventory");
  const last = lastPromotion(config);
  const secrets = { has: (name: string) => config.get(name) !== undefined, get: (name: string) => config.get(name) };
  const { inventory, problems } = loadInventory(path, secrets, { last });
  if (inventory === undefined || problems.length > 0) {
    throw new pulumi.RunError(
      `the inventory has problems; nothing was looked at or changed:\n${formatProblems(problems)}`,
    );
  }
  const secret = (name: string): pulumi.Output<string> => config.requireSecret(name);
  if (last === undefined) return { ...inventory, secret };
  const why = unpromoted(path, last);
  if (why !== undefined) void pulumi.log.warn(`${why}; ${promoteAgain(last)}`);
  return { ...inventory, secret, promoted: { ...last, deployed: why ?? "as promoted" } };
}

function lastPromotion(config: pulumi.Config): Promotion | undefined {
  try {
    return parsePromotion(config.getObject(PROMOTED));
  } catch (error) {
    throw new pulumi.RunError(error instanceof Error ? error.message : String(error));
  }
}
