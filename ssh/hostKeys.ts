import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { HostKeyChanged, HostKeyUnknown, where, type Unreachable } from "./errors";
import type { HostConnection } from "./types";

interface HostKey {
  /** "ssh-ed25519" */
  readonly type: string;
  readonly blob: Buffer;
}

/** The keys a server may show, and those it must never show again. */
export interface KnownKeys {
  readonly accepted: readonly HostKey[];
  readonly revoked: readonly HostKey[];
  /** Where they were looked up, for messages. */
  readonly source: string;
}

/** "SHA256:..." as ssh-keygen -l prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** A key blob starts with the length and the name of its type (RFC 4253, 6.6). */
function typeOf(blob: Buffer): string {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return blob.subarray(4, 4 + length).toString("latin1");
}

function parseKey(type: string | undefined, base64: string | undefined): HostKey | undefined {
  if (!type || !base64) return undefined;
  const blob = Buffer.from(base64, "base64");
  return typeOf(blob) === type ? { type, blob } : undefined;
}

function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "i").test(name);
}

function hashMatches(field: string, name: string): boolean {
  const [salt, digest] = field.slice(3).split("|");
  if (!salt || !digest) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name.toLowerCase()).digest("base64") === digest;
}

function hostsFieldMatches(field: string, name: string): boolean {
  if (field.startsWith("|1|")) return hashMatches(field, name);
  const patterns = field.split(",");
  const negated = patterns.filter((pattern) => pattern.startsWith("!"));
  if (negated.some((pattern) => globMatches(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && globMatches(pattern, name));
}

/**
 * The keys that the text of a known_hosts file holds for one name ("n1", "[n1]:2222"): plain, hashed and wildcard
 * lines. Lines of certificate authorities count for nothing: certificates are not verified here.
 */
export function knownHostsKeys(text: string, name: string): { accepted: HostKey[]; revoked: HostKey[] } {
  const accepted: HostKey[] = [];
  const revoked: HostKey[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith("@") ? fields.shift() : undefined;
    if (!fields[0] || fields[0].startsWith("#") || !hostsFieldMatches(fields[0], name)) continue;
    const key = parseKey(fields[1], fields[2]);
    if (key && marker === undefined) accepted.push(key);
    if (key && marker === "@revoked") revoked.push(key);
  }
  return { accepted, revoked };
}

/** The keys known for a host: the inventory's when it gives any, otherwise those of its known_hosts file. */
export async function knownKeys(host: HostConnection): Promise<KnownKeys> {
  if (host.hostKeys.length > 0) {
    const keys = host.hostKeys.map((line) => parseKey(...(line.trim().split(/\s+/) as [string?, string?])));
    return { accepted: keys.filter((key) => key !== undefined), revoked: [], source: "the inventory" };
  }
  const text = await readFile(host.knownHostsFile, "utf8").catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  });
  const source = host.knownHostsFile;
  const plain = knownHostsKeys(text, host.address);
  if (host.port === 22) return { ...plain, source };
  const withPort = knownHostsKeys(text, `[${host.address}]:${host.port}`);
  // OpenSSH, too, falls back to the entry without a port when there is none with it.
  const accepted = withPort.accepted.length > 0 ? withPort.accepted : plain.accepted;
  return { accepted, revoked: [...withPort.revoked, ...plain.revoked], source };
}

const ALGORITHMS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
] as const;

/**
 * Signature algorithms to offer: first those of the keys we know, so that a server with several keys shows one of
 * them; then the rest, so that a server with none of them still shows something to name in the refusal.
 */
export function offeredAlgorithms(known: KnownKeys): (typeof ALGORITHMS)[number][] {
  const types = new Set(known.accepted.map((key) => key.type));
  const isKnown = (algorithm: string) => types.has(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  return [...ALGORITHMS.filter(isKnown), ...ALGORITHMS.filter((algorithm) => !isKnown(algorithm))];
}

/** undefined when the key a server shows is one we know; otherwise the refusal. */
export function refusalOf(host: HostConnection, known: KnownKeys, blob: Buffer): Unreachable | undefined {
  const isIn = (keys: readonly HostKey[]) => keys.some((key) => key.blob.equals(blob));
  const seen = fingerprint(blob);
  const shows = `${where(host)} shows the host key ${typeOf(blob)} ${seen}`;
  const keyscan = `ssh-keyscan -p ${host.port} ${host.address}`;
  const check = `Compare with what \`ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub\` says on the host's console; from here, \`${keyscan} | ssh-keygen -lf -\` shows it.`;
  const line = `"${typeOf(blob)} ${blob.toString("base64")}"`;
  if (isIn(known.revoked)) {
    const message = `${shows}, which ${known.source} marks as revoked. Do not connect before you know why it is back.`;
    return new HostKeyChanged(
      host,
      seen,
      known.accepted.map((key) => fingerprint(key.blob)),
      message,
    );
  }
  if (isIn(known.accepted)) return undefined;
  const accept =
    host.hostKeys.length > 0
      ? `If it is right, put ${line} into the host's host_keys in the inventory.`
      : `If it is right, put ${line} into the host's host_keys in the inventory, or run \`${keyscan} >> ${host.knownHostsFile}\`.`;
  if (known.accepted.length === 0) {
    return new HostKeyUnknown(host, seen, `${shows}; ${known.source} holds no key for it. ${check} ${accept}`);
  }
  const expected = known.accepted.map((key) => fingerprint(key.blob));
  const wanted = known.accepted.map((key) => `${key.type} ${fingerprint(key.blob)}`).join(", ");
  const message = `${shows}; ${known.source} expects ${wanted}. Either the host was installed anew or something else answers at its address. ${check} ${accept}`;
  return new HostKeyChanged(host, seen, expected, message);
}
