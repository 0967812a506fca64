import { readFileSync } from "node:fs";
import type { X509Certificate } from "node:crypto";
import { certificatesOf, covers, leadsTo, privateKeyOf, timeProblem } from "./certificate";
import type { Checked } from "./check";
import { resolvePath } from "./deriveHosts";
import { caKeySecret, nodeNames } from "./deriveTls";
import type { Path } from "./located";
import { unknownName } from "./nearest";
import type { RawCluster } from "./schema";

/** Settings that follow from 'tls'. */
const SETTINGS = ["ssl", "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_min_protocol_version"];

/** Files, certificates and keys of a cluster's TLS: what a server would not load or a client would refuse is refused here. */
export function checkTls(checked: Checked, name: string, cluster: RawCluster): void {
  const { tls, layout } = cluster;
  const at = ["postgresql_clusters", name, "tls"];
  if (tls === undefined) return;
  if (layout !== undefined) {
    checked.report(at, "a cluster with a layout keeps its own files: set ssl and ssl_cert_file in 'settings'");
  }
  for (const setting of SETTINGS.filter((known) => cluster.settings[known] !== undefined)) {
    checked.report(["postgresql_clusters", name, "settings", setting], `'${setting}' follows from 'tls'`);
  }
  if (!checked.isWhole(at)) return;
  const authorities = checkAuthorities(checked, [...at, "ca_file"], tls.ca_file);
  if (tls.certificates !== undefined) {
    checkCertificates(checked, name, cluster, authorities);
    return;
  }
  const secret = caKeySecret(name, tls);
  const [path, owner] = [[...at, "ca_key_secret"], `a certificate in ${tls.ca_file}`];
  const key = checked.secrets.get?.(secret);
  if (key !== undefined && authorities.length > 0) checkKey(checked, path, { secret, key, owner }, authorities);
}

/** @returns the authorities, none when the file is no good */
function checkAuthorities(checked: Checked, path: Path, file: string): X509Certificate[] {
  const authorities = readCertificates(checked, path, file, " 'npm run ca' makes one.");
  for (const authority of authorities) {
    const subject = inOneLine(authority.subject);
    const problem = timeProblem(authority, Date.now());
    if (problem !== undefined) checked.report(path, `${file}: the authority ${subject} does not count: ${problem}`);
    if (!authority.ca) checked.report(path, `${file}: ${subject} is no authority (its basicConstraints do not say CA)`);
  }
  return authorities;
}

function checkCertificates(
  checked: Checked,
  name: string,
  { tls, nodes }: RawCluster,
  authorities: readonly X509Certificate[],
): void {
  const at = ["postgresql_clusters", name, "tls"];
  const { certificates = {}, ca_key_secret: caKey, replication_certificates: logins = "none" } = tls ?? {};
  if (caKey !== undefined) checked.report([...at, "ca_key_secret"], "with 'certificates' nothing is signed: remove it");
  if (logins !== "none") {
    checked.report(
      [...at, "replication_certificates"],
      "'up' makes these certificates, and with 'certificates' it signs nothing: remove 'certificates' and put the private key of an authority into the secret that 'ca_key_secret' names, or leave it at none",
    );
  }
  for (const node of Object.keys(certificates).filter((known) => !Object.hasOwn(nodes, known))) {
    checked.report([...at, "certificates", node], unknownName("node", node, Object.keys(nodes)));
  }
  for (const [node, raw] of Object.entries(nodes)) {
    const own = Object.hasOwn(certificates, node) ? certificates[node] : undefined;
    const path = [...at, "certificates", node];
    if (own === undefined || tls === undefined) {
      checked.report([...at, "certificates"], `the node '${node}' has none`);
      continue;
    }
    const chain = readCertificates(checked, [...path, "file"], own.file, "");
    const [certificate] = chain;
    if (certificate === undefined) continue;
    const wrong = [
      timeProblem(certificate, Date.now()),
      ...nodeNames(tls, raw, checked.raw.hosts)
        .filter((wanted) => !covers(certificate, wanted))
        .map((wanted) => `it is not for ${wanted}, where '${node}' is reached`),
      authorities.length === 0 || leadsTo(chain, authorities)
        ? undefined
        : `it does not lead to an authority in ${tls.ca_file}`,
    ];
    for (const problem of wrong.filter((found) => found !== undefined)) {
      checked.report([...path, "file"], `${own.file}: ${problem}`);
    }
    const key = checked.secrets.get?.(own.key_secret);
    const secret = { secret: own.key_secret, key: key ?? "", owner: own.file };
    if (key !== undefined) checkKey(checked, [...path, "key_secret"], secret, [certificate]);
  }
}

/** Says nothing of the key but whether it is one. */
function checkKey(
  checked: Checked,
  path: Path,
  { secret, key, owner }: { readonly secret: string; readonly key: string; readonly owner: string },
  certificates: readonly X509Certificate[],
): void {
  const found = privateKeyOf(key);
  if (found === undefined) {
    checked.report(path, `the secret '${secret}' holds no private key in PEM that can be read without a passphrase`);
  } else if (!certificates.some((certificate) => certificate.checkPrivateKey(found))) {
    checked.report(path, `the private key in the secret '${secret}' does not match ${owner}`);
  }
}

function readCertificates(checked: Checked, path: Path, file: string, remedy: string): X509Certificate[] {
  const where = resolvePath(file, checked.fileOf(path));
  let text: string;
  try {
    text = readFileSync(where, "utf8");
  } catch (error) {
    checked.report(path, `cannot read ${where} (${(error as NodeJS.ErrnoException).code ?? String(error)}).${remedy}`);
    return [];
  }
  const found = certificatesOf(text);
  if (found.length === 0) checked.report(path, `${where} holds no certificate in PEM.${remedy}`);
  return found;
}

const inOneLine = (subject: string): string => subject.replaceAll("\n", ", ");
