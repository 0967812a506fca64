import { createHash } from "node:crypto";
import { chmodSync, chownSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type AddressPlan, hostAddress, hostsFile } from "./addresses";
import type { LabPaths } from "./paths";

/** Static, and kept when the link goes: a pulled cable must not also take the address away. */
const networkUnit = (address: string): string =>
  ["[Match]", "Name=host0", "[Network]", `Address=${address}/24`, "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
    .concat(["ConfigureWithoutCarrier=yes", "IgnoreCarrierLoss=yes", ""])
    .join("\n");

/** Unique and the same at every boot. */
export const machineId = (paths: LabPaths, host: string): string =>
  createHash("sha256").update(`${paths.dir}\0${host}`).digest("hex").slice(0, 32);

/** Writes who a host is into its mounted root: at every boot, so that a disk saved under another plan fits again. */
export function writeIdentity(root: string, paths: LabPaths, plan: AddressPlan, host: string): void {
  const put = (file: string, text: string): void => writeFileSync(join(root, file), text);
  put("etc/hostname", `${host}\n`);
  put("etc/machine-id", `${machineId(paths, host)}\n`);
  put("etc/hosts", hostsFile(plan));
  put("etc/systemd/network/10-lab.network", networkUnit(hostAddress(plan, host)));
  const key = paths.hostKey(host);
  copyFileSync(key, join(root, "etc/ssh/ssh_host_ed25519_key"));
  chmodSync(join(root, "etc/ssh/ssh_host_ed25519_key"), 0o600);
  copyFileSync(`${key}.pub`, join(root, "etc/ssh/ssh_host_ed25519_key.pub"));
  for (const login of ["admin", "ops"]) authorize(root, login, readFileSync(`${paths.loginKey}.pub`, "utf8"));
}

function authorize(root: string, login: string, publicKey: string): void {
  const ssh = join(root, "home", login, ".ssh");
  const file = join(ssh, "authorized_keys");
  const owner = statSync(ssh);
  writeFileSync(file, publicKey);
  chmodSync(file, 0o600);
  chownSync(file, owner.uid, owner.gid);
}
