import { BlockList, isIP } from "node:net";

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

/** Whether all of a network is in another one; an address is a network of its own. false where one of them is neither. */
export function covers(wide: string, narrow: string): boolean {
  const [outer, inner] = [wide, narrow].map((text) => parseNetwork(text.includes("/") ? text : alone(text)));
  if (outer?.family !== inner?.family || outer === undefined || inner === undefined) return false;
  const family = outer.family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(addressOf(wide), outer.prefix, family);
  return outer.prefix <= inner.prefix && list.check(addressOf(narrow), family);
}

/** Whether two spellings mean the same network: "10.1.2.3/8" and "10.0.0.0/8", "FD00:0::/8" and "fd00::/8". */
export function isSameNetwork(a: string, b: string): boolean {
  return a === b || (covers(a, b) && covers(b, a));
}

function alone(address: string): string {
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

function addressOf(network: string): string {
  return network.split("/")[0] ?? "";
}
