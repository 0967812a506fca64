import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";

/** PostgreSQL's default, scram_iterations. */
const ITERATIONS = 4096;

/** RFC 3454, table B.1. */
const MAPPED_TO_NOTHING = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/g;

/**
 * The verifier PostgreSQL keeps for a password (RFC 5802, PostgreSQL documentation 53.8 pg_authid), so that the
 * password itself never reaches a statement or a log. Passwords are taken as they are: SASLprep matters only for
 * non-ASCII ones, which PostgreSQL then also takes as they are when they are not valid after preparation.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16), iterations = ITERATIONS): string {
  const prepared = password.replace(MAPPED_TO_NOTHING, "").normalize("NFKC");
  const salted = pbkdf2Sync(prepared, salt, iterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

/** A hash takes milliseconds by design, and every resource of a node asks for the same one. By verifier, then by password. */
const judged = new Map<string, Map<string, boolean>>();

/** Whether a verifier was made from this password; false for md5 and for none. */
export function verifies(verifier: string | null, password: string): boolean {
  const of = judged.get(verifier ?? "") ?? new Map<string, boolean>();
  judged.set(verifier ?? "", of);
  const verdict = of.get(password) ?? isMadeFrom(verifier, password);
  of.set(password, verdict);
  return verdict;
}

function isMadeFrom(verifier: string | null, password: string): boolean {
  const match = /^SCRAM-SHA-256\$(\d+):([^$]+)\$(.+)$/.exec(verifier ?? "");
  if (match?.[1] === undefined || match[2] === undefined) return false;
  const made = Buffer.from(scramVerifier(password, Buffer.from(match[2], "base64"), Number(match[1])));
  const kept = Buffer.from(verifier ?? "");
  return made.length === kept.length && timingSafeEqual(made, kept);
}
