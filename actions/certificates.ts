import "reflect-metadata";
import { createPrivateKey, type KeyObject, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

const DAY_MS = 86_400_000;
/** Clocks of clients may be behind. */
const BACKDATED_MS = 3_600_000;
const AUTHORITY_DAYS = 3_650;
const OWN = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

interface SigningRequest {
  /** PEM; the one of these that belongs to the key signs. */
  readonly authorities: readonly X509Certificate[];
  /** PEM. Secret. */
  readonly authorityKey: string;
  readonly name: string;
  readonly days: number;
}

/** What a server's certificate that is signed here says. */
export interface CertificateRequest extends SigningRequest {
  readonly names: readonly string[];
}

/** What a client's says: the role that it logs in as, and in its unit which of its clients it is. */
export interface LoginRequest extends SigningRequest {
  readonly unit: string;
}

/** An authority of one's own, PEM: its certificate for everybody, and its private key. */
export async function makeAuthority(name: string): Promise<{ certificate: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(OWN, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...lifeFromNow(AUTHORITY_DAYS),
    name: [{ CN: [name] }],
    signingAlgorithm: OWN,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: new X509Certificate(Buffer.from(certificate.rawData)).toString(),
    key: await pemOf(keys.privateKey),
  };
}

/**
 * A new private key with a certificate for a server, PEM, in this order.
 * @throws Error when the key is none of the authorities', or of a kind that does not sign here
 */
export function makeCertificate(request: CertificateRequest): Promise<string> {
  return sign(request, { CN: [request.name] }, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(
      request.names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value })),
    ),
  ]);
}

/**
 * A new private key with a certificate for a client, PEM, in this order.
 * @throws Error when the key is none of the authorities', or of a kind that does not sign here
 */
export function makeLoginCertificate(request: LoginRequest): Promise<string> {
  // The server compares the first CN that it finds with the role (PostgreSQL documentation, "Certificate Authentication").
  return sign(request, { CN: [request.name], OU: [request.unit] }, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ]);
}

async function sign(
  request: SigningRequest,
  { CN, OU = [] }: { readonly CN: string[]; readonly OU?: string[] },
  purpose: readonly x509.Extension[],
): Promise<string> {
  const { authorities, days } = request;
  const key = createPrivateKey(request.authorityKey);
  const authority = authorities.find((known) => known.checkPrivateKey(key));
  if (authority === undefined) throw new Error("the private key belongs to none of the authorities");
  const algorithm = algorithmOf(key);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const keys = await webcrypto.subtle.generateKey(OWN, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.raw);
  const certificate = await x509.X509CertificateGenerator.create({
    ...lifeFromNow(days),
    subject: [{ CN }, ...(OU.length === 0 ? [] : [{ OU }])],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...purpose,
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return (await pemOf(keys.privateKey)) + new X509Certificate(Buffer.from(certificate.rawData)).toString();
}

function lifeFromNow(days: number): { serialNumber: string; notBefore: Date; notAfter: Date } {
  const notBefore = new Date(Date.now() - BACKDATED_MS);
  // Positive, whatever the first bit would be (RFC 5280, 4.1.2.2).
  const serialNumber = `01${randomBytes(15).toString("hex")}`;
  return { serialNumber, notBefore, notAfter: new Date(notBefore.getTime() + days * DAY_MS) };
}

const CURVES: Readonly<Record<string, readonly [namedCurve: string, hash: string]>> = {
  prime256v1: ["P-256", "SHA-256"],
  secp384r1: ["P-384", "SHA-384"],
  secp521r1: ["P-521", "SHA-512"],
};

interface SigningAlgorithm {
  readonly name: string;
  /** Of an elliptic curve only. */
  readonly namedCurve: string;
  readonly hash: string;
}

function algorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): SigningAlgorithm {
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", namedCurve: "", hash: "SHA-256" };
  const [namedCurve, hash = ""] = CURVES[details?.namedCurve ?? ""] ?? [];
  if (type !== "ec" || namedCurve === undefined)
    throw new Error(
      `an authority's key of type ${type ?? "unknown"} does not sign here; use RSA or EC (P-256, P-384, P-521)`,
    );
  return { name: "ECDSA", namedCurve, hash };
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" })
    .export({ type: "pkcs8", format: "pem" })
    .toString();
}
