import { isIP } from "node:net";
import { kept } from "./deriveContent";
import type { RawCluster } from "./schema";
import type { HbaRule, NodeSpec } from "./types";

const SCRAM = "scram-sha-256";
const LOOPBACK = ["127.0.0.1/32", "::1/128"];

/**
 * pg_hba.conf in order, the first line that matches decides: the program's own ways in, then the user's rules (so
 * that a reject can narrow what follows), then what `clients`, roles and databases make, then the socket.
 */
export function deriveHba(raw: RawCluster, nodes: readonly NodeSpec[]): HbaRule[] {
  if (raw.layout !== undefined) return [];
  const type = overNetwork(raw);
  // "cert" compares the name in the certificate with the role (PostgreSQL documentation, "Certificate Authentication").
  const method = raw.tls?.replication_certificates === "required" ? "cert" : SCRAM;
  const peers = [...new Set([...LOOPBACK, ...nodes.map((node) => hostAddress(node.address))])];
  return [
    { type: "local", database: "all", user: "postgres", method: "peer" },
    { type: "local", database: "replication", user: "repmgr", method: SCRAM },
    ...peers.flatMap((address): HbaRule[] => [
      { type, database: "repmgr", user: "repmgr", address, method },
      { type, database: "replication", user: "repmgr", address, method },
    ]),
    ...raw.hba.map(({ type, database, user, address, method, options }) => ({
      ...{ type, database, user, address, method },
      ...(Object.keys(options).length === 0 ? {} : { options }),
    })),
    ...clientRules(raw),
    { type: "local", database: "all", user: "all", method: SCRAM },
  ];
}

/** With TLS nobody gets in over the network without it. */
function overNetwork({ tls }: RawCluster): "host" | "hostssl" {
  return tls === undefined ? "host" : "hostssl";
}

/** An address alone as pg_hba.conf wants it: with the full mask, or the name itself. */
function hostAddress(address: string): string {
  const family = isIP(address);
  return family === 0 ? address : `${address}/${family === 4 ? 32 : 128}`;
}

/** A network gets to the declared databases with the declared roles, and to nothing else. */
function clientRules(raw: RawCluster): HbaRule[] {
  const roles = kept(raw.roles).filter(([, role]) => role.login && role.password_secret !== undefined);
  const user = roles.map(([name]) => name).join(",");
  const database = kept(raw.databases)
    .map(([name]) => name)
    .join(",");
  if (user === "" || database === "") return [];
  return raw.clients.map((address) => ({ type: overNetwork(raw), database, user, address, method: SCRAM }));
}
