import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { type AddressPlan, hostAddress, hostCgroup, linkName } from "./addresses";
import { guestArgv, inCgroupsArgv, nspawnArgv, overlayArgv } from "./argv";
import { BOOT_STATE, hasBooted } from "./bootState";
import { HostCgroup } from "./cgroups";
import { writeIdentity } from "./identity";
import type { HostImage } from "./image";
import { bannerSeen, type Machine } from "./machine";
import { hasNetwork, labsOnMachine } from "./network";
import type { HostPaths, LabPaths } from "./paths";
import { must, run, type RunOptions, type RunResult } from "./run";
import type { HostState } from "./state";
import { until } from "./wait";

const BOOT_DEADLINE_MS = 180_000;
/** systemd's "power off now" signal. */
const SIGRTMIN_4 = 38;

/** One host: a disk of overlay layers, a control group, a systemd-nspawn container on the lab's bridge. */
export class Container implements Machine {
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

  /** Starts booting; ready() tells when it is done. */
  async start(image: HostImage, state: HostState): Promise<void> {
    await this.mount(image, state);
    writeIdentity(this.files.root, this.paths, this.plan, this.name);
    await this.linkGone();
    const argv = nspawnArgv(this.plan, this.name, this.files.root, image.repository);
    const [program, ...args] = inCgroupsArgv(this.cgroup.create(), argv) as [string, ...string[]];
    const log = openSync(this.files.console, "w");
    const env = { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" };
    spawn(program, args, { detached: true, stdio: ["ignore", log, log], env }).unref();
    closeSync(log);
    await until(`${this.name} started`, 10_000, () => this.isRunning() || `no process; console: ${this.consoleTail()}`);
  }

  /**
   * Returns once systemd has finished booting and sshd answers at the host's address. A PostgreSQL that waits for its
   * peers keeps a boot from being finished, for minutes maybe; that is not waited for.
   * @param reachable false for a host whose link is cut: then the port is not looked at
   */
  async ready(reachable: boolean): Promise<void> {
    await until(`${this.name} (${this.address}) booted`, BOOT_DEADLINE_MS, () => this.looksReady(reachable), 100);
  }

  private async looksReady(reachable: boolean): Promise<true | string> {
    const init = this.init();
    if (init === undefined) return this.isRunning() ? "no init yet" : `it ended; console: ${this.consoleTail()}`;
    const { stdout, stderr } = await this.guest(BOOT_STATE, "root", {});
    if (!hasBooted(stdout)) return `systemd says ${stdout.trim() || stderr.trim()}`;
    return reachable ? bannerSeen(this.address) : true;
  }

  /** Process id of the host's init on this machine. */
  init(): number | undefined {
    return this.cgroup.processes().find((pid) => {
      try {
        return /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      } catch {
        return false;
      }
    });
  }

  /** @throws Error when the host is off, or the command outlives its deadline */
  async guest(command: string | readonly string[], user: string, options: RunOptions): Promise<RunResult> {
    const what = `on ${this.name}: ${typeof command === "string" ? command : command.join(" ")}`;
    return run(this.guestCommand(command, user), { ...options, what, ownGroup: true });
  }

  /** What this machine has to run for a command inside the host. @throws Error when the host is off */
  guestCommand(command: string | readonly string[], user: string): string[] {
    const init = this.init();
    if (init === undefined) throw new Error(`${this.name} is off: npm run lab -- poweron ${this.name}`);
    return inCgroupsArgv([this.cgroup.guestProcs()], guestArgv(init, command, user));
  }

  /** Pulls the plug: no process of the host gets another instruction. */
  async kill(): Promise<void> {
    await this.cgroup.kill();
    await this.settle();
  }

  /** Shuts down as `poweroff` on the host does; pulls the plug on what is left after deadlineMs. */
  async stop(deadlineMs: number): Promise<void> {
    const init = this.init();
    if (init !== undefined) {
      process.kill(init, SIGRTMIN_4);
      await this.cgroup.waitEmpty(deadlineMs).catch(() => undefined);
    }
    await this.kill();
  }

  private async settle(): Promise<void> {
    await this.cgroup.remove();
    await this.unmount();
    await this.linkGone();
  }

  /** The kernel takes a dead host's link away in its own time, seconds when it is busy; a boot before that fails with "File exists". */
  private async linkGone(): Promise<void> {
    // While this lab was down another one may have taken its number, and with it the names of its links.
    if (!hasNetwork(labsOnMachine(), this.paths.dir, this.plan.subnet)) return;
    const link = linkName(this.plan, this.name);
    await run(["ip", "link", "delete", link]);
    await until(`${link} gone`, 10_000, () => !existsSync(`/sys/class/net/${link}`) || "the interface is there", 10);
  }

  private async mount(image: HostImage, state: HostState): Promise<void> {
    for (const dir of [this.files.upper, this.files.work, this.files.root]) mkdirSync(dir, { recursive: true });
    if (isMounted(this.files.root)) return;
    await must(overlayArgv(this.files, [...state.layers.map((id) => this.paths.layer(id)), ...image.lower]));
  }

  private async unmount(): Promise<void> {
    if (!isMounted(this.files.root)) return;
    await until(`${this.files.root} unmounted`, 20_000, async () => {
      const { code, stderr } = await run(["umount", this.files.root]);
      return code === 0 || stderr.trim();
    });
  }

  /** Forgets the disk. The host must be off. */
  erase(): void {
    if (isMounted(this.files.root)) throw new Error(`${this.name} is still mounted at ${this.files.root}`);
    rmSync(this.files.dir, { recursive: true, force: true });
  }

  private consoleTail(): string {
    return existsSync(this.files.console) ? readFileSync(this.files.console, "utf8").slice(-500) : "nothing";
  }
}

function isMounted(dir: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === dir);
}
