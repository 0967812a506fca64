import { basename } from "node:path";
import { certificatesOf, day, isDueForRenewal, validUntil } from "./certificate";
import { isAddress } from "./network";
import type { RawCluster, RawInventory, RawNode } from "./schema";
import type { RawTls } from "./schemaTls";
import type { ClusterSpec, NodeTls, TlsSpec } from "./types";

const DAY_MS = 86_400_000;

/** Reads a file that the inventory names. @param at where below the cluster it does */
export type ReadFile = (at: readonly string[], file: string) => string;

/** The name of the stack secret with the private key of the authority that signs the nodes' certificates. */
export function caKeySecret(cluster: string, { ca_key_secret: secret }: Pick<RawTls, "ca_key_secret">): string {
  return secret ?? `${cluster}_ca_key`;
}

/** Where clients and nodes reach a node: its certificate has to be for all of these. */
export function nodeNames({ names }: RawTls, node: RawNode, hosts: RawInventory["hosts"]): string[] {
  const all = [node.address ?? [], hosts[node.host]?.address ?? [], node.host, ...names].flat();
  return [...new Set(all.filter(isAddress))].sort();
}

export function deriveTls({ ca_file: file, nodes, replication_certificates: logins }: RawTls, read: ReadFile): TlsSpec {
  const authorities = pemOf(read(["tls", "ca_file"], file));
  return {
    authorities,
    caFile: basename(file),
    areNodesVerified: nodes === "verify-full",
    ...(logins === "none" ? {} : { loginCertificates: logins }),
  };
}

/** What a node presents; undefined in a cluster without TLS. */
export function deriveNodeTls(
  cluster: string,
  { tls }: RawCluster,
  [name, node]: readonly [string, RawNode],
  hosts: RawInventory["hosts"],
  read: ReadFile,
): NodeTls | undefined {
  if (tls === undefined) return undefined;
  const own = tls.certificates?.[name];
  const given = own && { given: pemOf(read(["tls", "certificates", name, "file"], own.file)) };
  return {
    names: nodeNames(tls, node, hosts),
    days: tls.days,
    ...given,
    keySecret: own?.key_secret ?? caKeySecret(cluster, tls),
  };
}

/** What ends soon and only a person can renew. */
export function expiryWarnings({ name: cluster, tls, nodes }: ClusterSpec, now: number): string[] {
  const days = Math.max(0, ...nodes.flatMap((node) => (node.tls?.given === undefined ? (node.tls?.days ?? []) : [])));
  const authorities = certificatesOf(tls?.authorities ?? "")
    .filter((authority) => validUntil(authority).getTime() < now + days * DAY_MS)
    .map(
      (authority) =>
        `an authority in ${tls?.caFile ?? ""} expires on ${day(validUntil(authority))}: make one that replaces it (npm run ca)`,
    );
  const given = nodes.flatMap(({ name, tls: own }) =>
    certificatesOf(own?.given ?? "")
      .slice(0, 1)
      .filter((certificate) => isDueForRenewal(certificate, now))
      .map((certificate) => `the certificate of ${name} expires on ${day(validUntil(certificate))}: get a new one`),
  );
  return [...authorities, ...given].map((warning) => `cluster ${cluster}: ${warning}`);
}

/** The certificates alone: what people write around them is no reason to change a host. */
function pemOf(text: string): string {
  return certificatesOf(text).join("");
}
