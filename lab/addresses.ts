import { createHash } from "node:crypto";

/** The largest lab: hosts pg1 .. pg60 of one /24. */
export const MAX_HOSTS = 60;

/** Reserved for tests of network devices; no packet for it may ever leave this machine. */
export const RESERVED_NETWORK = "198.18.0.0/15";

const BRIDGE_PREFIX = "replab";

/** All names and addresses that follow from a lab's number (0..255), which is unique among the labs of a machine. */
export interface AddressPlan {
  readonly subnet: number;
  readonly bridge: string;
  /** The control machine's address on the bridge. */
  readonly control: string;
  readonly nftTable: string;
}

/** @throws RangeError when subnet is not a whole number from 0 to 255 */
export function addressPlan(subnet: number): AddressPlan {
  if (!Number.isInteger(subnet) || subnet < 0 || subnet > 255) throw new RangeError(`no lab number: ${subnet}`);
  return {
    subnet,
    bridge: `${BRIDGE_PREFIX}${subnet}`,
    control: `198.18.${subnet}.1`,
    nftTable: `repmgr_lab${subnet}`,
  };
}

/** The lab number behind a bridge's name, undefined for any other interface. */
export function subnetOfBridge(bridge: string): number | undefined {
  const match = new RegExp(`^${BRIDGE_PREFIX}(\\d{1,3})$`).exec(bridge);
  return match ? Number(match[1]) : undefined;
}

/** @throws RangeError naming what is allowed, when name is not pg1 .. pg60 */
export function hostNumber(name: string): number {
  const number = Number(/^pg([1-9]\d?)$/.exec(name)?.[1]);
  if (!(number <= MAX_HOSTS))
    throw new RangeError(`no lab host ${JSON.stringify(name)}: hosts are pg1 to pg${MAX_HOSTS}`);
  return number;
}

/** A lab keeps its number in mind while it is down, and another one may run under it: neither must take the other's hosts for its own. */
export const hostCgroup = (dir: string, name: string): string => {
  return `repmgr-lab-${createHash("sha256").update(dir).digest("hex").slice(0, 8)}/${name}`;
};

export const hostName = (number: number): string => `pg${number}`;

export const hostAddress = (plan: AddressPlan, name: string): string =>
  `198.18.${plan.subnet}.${10 + hostNumber(name)}`;

/** systemd-nspawn names the host's end of the link after the machine, so machines of two labs need two names. */
export const machineName = (plan: AddressPlan, name: string): string => `lab${plan.subnet}-${name}`;

/** The control machine's end of a host's link; the kernel allows 15 characters. */
export const linkName = (plan: AddressPlan, name: string): string => `vb-${machineName(plan, name)}`;

/** /etc/hosts of every host: all names a lab can have, so that a host added later is known to the older ones. */
export function hostsFile(plan: AddressPlan): string {
  const lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"];
  for (let number = 1; number <= MAX_HOSTS; number++) {
    lines.push(`${hostAddress(plan, hostName(number))} ${hostName(number)}`);
  }
  return `${lines.join("\n")}\n`;
}
