import { spawn } from "node:child_process";
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { shJoin } from "../ssh/quote";
import { type AddressPlan, hostAddress, hostCgroup, hostNumber, linkName } from "./addresses";
import { inCgroupsArgv, qemuArgv, sshArgv } from "./argv";
import { BOOT_STATE, hasBooted } from "./bootState";
import { HostCgroup } from "./cgroups";
import { machineId, writeIdentity } from "./identity";
import type { GuestDisk, HostImage } from "./image";
import { bannerSeen, type Machine } from "./machine";
import { hasNetwork, labsOnMachine } from "./network";
import type { HostPaths, LabPaths } from "./paths";
import { must, run, type RunOptions, type RunResult } from "./run";
import { until } from "./wait";

/** Every instruction is translated, on processors that have other hosts to run. */
const BOOT_DEADLINE_MS = 420_000;
/** The first logins that useradd makes. */
const LOGINS = { admin: 1000, ops: 1001 } as const;

/** One host with a kernel of its own: a disk over the image's, a control group, QEMU without KVM on the lab's bridge. */
export class Guest implements Machine {
  readonly address: string;
  private readonly cgroup: HostCgroup;
  private readonly files: HostPaths;

  constructor(
    readonly name: string,
    private readonly plan: AddressPlan,
    private readonly paths: LabPaths,
  ) {
    this.address = hostAddress(plan, name);
    this.cgroup = new HostCgroup(hostCgroup(paths.dir, name));
    this.files = paths.host(name);
  }

  isRunning(): boolean {
    return this.cgroup.processes().length > 0;
  }

  async start({ disk }: HostImage): Promise<void> {
    if (disk === undefined) throw new Error(`${this.name} has an image that is no disk`);
    mkdirSync(this.files.dir, { recursive: true });
    await this.prepareDisk(disk);
    await this.link();
    const { number, id } = { number: hostNumber(this.name), id: machineId(this.paths, this.name) };
    const own = { disk: this.disk, identity: this.identity, link: linkName(this.plan, this.name) };
    const argv = qemuArgv(disk, own, { name: this.name, subnet: this.plan.subnet, number, machineId: id });
    const [program, ...args] = inCgroupsArgv(this.cgroup.create(), argv) as [string, ...string[]];
    const log = openSync(this.files.console, "w");
    spawn(program, args, { detached: true, stdio: ["ignore", log, log] }).unref();
    closeSync(log);
    await until(`${this.name} started`, 10_000, () => this.isRunning() || `no process; console: ${this.consoleTail()}`);
  }

  async ready(reachable: boolean): Promise<void> {
    if (!reachable) return;
    await until(`${this.name} (${this.address}) booted`, BOOT_DEADLINE_MS, () => this.looksReady(), 500);
  }

  private async looksReady(): Promise<true | string> {
    if (!this.isRunning()) return `it ended; console: ${this.consoleTail()}`;
    const seen = await bannerSeen(this.address);
    if (seen !== true) return seen;
    const { stdout, stderr } = await this.guest(BOOT_STATE, "root", {});
    return hasBooted(stdout) || `systemd says ${stdout.trim() || stderr.trim()}`;
  }

  /** Through the host's sshd, as admin: nothing else leads into another kernel. */
  async guest(command: string | readonly string[], user: string, options: RunOptions): Promise<RunResult> {
    const what = `on ${this.name}: ${typeof command === "string" ? command : command.join(" ")}`;
    return run(this.guestCommand(command, user), { ...options, what, ownGroup: true });
  }

  guestCommand(command: string | readonly string[], user: string): string[] {
    if (!this.isRunning()) throw new Error(`${this.name} is off: npm run lab -- poweron ${this.name}`);
    const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    const quoted = shJoin(["sudo", "-n", "-u", user, "--", ...argv]);
    return [...sshArgv(this.paths.loginKey, this.paths.knownHosts, "admin", this.address), quoted];
  }

  async kill(): Promise<void> {
    await this.cgroup.kill();
    await this.cgroup.remove();
    await this.unlink();
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.isRunning()) {
      await this.guest("systemctl poweroff", "root", {}).catch(() => undefined);
      await this.cgroup.waitEmpty(deadlineMs).catch(() => undefined);
    }
    await this.kill();
  }

  erase(): void {
    rmSync(this.files.dir, { recursive: true, force: true });
  }

  private get disk(): string {
    return join(this.files.dir, "disk.qcow2");
  }

  /** An archive that the guest unpacks at every boot, before its network. */
  private get identity(): string {
    return join(this.files.dir, "identity.tar");
  }

  private async prepareDisk({ root }: GuestDisk): Promise<void> {
    if (!existsSync(this.disk))
      await must(["qemu-img", "create", "-q", "-f", "qcow2", "-b", root, "-F", "raw", this.disk]);
    const staging = join(this.files.dir, "identity");
    rmSync(staging, { recursive: true, force: true });
    for (const dir of ["etc/systemd/network", "etc/ssh"]) mkdirSync(join(staging, dir), { recursive: true });
    for (const [login, id] of Object.entries(LOGINS)) {
      const ssh = join(staging, "home", login, ".ssh");
      mkdirSync(ssh, { recursive: true });
      chmodSync(ssh, 0o700);
      for (const dir of [join(ssh, ".."), ssh]) chownSync(dir, id, id);
    }
    writeIdentity(staging, this.paths, this.plan, this.name);
    await must(["tar", "--create", "--file", this.identity, "--directory", staging, "--numeric-owner", "etc", "home"]);
  }

  /** The guest's end of the cable is its card, ours a tap on the lab's bridge. */
  private async link(): Promise<void> {
    await this.unlink();
    const link = linkName(this.plan, this.name);
    await must(["ip", "tuntap", "add", "dev", link, "mode", "tap"]);
    await must(["ip", "link", "set", link, "master", this.plan.bridge, "up"]);
  }

  /** As with the other hosts: a link of that name may be another lab's. */
  private async unlink(): Promise<void> {
    if (!hasNetwork(labsOnMachine(), this.paths.dir, this.plan.subnet)) return;
    const link = linkName(this.plan, this.name);
    await run(["ip", "link", "delete", link]);
    await until(`${link} gone`, 10_000, () => !existsSync(`/sys/class/net/${link}`) || "the interface is there", 10);
  }

  private consoleTail(): string {
    return existsSync(this.files.console) ? readFileSync(this.files.console, "utf8").slice(-500) : "nothing";
  }
}
