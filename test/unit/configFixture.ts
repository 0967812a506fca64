import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatProblems, loadInventory } from "../../config/loadInventory";
import type { Inventory } from "../../config/types";

/** A valid inventory that uses every part; the cases replace pieces of its text. Line numbers matter to them. */
export const VALID = `defaults:
  ssh: { user: admin }
hosts:
  h1: { address: 192.0.2.1 }
  h2: { address: 192.0.2.2 }
  h3: { address: 192.0.2.3 }
postgresql_clusters:
  main:
    version: 17
    port: 5432
    nodes:
      n1: { id: 1, host: h1, role: primary }
      n2: { id: 2, host: h2 }
      n3: { id: 3, host: h3 }
    settings:
      work_mem: 8MB
    clients: [192.0.2.0/24]
    hba:
      - { type: host, database: app, user: app, address: 192.0.2.0/24, method: reject }
    roles:
      app: { password_secret: app_password }
    databases:
      app: { owner: app }
    repmgr:
      options: { reconnect_attempts: 3 }
    hooks:
      after_deploy:
        - { run: "true", on: n1 }
`;

export type Edit = readonly [from: string, to: string];
export type Case = readonly [name: string, edits: readonly Edit[], problems: readonly string[]];

export const C = "postgresql_clusters.main";
export const N2 = "n2: { id: 2, host: h2 }";
export const N3 = "n3: { id: 3, host: h3 }";
export const SETTING = "work_mem: 8MB";
export const OPTION = "reconnect_attempts: 3";
export const SSH = "ssh: { user: admin }";
export const RULE = "{ type: host, database: app, user: app, address: 192.0.2.0/24, method: reject }";

/** The valid inventory with pieces of its text replaced. */
export function edited(...edits: readonly Edit[]): string {
  return edits.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the valid inventory has no ${JSON.stringify(from)}`);
    return text.replace(from, () => to);
  }, VALID);
}

const directory = mkdtempSync(join(tmpdir(), "inventory-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** The formatted problems of a text in a file i.yml, without its directory; one empty line when there are none. */
export function problemsOf(
  text: string,
  hasSecret: (name: string) => boolean = () => true,
  get?: (name: string) => string | undefined,
): string[] {
  const path = join(directory, "i.yml");
  writeFileSync(path, text);
  const { inventory, problems } = loadInventory(path, { has: hasSecret, get });
  expect(inventory === undefined).toBe(problems.length > 0);
  return formatProblems(problems).replaceAll(`${directory}/`, "").split("\n");
}

/** The inventory of a text that has no problems. */
export function inventoryOf(text: string): Inventory {
  const path = join(directory, "i.yml");
  writeFileSync(path, text);
  const { inventory, problems } = loadInventory(path, { has: () => true });
  if (!inventory) throw new Error(formatProblems(problems));
  return inventory;
}

/** Runs the cases: each must bring exactly its problems, at their lines. */
export function runCases(cases: readonly Case[]): void {
  test.each(cases)("%s", (_name, edits, problems) => {
    expect(problemsOf(edited(...edits))).toEqual(problems.map((problem) => `i.yml:${problem}`));
  });
}
