import { readFileSync } from "node:fs";
import { check } from "./check";
import { deriveCluster } from "./deriveCluster";
import { HostDeriver } from "./deriveHosts";
import { nodeAt } from "./located";
import { sortProblems } from "./problems";
import { readInventory } from "./readInventory";
import type { Inventory, Problem } from "./types";
import { validate } from "./validate";

export { formatProblems } from "./problems";

/**
 * Reads an inventory with what it extends, checks it and derives what follows from it. Reads files and nothing else.
 * @param path the inventory file; problems name it as it is given here
 * @param secrets which secrets the stack's configuration has; their values are not needed
 * @returns the inventory, or every problem found; never both. Does not throw for anything a person wrote.
 */
export function loadInventory(
  path: string,
  secrets: { has(name: string): boolean },
): { inventory?: Inventory; problems: Problem[] } {
  const { root, problems } = readInventory(path);
  if (!root) return { problems: sortProblems(problems) };
  const validated = validate(
    root,
    problems.map((problem) => problem.path),
  );
  const found = [...problems, ...validated.problems, ...check(root, validated, (name) => secrets.has(name))];
  if (found.length > 0) return { problems: sortProblems(found) };
  const raw = validated.sound;
  const fileOf = (at: readonly string[]) => nodeAt(root, at)?.file ?? path;
  const hosts = new HostDeriver(raw, fileOf).all((file) => readFileSync(file, "utf8"));
  const clusters = Object.entries(raw.postgresql_clusters).map(([name, own]) => deriveCluster(name, own, raw));
  return { inventory: { hosts, clusters }, problems: [] };
}
