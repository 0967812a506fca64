import { createHash } from "node:crypto";
import { z } from "zod";
import { toPlain } from "./located";
import { readInventory } from "./readInventory";

/** The key of the stack's configuration that holds what was promoted to it. */
export const PROMOTED = "promoted";

const promotionSchema = z.strictObject({
  // The CLI writes a stack named 2 as a number.
  from: z.coerce.string(),
  revision: z.string(),
  hash: z.string(),
  at: z.string(),
});

/** What was promoted to a stack last, as `npm run promote` records it in the stack's configuration. */
export interface Promotion {
  /** The stack that it was seen on. */
  readonly from: string;
  /** Of the repository that holds the shared inventory. */
  readonly revision: string;
  /** Of the values of the shared inventory. */
  readonly hash: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** What environments share: the file that an environment's own inventory extends, with all below it. */
export interface SharedInventory {
  readonly file: string;
  /** The file and what it extends itself. */
  readonly files: readonly string[];
  /** "sha256:..." of its values: comments and order do not count, nor do files that it only names. */
  readonly hash: string;
}

/** @returns undefined when the inventory extends nothing, or what it extends cannot be read */
export function sharedInventory(path: string): SharedInventory | undefined {
  const [, file] = readInventory(path).layers;
  if (file === undefined) return undefined;
  const { root, layers } = readInventory(file);
  if (root === undefined) return undefined;
  const digest = createHash("sha256")
    .update(JSON.stringify(toPlain(root), inOrder))
    .digest("hex");
  return { file, files: layers, hash: `sha256:${digest}` };
}

/** @throws Error when the configuration holds something else */
export function parsePromotion(value: unknown): Promotion | undefined {
  if (value === undefined) return undefined;
  const { data } = promotionSchema.safeParse(value);
  if (data !== undefined) return data;
  throw new Error(
    `'${PROMOTED}' in the stack's configuration is not what "npm run promote" writes there: from, revision, hash, at. ` +
      `Take it out with "pulumi config rm ${PROMOTED}", and promote again`,
  );
}

/** Why a stack would not get what was promoted to it; undefined: it gets exactly that. */
export function unpromoted(path: string, last: Promotion | undefined): string | undefined {
  const shared = sharedInventory(path);
  if (shared === undefined) return "this inventory extends no other one, so nothing was promoted to it";
  if (last === undefined) return `${shared.file} was never promoted to this stack`;
  if (shared.hash === last.hash) return undefined;
  return (
    `${shared.file} is not as it was promoted from ${last.from} at ${last.at} (revision ${last.revision.slice(0, 12)}). ` +
    `See "git diff ${last.revision.slice(0, 12)} -- ${shared.file}"`
  );
}

/** What to type then. */
export function promoteAgain(last: Promotion | undefined): string {
  const again = `type "npm run promote -- ${last?.from ?? "FROM"} THIS-STACK"`;
  return last === undefined
    ? again
    : `${again}, or check out ${last.revision.slice(0, 12)} to stay with what was promoted`;
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
