import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type AddressPlan, hostAddress } from "./addresses";
import type { LabPaths } from "./paths";
import { must } from "./run";

async function ensureKey(file: string, comment: string): Promise<void> {
  if (existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file]);
}

/**
 * Makes the login key and the named hosts' keys where they are missing, and known_hosts anew from all of them,
 * by name and by address. Keys stay the same for the life of the lab's directory.
 */
export async function ensureKeys(paths: LabPaths, plan: AddressPlan, hosts: readonly string[]): Promise<void> {
  await ensureKey(paths.loginKey, "repmgr-pulumi lab");
  await Promise.all(hosts.map((host) => ensureKey(paths.hostKey(host), host)));
  const lines = hosts.map((host) => {
    const [type, key] = readFileSync(`${paths.hostKey(host)}.pub`, "utf8").split(" ");
    return `${host},${hostAddress(plan, host)} ${type} ${key}\n`;
  });
  writeFileSync(paths.knownHosts, lines.join(""));
}
