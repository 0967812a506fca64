import { certificatesOf, covers, leadsTo } from "../config/certificate";
import { type CertificatesFact, certificatesProbe } from "../facts/certificates";
import type { InstanceFacts } from "../facts/instance";
import { clusterPaths } from "../families";
import { instanceOf } from "./cluster";
import type { Ctx } from "./kind";
import { clusterOf } from "./majorUpgrade";
import type { PreflightInputs, PreflightNode } from "./preflight";
import { problemsOfNodes } from "./preflightNodes";

/**
 * Why the nodes cannot begin or end to check each other with this change, or would not know each other after it: none of them
 * may refuse another one at any moment of the run, or a failover in the middle would find nobody.
 * @param before the inputs of the last run
 */
export async function trustProblems(
  ctx: Ctx,
  inputs: PreflightInputs,
  before: PreflightInputs | undefined,
): Promise<string[]> {
  if (before?.trusted !== undefined && inputs.hasTls === undefined) {
    return [
      `cluster ${inputs.cluster}: its nodes check each other's certificates, so TLS cannot go in the same change. Set "nodes: unverified" under 'tls', run "pulumi up", then remove 'tls'`,
    ];
  }
  const { trusted } = inputs;
  // What differs without a change of the inventory is drift, which is put right.
  if (trusted === undefined || before?.trusted === trusted) return [];
  return problemsOfNodes(
    inputs,
    (node) => ask(ctx, inputs, node),
    (node, seen) => nodeProblems(inputs, node, { ...seen, trusted, isNew: before?.trusted === undefined }),
  );
}

interface Seen {
  readonly found: CertificatesFact;
  readonly instance: InstanceFacts;
}

async function ask(ctx: Ctx, inputs: PreflightInputs, { host }: PreflightNode): Promise<Seen> {
  const { certificate, authorities } = clusterPaths(inputs);
  const [found, instance] = await Promise.all([
    ctx.ask(host, certificatesProbe(certificate, authorities)),
    ctx.ask(host, instanceOf(clusterOf(inputs))),
  ]);
  return { found, instance };
}

interface Judged extends Seen {
  readonly trusted: string;
  readonly isNew: boolean;
}

function nodeProblems(
  inputs: PreflightInputs,
  { node, host, address }: PreflightNode,
  { found, instance, trusted, isNew }: Judged,
): string[] {
  if (instance.data !== "present") return [];
  const where = `${node} on ${host}`;
  const chain = certificatesOf(found.presented);
  const [certificate] = chain;
  if (isNew) {
    const lacks =
      inputs.hasTls !== undefined && instance.running !== undefined && instance.running.settings.ssl?.setting !== "on"
        ? "does not speak TLS yet"
        : certificate === undefined
          ? "has no certificate yet"
          : !covers(certificate, address)
            ? `has a certificate that is not for ${address}`
            : certificatesOf(found.authorities).length === 0
              ? "knows no authority yet"
              : undefined;
    if (lacks !== undefined) {
      return [
        `its nodes shall check each other, and ${where} ${lacks}. First run "pulumi up" with "nodes: unverified" under 'tls', so that all of them have what the others look at`,
      ];
    }
  }
  if (certificate === undefined || leadsTo(chain, certificatesOf(trusted))) return [];
  return [
    `its nodes check each other, and the certificate of ${where} was signed by none of the authorities in ca_file. Write the one that signed it into the file as well, ` +
      `run "pulumi up", and take it out once all certificates are of the new one`,
  ];
}
