import type { ClusterSpec, Family, TlsSpec } from "../config/types";
import { clusterPaths, familyLayout } from "../families";
import { sh, systemdWord } from "../ssh/quote";
import type { TextSource } from "../providers/unitScript";
import { render } from "../templates/render";
import { peerTlsView } from "./peerTls";

/** How long the start guard goes on asking before it refuses: where the others should be up, somebody waits for the answer. */
const GUARD_WINDOW_SECONDS = 20;
/** While its host boots: servers take minutes to do so, each its own. Nobody waits then, and refusing sooner helps nobody. */
const GUARD_BOOT_WINDOW_SECONDS = 600;
/** The key of the advisory lock that is a node's vote; of no meaning, but alike on all nodes. */
export const VOTE_CLASS = 29290;

export interface UnitSpec {
  readonly cluster: string;
  readonly version: number;
  readonly family: Family;
  readonly dataDirectory: string;
}

/** Another node of the cluster, as the start guard asks it. */
export interface GuardPeer {
  readonly node: string;
  readonly address: string;
  readonly isWitness: boolean;
}

export interface GuardSpec extends UnitSpec {
  readonly nodeId: number;
  readonly port: number;
  /** A witness is never a primary of the cluster; it may always start. */
  readonly isWitness: boolean;
  /** All other nodes of the cluster. */
  readonly peers: readonly GuardPeer[];
  /** What to do when too few of them answer. */
  readonly withoutPeers: "refuse" | "allow";
  readonly tls?: TlsSpec;
  /** Default: the family's, and the constants above. Other values are for tests. */
  readonly binDirectory?: string;
  readonly startAnyway?: string;
  readonly windowSeconds?: number;
  readonly bootWindowSeconds?: number;
}

/** The text of postgresql-<cluster>.service. */
export function postgresqlUnit(spec: UnitSpec & Pick<ClusterSpec, "limits">): string {
  const paths = clusterPaths(spec);
  return render("postgresql.service", {
    cluster: spec.cluster,
    version: spec.version,
    dataDirectory: systemdWord(spec.dataDirectory),
    startGuard: systemdWord(paths.startGuard),
    binDirectory: familyLayout(spec.family).binDirectory(spec.version),
    ...spec.limits,
  });
}

/** The text of repmgrd-<cluster>.service. */
export function repmgrdUnit(spec: UnitSpec & { readonly tls?: TlsSpec }): string {
  const paths = clusterPaths(spec);
  return render("repmgrd.service", {
    cluster: spec.cluster,
    postgresqlUnit: paths.postgresqlUnit,
    binDirectory: familyLayout(spec.family).binDirectory(spec.version),
    repmgrConf: systemdWord(paths.repmgrConf),
    pidFile: paths.repmgrdPidFile,
    loginCertificate: spec.tls?.loginCertificates !== undefined && systemdWord(paths.loginCertificate),
    runtimeDirectory: `repmgrd-${spec.cluster}`,
  });
}

/** The script that decides whether an instance that was a primary may start as one. */
export function startGuard(spec: GuardSpec): TextSource {
  const paths = clusterPaths(spec);
  const peers = spec.isWitness ? [] : spec.peers;
  const view = {
    cluster: spec.cluster,
    clusterWord: sh(spec.cluster),
    unit: paths.postgresqlUnit,
    data: sh(spec.dataDirectory),
    bin: sh(spec.binDirectory ?? familyLayout(spec.family).binDirectory(spec.version)),
    passFile: sh(paths.passFile),
    ...peerTlsView(spec, spec.tls),
    startAnyway: sh(spec.startAnyway ?? paths.startAnyway),
    nodeId: spec.nodeId,
    voteClass: VOTE_CLASS,
    nodes: peers.length + 1,
    majority: Math.floor((peers.length + 1) / 2) + 1,
    withoutPeers: spec.withoutPeers,
    windowSeconds: spec.windowSeconds ?? GUARD_WINDOW_SECONDS,
    bootWindowSeconds: spec.bootWindowSeconds ?? GUARD_BOOT_WINDOW_SECONDS,
    peers: peers.map(({ node, address, isWitness }) => ({
      name: sh(node),
      host: sh(address),
      port: spec.port,
      role: isWitness ? "witness" : "data",
    })),
  };
  return { template: "start-guard.sh", view };
}
