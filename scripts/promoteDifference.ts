import { equal, type Json } from "../providers/canonical";
import { unshared } from "./driftDifferences";
import { asText } from "./driftTable";

/** A value in which two environments differ; undefined: not there. */
export interface EnvironmentDifference {
  readonly property: string;
  readonly from?: Json;
  readonly to?: Json;
}

type Tree = { [key: string]: Json };

/** How to get to a host says nothing of what a cluster is; 'extends' is what both share. */
const LEFT_OUT = ["ssh", "extends"];
const HIDDEN = "(not shown)";
/** A name of a secret is none; commands hold whatever a person put into them. */
const NAMES_SECRET = /^(password|key|passphrase|sudo_password)_secret$/;
const MAY_HOLD_SECRET = /(^|_)command$|^run$|(^|[._])(pass|password|passphrase|passwd|secret|token|key)$/i;

/**
 * In what the resolved inventories of two environments differ. Hosts are "host 1", nodes "node 1" (by id): their names and
 * addresses are an environment's own, and neither differ nor are shown. Of what may hold a secret it is only said that it differs.
 */
export function promoteDifference(from: Json, to: Json): EnvironmentDifference[] {
  const [a, b] = [from, to].map((one) => leaves(withoutHosts(asTree(one)))) as [Map<string, Json>, Map<string, Json>];
  const paths = [...new Set([...a.keys(), ...b.keys()])].sort();
  return paths.flatMap((property) => {
    const [x, y] = [a.get(property), b.get(property)];
    if (equal(x, y)) return [];
    const [onlyFrom, onlyTo] = Array.isArray(x) && Array.isArray(y) ? unshared(x, y) : [x, y];
    const name = property.split(".").pop() ?? "";
    return [{ property, from: masked(name, onlyFrom), to: masked(name, onlyTo) }];
  });
}

/** The same inventory with the names and addresses of its hosts and nodes replaced by numbers. */
function withoutHosts(inventory: Tree): Tree {
  const hosts = asTree(inventory.hosts);
  const aliases = new Map(Object.keys(hosts).map((name, index) => [name, `host ${index + 1}`]));
  const addresses = new Map<string, string>();
  const note = (address: Json | undefined, alias: string): void => {
    if (typeof address === "string") addresses.set(address, `(address of ${alias})`);
  };
  for (const [name, host] of Object.entries(hosts)) note(asTree(host).address, aliases.get(name) ?? name);
  const clusters = Object.entries(asTree(inventory.postgresql_clusters)).map(([cluster, value]) => {
    const own = asTree(value);
    const nodes = Object.entries(asTree(own.nodes)).map(([name, node]) => ({ name, node: asTree(node) }));
    const named = new Map(nodes.map(({ name, node }) => [name, `node ${asText(node.id)}`]));
    for (const { name, node } of nodes) note(node.address, named.get(name) ?? name);
    const renamed = nodes.map(({ name, node: { host, ...node } }): [string, Json] => [
      named.get(name) ?? name,
      { ...asTree(renameNodes(node, named)), host: aliases.get(asText(host)) ?? "(unknown host)" },
    ]);
    return [cluster, { ...asTree(renameNodes(own, named)), nodes: Object.fromEntries(renamed) }] as const;
  });
  const byNumber = Object.entries(hosts).map(([name, host]): [string, Json] => [aliases.get(name) ?? name, host]);
  const result = {
    ...inventory,
    hosts: Object.fromEntries(byNumber),
    postgresql_clusters: Object.fromEntries(clusters),
  };
  return asTree(withoutAddresses(result, addresses));
}

/** The places where a node is named by another. */
function renameNodes(value: Json, named: ReadonlyMap<string, string>, key = ""): Json {
  if (typeof value === "string" && ["upstream", "preferred_primary", "on"].includes(key))
    return named.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => renameNodes(item, named, key));
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, renameNodes(inner, named, name)]));
}

function withoutAddresses(value: Json, addresses: ReadonlyMap<string, string>): Json {
  if (typeof value === "string")
    return [...addresses].reduce((text, [address, alias]) => replaced(text, address, alias), value);
  if (Array.isArray(value)) return value.map((item) => withoutAddresses(item, addresses));
  if (!isTree(value)) return value;
  const kept = Object.entries(value).filter(([name]) => !LEFT_OUT.includes(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutAddresses(inner, addresses)]));
}

/** The address where it stands by itself: 192.0.2.1 is no part of 192.0.2.11. */
function replaced(text: string, address: string, alias: string): string {
  const literal = address.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`(?<![\\w.:-])${literal}(?![\\w:-]|\\.\\w)`, "g"), () => alias);
}

/** Every value that holds no others by name, at its path. */
function leaves(tree: Tree, path: readonly string[] = [], found = new Map<string, Json>()): Map<string, Json> {
  for (const [name, value] of Object.entries(tree)) {
    const at = [...path, name];
    if (isTree(value) && Object.keys(value).length > 0) leaves(value, at, found);
    else found.set(at.join("."), value);
  }
  return found;
}

function masked(name: string, value?: Json): Json | undefined {
  if (value === undefined) return undefined;
  if (MAY_HOLD_SECRET.test(name) && !NAMES_SECRET.test(name)) return HIDDEN;
  if (Array.isArray(value)) return value.map((item) => masked("", item) ?? null);
  if (isTree(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(key, inner) ?? null]));
  if (typeof value !== "string") return value;
  return value
    .replace(/(:\/\/)[^/@\s]+@/g, `$1${HIDDEN}@`)
    .replace(/\b((?:pass\w*|token|secret)\s*=\s*)('[^']*'|\S+)/gi, `$1${HIDDEN}`);
}

function isTree(value: Json | undefined): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asTree(value: Json | undefined): Tree {
  return isTree(value) ? value : {};
}
