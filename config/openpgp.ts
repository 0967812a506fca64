import { createHash } from "node:crypto";

/** Tag of a public key packet, old and new format (RFC 9580, 4.2 and 5). */
const PUBLIC_KEY = 6;

/**
 * Fingerprints of all public keys in an ASCII-armoured text, in upper-case hexadecimal (RFC 9580, 5.5.4.2: version 4, which
 * all package repositories use); subkeys are not counted. What cannot be read is no key.
 */
export function fingerprintsOf(armoured: string): string[] {
  return blocks(armoured).flatMap((bytes) =>
    packets(bytes)
      .filter(({ tag, body }) => tag === PUBLIC_KEY && body[0] === 4)
      .map(({ body }) => fingerprint(body)),
  );
}

/** @param written as people write it: in groups, in any case */
export function fingerprintText(written: string): string {
  return written.replaceAll(" ", "").toUpperCase();
}

function fingerprint(body: Buffer): string {
  const head = Buffer.from([0x99, body.length >> 8, body.length & 0xff]);
  return createHash("sha1")
    .update(Buffer.concat([head, body]))
    .digest("hex")
    .toUpperCase();
}

/** After the headers and an empty line comes base64, and a checksum that begins with "=" ends it (RFC 9580, 6.2). */
function blocks(text: string): Buffer[] {
  const armour = /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g;
  return [...text.matchAll(armour)].map(([, block = ""]) => {
    const lines = block.split(/\r?\n/).filter((line) => !line.includes(":") && !line.startsWith("="));
    return Buffer.from(lines.join(""), "base64");
  });
}

interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/** Ends at what is cut short, or of indeterminate length, which no part of a key is. */
function packets(bytes: Buffer): Packet[] {
  const found: Packet[] = [];
  for (let rest = bytes; rest.length >= 6;) {
    const head = rest.readUInt8(0);
    const isNew = (head & 0x40) !== 0;
    const size = isNew ? newLength(rest) : oldLength(rest, head & 3);
    if ((head & 0x80) === 0 || size === undefined || size.at + size.length > rest.length) break;
    const end = size.at + size.length;
    found.push({ tag: isNew ? head & 0x3f : (head >> 2) & 0x0f, body: rest.subarray(size.at, end) });
    rest = rest.subarray(end);
  }
  return found;
}

interface Size {
  readonly at: number;
  readonly length: number;
}

function newLength(bytes: Buffer): Size | undefined {
  const first = bytes.readUInt8(1);
  if (first < 192) return { at: 2, length: first };
  if (first < 224) return { at: 3, length: ((first - 192) << 8) + bytes.readUInt8(2) + 192 };
  return first === 255 ? { at: 6, length: bytes.readUInt32BE(2) } : undefined;
}

function oldLength(bytes: Buffer, type: number): Size | undefined {
  if (type === 0) return { at: 2, length: bytes.readUInt8(1) };
  if (type === 1) return { at: 3, length: bytes.readUInt16BE(1) };
  return type === 2 ? { at: 5, length: bytes.readUInt32BE(1) } : undefined;
}
