import { BlockList, isIP } from "node:net";
import type { Checked } from "./check";
import { parseNetwork } from "./network";
import type { RawCluster } from "./schema";

/** A connection without which a cluster cannot be kept. */
interface WayIn {
  readonly what: string;
  readonly database: string;
  readonly user: string;
  /** Absent: through the socket. */
  readonly address?: string;
}

/** Whether a line is about a connection; undefined: only the server knows. */
type Match = boolean | undefined;

/**
 * In a cluster with a layout the lines of pg_hba.conf are all a person's. The first line that matches decides (PostgreSQL
 * documentation, "The pg_hba.conf File"), and it must let in the program, through the socket, and every node at every other
 * one. Elsewhere these lines come first, made from the topology. What cannot be judged from here is not refused.
 */
export function checkLockout(checked: Checked, name: string, cluster: RawCluster): void {
  if (cluster.layout === undefined) return;
  const at = ["postgresql_clusters", name, "hba_lines"];
  const lines = cluster.hba_lines.map((line) => line.split(" "));
  for (const way of waysIn(checked, cluster)) {
    const matches = lines.map((line) => match(line, way));
    const first = matches.findIndex((matched) => matched !== false);
    const line = lines[first];
    if (line === undefined) checked.report(at, `no line lets ${way.what}`);
    else if (matches[first] === true && isShut(line, way)) {
      checked.report([...at, first], `this line does not let ${way.what}; put one that does before it`);
    }
  }
}

/** The program has no password for the socket, only the user that it runs as. */
function isShut([type, , , fourth, fifth, sixth]: readonly string[], { address }: WayIn): boolean {
  const method = type === "local" ? fourth : isIP(fifth ?? "") === 0 ? fifth : sixth;
  return address === undefined ? !["peer", "trust", "ident"].includes(method ?? "") : method === "reject";
}

function waysIn({ raw }: Checked, { nodes }: RawCluster): WayIn[] {
  const socket = { what: "this program in, as postgres through the socket", database: "postgres", user: "postgres" };
  const peers = Object.entries(nodes).flatMap(([node, { address, host }]): WayIn[] => {
    const from = address ?? raw.hosts[host]?.address;
    if (from === undefined) return [];
    return ["repmgr", "replication"].map((database) => ({
      what: `${node} (${from}) in to ${database === "repmgr" ? "the database repmgr" : "replicate"} as repmgr`,
      database,
      user: "repmgr",
      address: from,
    }));
  });
  return [socket, ...peers];
}

function match([type = "", database = "", user = "", address = "", mask = ""]: readonly string[], way: WayIn): Match {
  if ((type === "local") !== (way.address === undefined)) return false;
  const parts: Match[] = [
    type === "local" || type === "host" ? true : undefined,
    // "all" does not mean replication.
    named(
      database,
      way.database,
      way.database === "replication" ? [] : ["all", ...(way.user === way.database ? ["sameuser"] : [])],
    ),
    named(user, way.user, ["all"]),
    way.address === undefined ? true : from(address, mask, way.address),
  ];
  return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
}

/** Quoted words, groups, files and patterns are for the server to judge. */
function named(list: string, name: string, others: readonly string[]): Match {
  const words = list.split(",");
  if (words.some((word) => word === name || others.includes(word))) return true;
  return words.some((word) => /^[+@/"]|^same(role|group)$/.test(word)) ? undefined : false;
}

function from(address: string, mask: string, own: string): Match {
  if (address === "all" || address === own) return true;
  const network = parseNetwork(address);
  // Names, samehost, samenet, and a mask of its own.
  if (network === undefined || isIP(mask) !== 0 || isIP(own) === 0) return undefined;
  if (network.family !== isIP(own)) return false;
  const list = new BlockList();
  const family = network.family === 4 ? "ipv4" : "ipv6";
  list.addSubnet(address.split("/")[0] ?? "", network.prefix, family);
  return list.check(own, family);
}
