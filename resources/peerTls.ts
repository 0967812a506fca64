import type { TlsSpec } from "../config/types";
import { clusterPaths, type ClusterPlace } from "../families";
import { sh } from "../ssh/quote";

/** What templates/peer-tls.sh needs: how a script that asks other nodes shows who it is, and sees who they are. */
export function peerTlsView(place: ClusterPlace, tls: TlsSpec | undefined): object {
  const { authorities, loginCertificate } = clusterPaths(place);
  return {
    rootCertificate: tls?.areNodesVerified === true && sh(authorities),
    loginCertificate: tls?.loginCertificates !== undefined && sh(loginCertificate),
  };
}
