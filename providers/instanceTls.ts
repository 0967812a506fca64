import type { X509Certificate } from "node:crypto";
import type { Action } from "../actions/action";
import {
  areSameNames,
  certificatesOf,
  day,
  isDueForRenewal,
  leadsTo,
  lifeOf,
  namesOf,
  privateKeyOf,
  validUntil,
} from "../config/certificate";
import { isOn } from "../config/isOn";
import type { FileFact } from "../facts/file";
import { clusterPaths } from "../families";
import { shJoin } from "../ssh/quote";
import { memberOf } from "./cluster";
import { asPostgres } from "./commands";
import { Refused } from "./kind";
import { isRotating } from "./passwordRotation";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";

/** What an instance presents to clients and to the other nodes. */
export interface InstanceTls {
  /** PEM; clients trust what these have signed. */
  readonly authorities: string;
  /** Names and addresses the certificate is for, in order. */
  readonly names: readonly string[];
  /** Life of a certificate that the program makes. */
  readonly days: number;
  /** The user's own certificate, PEM; absent: the program makes one. */
  readonly given?: string;
}

/** The observed part of the inputs of an instance with TLS as it is on a healthy host. */
export const HEALTHY_TLS = { certificate: "as wanted", authorities: "as wanted" } as const;

/** libpq's rules for a private key count for the server, too (PostgreSQL documentation, "Secure TCP/IP Connections with SSL"). */
export const CERTIFICATE_FILE = { owner: "postgres:postgres", mode: "0600" };
const AUTHORITIES_FILE = { owner: "postgres:postgres", mode: "0644" };

/** What a review shows of both files. */
export function tlsStates(want: PgInstanceInputs, have: PgInstanceFacts): Partial<typeof HEALTHY_TLS> {
  if (want.tls === undefined) return {};
  const states = {
    certificate: certificateProblem(want, have.certificate) ?? HEALTHY_TLS.certificate,
    authorities: authoritiesProblem(want, have.authorities) ?? HEALTHY_TLS.authorities,
  };
  return states as typeof HEALTHY_TLS;
}

/** "2027-11-29T02:55:11.000Z": until when the certificates on the host count, all of them. */
export function certificateExpiry({ certificate, loginCertificate }: PgInstanceFacts): string | undefined {
  const ends = [certificate, loginCertificate].flatMap((file) =>
    certificatesOf(file?.content ?? "")
      .slice(0, 1)
      .map((found) => validUntil(found).toISOString()),
  );
  return ends.sort()[0];
}

/** The files that a server with TLS needs, before anything names them. */
export function planTlsFiles(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  const { host, node, tls } = want;
  if (tls === undefined) return [];
  const paths = clusterPaths(want);
  const actions: Action[] = [];
  const wrongAuthorities = authoritiesProblem(want, have.authorities);
  if (wrongAuthorities !== undefined) {
    const why = `${paths.authorities}, which names the authorities of TLS, ${wrongAuthorities}`;
    const file = { path: paths.authorities, content: tls.authorities, ...AUTHORITIES_FILE };
    actions.push({ do: "putFile", host, why, ...file });
  }
  const wrong = certificateProblem(want, have.certificate);
  if (wrong === undefined) return actions;
  refuseStranger(want, have.authorities);
  const file = { path: paths.certificate, ...CERTIFICATE_FILE };
  if (tls.given !== undefined) {
    const why = `the certificate of ${node} ${wrong}: put the one of the inventory into its place`;
    return [...actions, { do: "putFile", host, why, ...file, content: givenFile(want) }];
  }
  const why = `the certificate of ${node} ${wrong}: make one for ${tls.names.join(", ")}, valid for ${tls.days} days`;
  return [...actions, { do: "makeFile", host, why, ...file, make: () => makeFor(want, tls) }];
}

/**
 * The other nodes know the authorities that were deployed, and learn of another one in their own turn, later in the run.
 * @throws Refused when they would not take the new certificate
 */
export function refuseStranger(want: PgInstanceInputs, known: FileFact | undefined): void {
  const { tls } = want;
  const isLookedAt = want.areNodesVerified === true || want.hasLoginCertificates === true;
  if (tls === undefined || !isLookedAt || known === undefined) return;
  const there = certificatesOf(known.content);
  const isKnown =
    tls.given === undefined
      ? signing(want, tls).some((authority) =>
          there.some(({ fingerprint256 }) => fingerprint256 === authority.fingerprint256),
        )
      : leadsTo(certificatesOf(tls.given), there);
  if (isKnown) return;
  throw new Refused(
    `${want.host}: the nodes look at each other's certificates, and the others do not know the authority of the new certificate of ${want.node} yet: they would not let it in. ` +
      `First add its certificate to ca_file, beside the one that is there, and run "pulumi up"; then change the key or the certificates`,
  );
}

/** What serves certificates is loaded when it is needed: no review makes one. */
async function makeFor(want: PgInstanceInputs, { authorities, names, days }: InstanceTls): Promise<string> {
  const { makeCertificate } = await import("../actions/certificates");
  const name = `${want.cluster} ${want.node}`;
  const signed = { authorities: certificatesOf(authorities), authorityKey: want.tlsKey ?? "" };
  return makeCertificate({ ...signed, name, names, days });
}

function givenFile({ tls, tlsKey }: PgInstanceInputs): string {
  return `${(tlsKey ?? "").trim()}\n${tls?.given ?? ""}`;
}

/**
 * A client that checks everything gets in as the server's files now are. Before pg_hba.conf asks for TLS: a server that
 * could not load them says so in its log alone, and would let nobody in any more.
 */
export function planTlsProof(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  const { member, facts } = memberOf(have.view, want.node);
  const hasRole = facts.running?.roles.some(({ name }) => name === "repmgr") === true;
  if (want.tls === undefined || !hasRole || isRotating(want, have.view)) return [];
  const strict = `sslmode=verify-full sslrootcert=${clusterPaths(want).authorities}`;
  const conninfo = `host=${member.address} port=${want.port} user=repmgr dbname=repmgr ${strict}`;
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} lets a client in that checks its certificate`,
      script: `${asPostgres(want, "psql", `-XAtqw ${shJoin(["-d", conninfo, "-c", "select 1"])}`)} >/dev/null`,
    },
  ];
}

/** The server still has TLS, and the inventory has not: nothing names the files any more. Without it, nothing. */
export function planTlsEnd(want: PgInstanceInputs, { view }: PgInstanceFacts): Action[] {
  const { running } = memberOf(view, want.node).facts;
  const isOver = running?.settings.ssl?.setting === "on" && !isOn(want.settings.ssl);
  const { certificate, authorities, loginCertificate } = clusterPaths(want);
  const isOurs = running?.settings.ssl_cert_file?.setting === certificate;
  if (!isOver || !isOurs) return [];
  const why = `${want.node} does without TLS: remove its private key and certificate`;
  return [{ do: "run", host: want.host, why, script: `rm -f ${shJoin([certificate, authorities, loginCertificate])}` }];
}

function authoritiesProblem({ tls }: PgInstanceInputs, file: FileFact | undefined): string | undefined {
  if (file === undefined) return "is absent";
  if (file.content !== tls?.authorities) return "differs";
  return ownershipProblem(file, AUTHORITIES_FILE);
}

/** Why the certificate on the host is not the wanted one; undefined when it is. Tells nothing of its key. */
function certificateProblem(want: PgInstanceInputs, file: FileFact | undefined): string | undefined {
  const { tls } = want;
  if (tls === undefined) return undefined;
  if (tls.given !== undefined) {
    const wrong = fileProblem(file);
    return wrong ?? (file?.content === givenFile(want) ? undefined : "differs from that of the inventory");
  }
  return madeProblem(want, tls, file, (certificate) => {
    const names = namesOf(certificate);
    return areSameNames(names, tls.names) ? undefined : `is for ${names.join(", ") || "no name"}`;
  });
}

function fileProblem(file: FileFact | undefined): string | undefined {
  if (file === undefined) return "is absent";
  const wrongOwner = ownershipProblem(file, CERTIFICATE_FILE);
  if (wrongOwner !== undefined) return wrongOwner;
  const isWhole = certificatesOf(file.content).length > 0 && privateKeyOf(file.content) !== undefined;
  return isWhole ? undefined : "cannot be read";
}

/**
 * Why a file with a key and a certificate is none that the program would leave as it is; undefined when it is one.
 * @param subjectProblem whether it is for whom it is meant to be
 */
export function madeProblem(
  want: PgInstanceInputs,
  tls: InstanceTls,
  file: FileFact | undefined,
  subjectProblem: (certificate: X509Certificate) => string | undefined,
): string | undefined {
  const wrongFile = fileProblem(file);
  const chain = certificatesOf(file?.content ?? "");
  const [certificate] = chain;
  const key = privateKeyOf(file?.content ?? "");
  if (wrongFile !== undefined || certificate === undefined || key === undefined) return wrongFile;
  if (!certificate.checkPrivateKey(key)) return "does not match its key";
  if (!leadsTo(chain, signing(want, tls))) return "was signed by another authority";
  const wrongSubject = subjectProblem(certificate);
  if (wrongSubject !== undefined) return wrongSubject;
  const until = day(validUntil(certificate));
  if (isDueForRenewal(certificate, Date.now()))
    return `is valid until ${until}, and less than a third of its life is left`;
  return lifeOf(certificate) > tls.days ? `is valid until ${until}, longer than ${tls.days} days` : undefined;
}

/** The one of the authorities whose key signs. */
function signing({ tlsKey }: PgInstanceInputs, { authorities }: InstanceTls): ReturnType<typeof certificatesOf> {
  const key = privateKeyOf(tlsKey ?? "");
  return certificatesOf(authorities).filter((authority) => key !== undefined && authority.checkPrivateKey(key));
}

function ownershipProblem(have: FileFact, want: typeof CERTIFICATE_FILE): string | undefined {
  if (have.owner === want.owner && have.mode === want.mode) return undefined;
  return `belongs to ${have.owner} with mode ${have.mode}`;
}
