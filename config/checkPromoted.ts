import { type Located, problemAt } from "./located";
import { promoteAgain, type Promotion, unpromoted } from "./promotion";
import type { RawInventory } from "./schema";
import type { Problem } from "./types";

/** An environment may ask that nothing reaches it which was not promoted to it. */
export function checkPromoted(
  path: string,
  root: Located,
  { require }: RawInventory,
  last: Promotion | undefined,
): Problem[] {
  const why = require.promoted ? unpromoted(path, last) : undefined;
  if (why === undefined) return [];
  return [problemAt(root, ["require", "promoted"], `${why}; ${promoteAgain(last)}`)];
}
