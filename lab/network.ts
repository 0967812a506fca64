import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressPlan, RESERVED_NETWORK, subnetOfBridge } from "./addresses";
import { type Faults, faultRules } from "./faults";
import { LabLock } from "./lock";
import { must, run } from "./run";
import { tableOf } from "./sshProxy";

const INOTIFY = "/proc/sys/fs/inotify/max_user_instances";

/** Two labs that begin at once, of whatever checkout, must not choose the same number, nor one that ends take the other's route. */
export const machineNetworks = new LabLock("/run/lock/repmgr-pulumi-labs");

/** Lab numbers in use on this machine, each with the directory of its lab (the bridge carries it as its alias). */
export function labsOnMachine(): Map<number, string> {
  const labs = new Map<number, string>();
  for (const name of readdirSync("/sys/class/net")) {
    const subnet = subnetOfBridge(name);
    if (subnet !== undefined) labs.set(subnet, readFileSync(`/sys/class/net/${name}/ifalias`, "utf8").trim());
  }
  return labs;
}

/**
 * The number for the lab at dir: the one it had if that is free, else the first free one from `first`.
 * @throws Error when all 256 are taken
 */
export function chooseSubnet(labs: Map<number, string>, dir: string, had: number | undefined, first: number): number {
  const free = (subnet: number): boolean => !labs.has(subnet) || labs.get(subnet) === dir;
  if (had !== undefined && free(had)) return had;
  for (let subnet = first; subnet < 256; subnet++) if (free(subnet)) return subnet;
  throw new Error(
    "all 256 lab networks of this machine are in use: run `npm run lab -- down` in a checkout that is done",
  );
}

/** Makes the bridge and, before it, the route that keeps packets for absent hosts from leaving. Repeatable. */
export async function networkUp(plan: AddressPlan, dir: string): Promise<void> {
  await must(["ip", "route", "replace", "unreachable", RESERVED_NETWORK]);
  if (existsSync(`/sys/class/net/${plan.bridge}`)) return;
  await must(["ip", "link", "add", plan.bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"]);
  await must(["ip", "link", "set", plan.bridge, "alias", dir]);
  await must(["ip", "address", "add", `${plan.control}/24`, "dev", plan.bridge]);
  await must(["ip", "link", "set", plan.bridge, "up"]);
}

/** A lab that is down keeps its number in mind, which another lab may have by now. */
export function hasNetwork(labs: ReadonlyMap<number, string>, dir: string, subnet: number): boolean {
  return labs.get(subnet) === dir;
}

/** Removes what networkUp made for the lab at dir; the route only with the last lab of this machine. */
export function networkDown(plan: AddressPlan, dir: string): Promise<void> {
  return machineNetworks.hold("give a network back", async () => {
    if (hasNetwork(labsOnMachine(), dir, plan.subnet)) {
      await applyFaults(plan, { cut: [], oneWay: [] });
      await removeProxies(plan);
      await must(["ip", "link", "delete", plan.bridge]);
    }
    if (labsOnMachine().size === 0) await run(["ip", "route", "delete", "unreachable", RESERVED_NETWORK]);
  });
}

/** Of proxies before hosts whose process was ended: the hosts would not be reached any more. */
async function removeProxies({ control }: AddressPlan): Promise<void> {
  const ours = tableOf(control.replace(/\d+$/, ""));
  const tables = (await must(["nft", "list", "tables", "ip"])).split("\n").map((line) => line.replace("table ip ", ""));
  for (const table of tables) if (table.startsWith(ours)) await must(["nft", "delete", "table", "ip", table]);
}

export async function applyFaults(plan: AddressPlan, faults: Faults): Promise<void> {
  await must(["nft", "-f", "-"], { stdin: faultRules(plan, faults) });
}

/** Every host's systemd needs several inotify instances of this machine's root user; 128 are enough for 27 hosts. */
export function raiseInotify(hosts: number): void {
  const wanted = 128 + 16 * hosts;
  if (Number(readFileSync(INOTIFY, "utf8")) < wanted) writeFileSync(INOTIFY, String(wanted));
}
