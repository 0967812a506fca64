import type { Action } from "../actions/action";
import { certificatesOf } from "../config/certificate";
import type { FileFact } from "../facts/file";
import { clusterPaths } from "../families";
import { sh } from "../ssh/quote";
import { CERTIFICATE_FILE, type InstanceTls, madeProblem, refuseStranger } from "./instanceTls";
import type { PgInstanceFacts, PgInstanceInputs } from "./pgInstance";

/** The observed part of the inputs of an instance that logs in to the others by certificate, as it is on a healthy host. */
export const HEALTHY_LOGIN = { loginCertificate: "as wanted" } as const;

const ROLE = "repmgr";

/** What a review shows of the certificate that the node logs in with. */
export function loginState(want: PgInstanceInputs, have: PgInstanceFacts): Partial<typeof HEALTHY_LOGIN> {
  if (want.tls === undefined || want.hasLoginCertificates !== true) return {};
  const state = { loginCertificate: loginProblem(want, want.tls, have.loginCertificate) ?? "as wanted" };
  return state as typeof HEALTHY_LOGIN;
}

/** The key and certificate with which the node logs in, before anything names them. Who connects next reads them: nothing is loaded. */
export function planLogin(want: PgInstanceInputs, have: PgInstanceFacts): Action[] {
  const { host, node, tls } = want;
  if (tls === undefined || want.hasLoginCertificates !== true) return [];
  const wrong = loginProblem(want, tls, have.loginCertificate);
  if (wrong === undefined) return [];
  refuseStranger(want, have.authorities);
  const why = `the certificate with which ${node} logs in to the others ${wrong}: make one for the role ${ROLE}, valid for ${tls.days} days`;
  const path = clusterPaths(want).loginCertificate;
  return [{ do: "makeFile", host, why, path, ...CERTIFICATE_FILE, make: () => makeLogin(want, tls) }];
}

/** Nobody asks for it any more, and libpq goes on without: who still names the file is let in by password. */
export function planLoginEnd(want: PgInstanceInputs, { loginCertificate }: PgInstanceFacts): Action[] {
  if (want.hasLoginCertificates === true || loginCertificate === undefined || want.tls === undefined) return [];
  const why = `${want.node} logs in to the others by password alone: remove the private key and the certificate that it had for that`;
  return [{ do: "run", host: want.host, why, script: `rm -f ${sh(clusterPaths(want).loginCertificate)}` }];
}

/** What serves certificates is loaded when it is needed: no review makes one. */
async function makeLogin(want: PgInstanceInputs, { authorities, days }: InstanceTls): Promise<string> {
  const { makeLoginCertificate } = await import("../actions/certificates");
  const signed = { authorities: certificatesOf(authorities), authorityKey: want.tlsKey ?? "" };
  return makeLoginCertificate({ ...signed, name: ROLE, unit: unitOf(want), days });
}

/** Tells the nodes apart in pg_stat_ssl and in the server's log. */
const unitOf = ({ cluster, node }: PgInstanceInputs): string => `${cluster} ${node}`;

function loginProblem(want: PgInstanceInputs, tls: InstanceTls, file: FileFact | undefined): string | undefined {
  return madeProblem(want, tls, file, ({ subject }) =>
    subject === `CN=${ROLE}\nOU=${unitOf(want)}` ? undefined : `is for ${subject.replaceAll("\n", ", ") || "nobody"}`,
  );
}
