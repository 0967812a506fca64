import * as pulumi from "@pulumi/pulumi";
import { formatProblems, loadInventory } from "../config/loadInventory";
import type { Inventory } from "../config/types";

/** The inventory of this stack, and its secrets by name. */
export interface StackInventory extends Inventory {
  secret(name: string): pulumi.Output<string>;
}

/**
 * Reads the file that `repmgr-pulumi:inventory` of the stack names.
 * @throws pulumi.RunError with every problem at once, each with file, line and path
 */
export function openInventory(): StackInventory {
  const config = new pulumi.Config();
  const { inventory, problems } = loadInventory(config.require("inventory"), {
    has: (name) => config.get(name) !== undefined,
  });
  if (inventory === undefined || problems.length > 0) {
    throw new pulumi.RunError(
      `the inventory has problems; nothing was looked at or changed:\n${formatProblems(problems)}`,
    );
  }
  return { ...inventory, secret: (name) => config.requireSecret(name) };
}
