import { certificatesOf, leadsTo } from "../config/certificate";
import { type CertificatesFact, certificatesProbe } from "../facts/certificates";
import { parseConninfo } from "../facts/conninfo";
import { type FileFact, fileProbe } from "../facts/file";
import { parsePostgresConf } from "../facts/postgresConf";
import type { InstanceFacts } from "../facts/instance";
import { clusterPaths, unitPath } from "../families";
import { instanceOf } from "./cluster";
import type { Ctx } from "./kind";
import { clusterOf } from "./majorUpgrade";
import type { PreflightInputs, PreflightNode } from "./preflight";
import { problemsOfNodes } from "./preflightNodes";

/** How the nodes log in to each other by certificate. */
export interface Logins {
  /** PEM; a node takes the certificates that these have signed. */
  readonly authorities: string;
  /** Nothing but a certificate lets a node in. */
  readonly isRequired: boolean;
}

/**
 * Why the nodes cannot begin or end to ask each other for certificates with this change, or would not take them after it. A
 * node is changed after another: one that asks must never meet one that has nothing to show, or a failover in the middle of
 * the run would find nobody.
 * @param before the inputs of the last run
 */
export async function loginProblems(
  ctx: Ctx,
  inputs: PreflightInputs,
  before: PreflightInputs | undefined,
): Promise<string[]> {
  const { logins } = inputs;
  const was = before?.logins;
  if (logins === undefined) {
    if (was?.isRequired !== true) return [];
    return [
      `cluster ${inputs.cluster}: its nodes let each other in by certificate alone, so the certificates cannot go in the same change. ` +
        `Set "replication_certificates: presented" under 'tls', run "pulumi up", then take it away`,
    ];
  }
  const begins = logins.isRequired && was?.isRequired !== true;
  const isOther = was !== undefined && was.authorities !== logins.authorities;
  if (!begins && !isOther) return [];
  return problemsOfNodes(
    inputs,
    (node) => ask(ctx, inputs, node),
    (node, seen) => nodeProblems(inputs, node, { ...seen, logins, begins }),
  );
}

interface Seen {
  readonly found: CertificatesFact;
  readonly conf: FileFact | undefined;
  /** The unit of repmgrd. */
  readonly unit: FileFact | undefined;
  readonly instance: InstanceFacts;
}

async function ask(ctx: Ctx, inputs: PreflightInputs, { host }: PreflightNode): Promise<Seen> {
  const { loginCertificate, authorities, repmgrConf, repmgrdUnit } = clusterPaths(inputs);
  const [found, conf, unit, instance] = await Promise.all([
    ctx.ask(host, certificatesProbe(loginCertificate, authorities)),
    ctx.ask(host, fileProbe(repmgrConf)),
    ctx.ask(host, fileProbe(unitPath(repmgrdUnit))),
    ctx.ask(host, instanceOf(clusterOf(inputs))),
  ]);
  return { found, conf, unit, instance };
}

interface Judged extends Seen {
  readonly logins: Logins;
  readonly begins: boolean;
}

function nodeProblems(
  inputs: PreflightInputs,
  { node, host }: PreflightNode,
  { found, conf, unit, instance, logins, begins }: Judged,
): string[] {
  if (instance.data !== "present") return [];
  const where = `${node} on ${host}`;
  const chain = certificatesOf(found.presented);
  const { loginCertificate } = clusterPaths(inputs);
  const { conninfo = "" } = parsePostgresConf(conf?.content ?? "");
  const isShown =
    parseConninfo(conninfo).sslcert === loginCertificate &&
    unit?.content.includes(`PGSSLCERT=${loginCertificate}`) === true;
  if (begins && (chain.length === 0 || !isShown)) {
    const lacks = chain.length === 0 ? "has none yet" : "does not show its own yet";
    return [
      `its nodes shall let each other in by certificate, and ${where} ${lacks}. ` +
        `First run "pulumi up" with "replication_certificates: presented" under 'tls', so that all of them have one and show it`,
    ];
  }
  if (chain.length === 0 || leadsTo(chain, certificatesOf(logins.authorities))) return [];
  return [
    `its nodes show each other certificates, and that of ${where} was signed by none of the authorities in ca_file. ` +
      `Write the one that signed it into the file as well, run "pulumi up", and take it out once all certificates are of the new one`,
  ];
}
