import { isIP } from "node:net";

export interface Network {
  readonly family: 4 | 6;
  readonly prefix: number;
}

/** "192.0.2.0/24" or "2001:db8::/32"; undefined when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  const [address = "", mask = "", ...rest] = text.split("/");
  const family = address.includes("%") ? 0 : isIP(address);
  const prefix = Number(mask);
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(mask)) return undefined;
  if (family === 4 && prefix <= 32) return { family, prefix };
  if (family === 6 && prefix <= 128) return { family, prefix };
  return undefined;
}

/** An IP address or a name that could resolve; nothing that looks like a mistyped IP address. */
export function isAddress(text: string): boolean {
  if (isIP(text) !== 0) return !text.includes("%");
  if (text.length > 253 || /^[\d.]+$/.test(text)) return false;
  return text.split(".").every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
}
