import { type AddressPlan, machineName } from "./addresses";
import type { GuestDisk } from "./image";
import type { HostPaths } from "./paths";

/** mount(8) for a host's disk: its own layer over saved ones over the base. @param lower topmost first */
export function overlayArgv(host: HostPaths, lower: readonly string[]): string[] {
  const options = [`lowerdir=${lower.join(":")}`, `upperdir=${host.upper}`, `workdir=${host.work}`];
  // Layers become lower layers of other hosts' lives: nothing in them may point at the file system's inodes.
  // PostgreSQL renames directories (a slot that is dropped), which those of a lower layer only allow with redirect_dir.
  options.push("index=off", "metacopy=off", "redirect_dir=on", "xino=off");
  return ["mount", "-t", "overlay", "overlay", "-o", options.join(","), host.root];
}

/** systemd-nspawn for one host. */
export function nspawnArgv(plan: AddressPlan, name: string, root: string, repository: string): string[] {
  return [
    ...["systemd-nspawn", "--boot", "--quiet", "--register=no", "--keep-unit", "--settings=no"],
    ...[`--machine=${machineName(plan, name)}`, `--hostname=${name}`, `--directory=${root}`],
    ...[`--network-bridge=${plan.bridge}`, "--link-journal=no", "--resolv-conf=off", "--timezone=off"],
    ...[`--bind-ro=${repository}:/srv/repository`],
  ];
}

/** What a guest has of its own. */
export interface GuestFiles {
  readonly disk: string;
  readonly identity: string;
  readonly link: string;
}

export interface GuestNames {
  readonly name: string;
  readonly subnet: number;
  readonly number: number;
  readonly machineId: string;
}

const GUEST_MEMORY_MB = 1024;

/** QEMU for one guest. Without KVM, which is rarely to be had where machines are virtual themselves. */
export function qemuArgv(image: GuestDisk, own: GuestFiles, who: GuestNames): string[] {
  const hex = (number: number): string => number.toString(16).padStart(2, "0");
  const kernel = [
    ...["root=/dev/vda", "rw", "console=ttyS0", "quiet", "security=selinux", "selinux=1", "enforcing=1"],
    ...[`systemd.hostname=${who.name}`, `systemd.machine_id=${who.machineId}`],
  ];
  return [
    ...["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(GUEST_MEMORY_MB)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"],
    ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", kernel.join(" ")],
    // A lost guest loses nothing of what it wrote, like the other hosts: this machine keeps it.
    ...["-drive", `file=${own.disk},format=qcow2,if=virtio,cache=unsafe`],
    ...["-drive", `file=${own.identity},format=raw,if=virtio,readonly=on`],
    ...["-netdev", `tap,id=lab,ifname=${own.link},script=no,downscript=no`],
    ...["-device", `virtio-net-pci,netdev=lab,mac=52:54:00:12:${hex(who.subnet)}:${hex(who.number)}`],
    ...["-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng"],
  ];
}

/** Enters cgroups, then becomes argv. @param procs the cgroup.procs files */
export function inCgroupsArgv(procs: readonly string[], argv: readonly string[]): string[] {
  const script =
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1" || exit 125; shift; n=$((n - 1)); done; exec "$@"';
  return ["/bin/sh", "-c", script, "sh", String(procs.length), ...procs, ...argv];
}

const GUEST_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A command in the namespaces of a host's init, as user. @param command a string is POSIX shell */
export function guestArgv(init: number, command: string | readonly string[], user: string): string[] {
  const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
  const enter = ["nsenter", `--target=${init}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
  const clean = ["env", "-i", "-C", "/", GUEST_PATH, "LC_ALL=C.UTF-8", "HOME=/root"];
  return [...enter, ...clean, ...(user === "root" ? [] : ["runuser", "-u", user, "--"]), ...argv];
}

/** The system's ssh client to a host, checking its key. */
export function sshArgv(loginKey: string, knownHosts: string, login: string, address: string): string[] {
  const options = [
    "IdentitiesOnly=yes",
    `UserKnownHostsFile=${knownHosts}`,
    "StrictHostKeyChecking=yes",
    "LogLevel=ERROR",
  ];
  return ["ssh", "-F", "none", "-i", loginKey, ...options.flatMap((option) => ["-o", option]), `${login}@${address}`];
}
