import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** Less than this part of its life left, and a certificate is due for renewal. */
const LEAST_LEFT = 1 / 3;
const DAY_MS = 86_400_000;

/** All certificates of a PEM text in their order; what cannot be read is none. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/** The private key of a PEM text; undefined when it holds none that can be read. */
export function privateKeyOf(pem: string): KeyObject | undefined {
  const [block] = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(pem) ?? [];
  try {
    return block === undefined ? undefined : createPrivateKey(block);
  } catch {
    return undefined;
  }
}

/** Names and addresses a certificate is for; what its subject says counts for nobody who checks. */
export function namesOf({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? "").split(", ").flatMap((entry) => /^(?:DNS|IP Address):(.*)$/.exec(entry)?.[1] ?? []);
}

/** Whether both are for the same, however they spell it. */
export function areSameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.map(plainName).sort().join() === b.map(plainName).sort().join();
}

function plainName(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase();
}

/** Whether a client that connects to a name or an address takes the certificate for the right one. */
export function covers(certificate: X509Certificate, name: string): boolean {
  const found = isIP(name) === 0 ? certificate.checkHost(name, { subject: "never" }) : certificate.checkIP(name);
  return found !== undefined;
}

/** Whether the first of a chain leads to one of these authorities, by way of the others. */
export function leadsTo(chain: readonly X509Certificate[], authorities: readonly X509Certificate[]): boolean {
  const [first, ...others] = chain;
  if (first === undefined) return false;
  if (issuerOf(first, authorities) !== undefined) return true;
  const next = issuerOf(first, others);
  return next !== undefined && leadsTo([next, ...others.filter((other) => other !== next)], authorities);
}

/** Which of these authorities has signed the certificate. */
export function issuerOf(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): X509Certificate | undefined {
  return authorities.find((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey));
}

export function validUntil({ validTo }: X509Certificate): Date {
  return new Date(validTo);
}

/** Days from its first to its last moment. */
export function lifeOf({ validFrom, validTo }: X509Certificate): number {
  return (Date.parse(validTo) - Date.parse(validFrom)) / DAY_MS;
}

export function isDueForRenewal(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validTo) - now < lifeOf(certificate) * DAY_MS * LEAST_LEFT;
}

/** Why a certificate does not count now; undefined when it does. */
export function timeProblem({ validFrom, validTo }: X509Certificate, now: number): string | undefined {
  if (Date.parse(validTo) <= now) return `it expired on ${day(new Date(validTo))}`;
  return Date.parse(validFrom) > now ? `it is valid only from ${day(new Date(validFrom))} on` : undefined;
}

/** "2027-11-29" */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
