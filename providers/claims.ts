import type { InventoryNode } from "../config/loadNodes";

/** The nodes of today's inventory; what is deleted is judged by it. */
export type Claims = readonly InventoryNode[];

interface Place {
  readonly host: string;
  readonly cluster: string;
  readonly node: string;
}

/**
 * The nodes that may claim what a resource leaves behind: all of today's inventory once the resource's own node is no
 * longer in it. While it is, the deletion is a destroy, which means just that resource.
 */
export function claimsOfOthers(claims: Claims, place: Place): Claims {
  return claims.some((claim) => isOf(claim, place)) ? [] : claims;
}

/** What belongs to a cluster on a host (units, repmgr.conf, passwords) has another node's name in the inventory now. */
export function isRenamed(claims: Claims, place: Place): boolean {
  return claimsOfOthers(claims, place).some(({ host, cluster }) => host === place.host && cluster === place.cluster);
}

/** Its directory, or one above or below it, is another node's now. */
export function isDirectoryClaimed(claims: Claims, place: Place & { readonly dataDirectory: string }): boolean {
  const isNested = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  return claimsOfOthers(claims, place).some(
    ({ host, dataDirectory }) => host === place.host && isNested(dataDirectory, place.dataDirectory),
  );
}

/** True when the node alone is taken out of a cluster that stays. */
export function isRemoval(claims: Claims, place: Place): boolean {
  return claimsOfOthers(claims, place).some(({ cluster }) => cluster === place.cluster);
}

function isOf(claim: InventoryNode, { host, cluster, node }: Place): boolean {
  return claim.host === host && claim.cluster === cluster && claim.node === node;
}
