import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { addressPlan, hostAddress, hostName, hostNumber, linkName, MAX_HOSTS } from "./addresses";
import { sshArgv } from "./argv";
import { type AptRepository, aptRepository, type Release } from "./base";
import { CONTROL, type Direction, type Faults, NO_FAULTS } from "./faults";
import { withCut, withDirections, withoutCut, withoutDirections } from "./faults";
import { Fleet } from "./fleet";
import { type ImageName, IMAGES, usualImage } from "./image";
import { ensureImage, todaysImage } from "./images";
import { linkInto } from "./links";
import { LabLock } from "./lock";
import { networkDown } from "./network";
import { ensureLabPackages } from "./packages";
import { LabPaths } from "./paths";
import { labProblem } from "./problem";
import { type Progress, timed } from "./progress";
import { labDirectory, labHome, projectRoot } from "./project";
import { DNF_REPOSITORY } from "./redhat";
import { must, type RunResult } from "./run";
import { collectLayers, freezeDisks, imagesOf, readSnapshot, snapshotNames, writeSnapshot } from "./snapshots";

/** A clean shutdown of a host that serves a database; what is left then loses its plug. */
const STOP_DEADLINE_MS = 30_000;

export interface LabHost {
  readonly name: string;
  readonly address: string;
}

/** An armoured public key, a file on this machine. */
export interface LabKey {
  readonly key_file: string;
}

export interface HostStatus extends LabHost {
  readonly running: boolean;
  readonly cut: boolean;
}

export interface UpOptions {
  /** Boot from this snapshot instead of from what the hosts have on disk. */
  readonly from?: string;
  /** Of hosts that are made now; default: REPMGR_PULUMI_IMAGE, else debian13. Hosts that are there keep theirs. */
  readonly image?: ImageName;
  readonly progress?: Progress;
}

export interface ExecOptions {
  readonly stdin?: string;
  /** Default 60 s. */
  readonly deadlineMs?: number;
  /** Default root. */
  readonly user?: string;
}

const silent: Progress = () => undefined;

/**
 * Real hosts on this machine. Every method that changes something holds the lab's lock; all need root.
 * Hosts keep their names, addresses and SSH keys for the life of the directory, their disks until down.
 */
export class Lab {
  private readonly paths: LabPaths;
  private readonly lock: LabLock;
  private readonly fleet: Fleet;

  private constructor(readonly dir: string) {
    this.paths = new LabPaths(dir);
    this.lock = new LabLock(dir);
    this.fleet = new Fleet(dir, this.paths);
  }

  /** The lab kept in dir (default: REPMGR_PULUMI_LAB, else .lab of this checkout). Changes nothing. */
  static open(dir?: string): Lab {
    return new Lab(labDirectory(dir));
  }

  /** Private key of the logins `admin` (sudo without a password) and `ops` (sudo asks for opsPassword). */
  get keyFile(): string {
    return this.paths.loginKey;
  }

  /** known_hosts with every host's key, by name and by address. */
  get knownHosts(): string {
    return this.paths.knownHosts;
  }

  /** The sudo password of the login `ops`. */
  get opsPassword(): string {
    return readFileSync(this.fleet.image().opsPasswordFile, "utf8");
  }

  /** The only source of packages of hosts of a release, as an inventory names it; its key is there once such a host was up. */
  aptRepository(release: Release = "debian13"): AptRepository & LabKey {
    return { ...aptRepository(release), key_file: this.paths.repositoryKey(release) };
  }

  /** The source of the PostgreSQL project's packages for hosts of the image redhat. */
  dnfRepository(): typeof DNF_REPOSITORY & LabKey {
    return { ...DNF_REPOSITORY, key_file: this.paths.repositoryKey("redhat") };
  }

  /** @throws RangeError for a name that no lab has; a host need not exist to have an address */
  host(name: string): LabHost {
    return { name, address: hostAddress(this.fleet.plan(), name) };
  }

  status(): HostStatus[] {
    const { hosts, faults } = this.fleet.state();
    return Object.keys(hosts)
      .sort((a, b) => hostNumber(a) - hostNumber(b))
      .map((name) => {
        const container = this.fleet.container(name);
        return { name, address: container.address, running: container.isRunning(), cut: faults.cut.includes(name) };
      });
  }

  /** Reserves the lab for this process and its children; others are refused until release or exit. */
  claim(purpose: string): void {
    this.lock.claim(purpose);
  }

  release(): void {
    this.lock.release();
  }

  /**
   * Boots pg1 .. pgN where they do not run yet; builds their image before the first. Hosts above N are left alone.
   * @throws Error with labProblem() when this machine cannot have hosts
   */
  async up(hosts: number, options: UpOptions = {}): Promise<void> {
    if (!(hosts >= 1 && hosts <= MAX_HOSTS)) throw new RangeError(`a lab has 1 to ${MAX_HOSTS} hosts, not ${hosts}`);
    const problem = labProblem();
    if (problem) throw new Error(problem);
    const progress = options.progress ?? silent;
    await ensureLabPackages(progress);
    const image = await ensureImage(options.image ?? usualImage(), progress);
    await this.lock.hold(`up ${hosts}`, async () => {
      mkdirSync(this.dir, { recursive: true });
      copyFileSync(image.repositoryKey, this.paths.repositoryKey(image.name));
      if (options.from !== undefined) await this.fleet.reset(options.from);
      const names = Array.from({ length: hosts }, (_, index) => hostName(index + 1));
      await this.fleet.prepare(image, names, progress);
      await this.fleet.boot(names, progress);
      // The others are somebody's who knows where they are.
      if (this.dir === labDirectory(labHome())) linkInto(projectRoot(), this.paths);
    });
  }

  /** Pulls the plug of a host. What its kernel had not written yet survives all the same: the page cache is ours. */
  poweroff(name: string): Promise<void> {
    return this.lock.hold(`poweroff ${name}`, () => this.fleet.existing(name).kill());
  }

  /** Returns when the host has booted and its sshd answers. */
  poweron(name: string, progress: Progress = silent): Promise<void> {
    return this.lock.hold(`poweron ${name}`, async () => {
      this.fleet.existing(name);
      await this.fleet.prepare(this.fleet.image(), [name], progress);
      await this.fleet.boot([name], progress);
    });
  }

  /** Drops every packet to and from a host, the control machine's too, until heal. Survives power cycles. */
  cut(name: string): Promise<void> {
    hostNumber(name);
    return this.changeFaults(`cut ${name}`, (faults) => withCut(faults, name));
  }

  /** Undoes cut, not cutBetween. */
  heal(name: string): Promise<void> {
    hostNumber(name);
    return this.changeFaults(`heal ${name}`, (faults) => withoutCut(faults, name));
  }

  /** Drops packets between two ends, hosts or CONTROL: both ways, or only those from a to b. */
  cutBetween(a: string, b: string, options: { oneWay?: boolean } = {}): Promise<void> {
    const directions = between(a, b, options.oneWay ?? false);
    return this.changeFaults(`cut ${a} from ${b}`, (faults) => withDirections(faults, directions));
  }

  /** Undoes cutBetween of these two, whichever way it went. */
  healBetween(a: string, b: string): Promise<void> {
    const directions = between(a, b, false);
    return this.changeFaults(`heal ${a} and ${b}`, (faults) => withoutDirections(faults, directions));
  }

  /** Lets no more than so many kilobits a second to and from a host, until fast() or its power off. */
  async slow(name: string, kbit: number): Promise<void> {
    this.fleet.existing(name);
    const link = linkName(this.fleet.plan(), name);
    const shape = ["root", "tbf", "rate", `${kbit}kbit`, "burst", "16kb", "latency", "400ms"];
    await must(["tc", "qdisc", "replace", "dev", link, ...shape]);
    await this.inside(name, ["tc", "qdisc", "replace", "dev", "host0", ...shape]);
  }

  /** Undoes slow. */
  async fast(name: string): Promise<void> {
    this.fleet.existing(name);
    await must(["tc", "qdisc", "delete", "dev", linkName(this.fleet.plan(), name), "root"]);
    await this.inside(name, ["tc", "qdisc", "delete", "dev", "host0", "root"]);
  }

  private async inside(name: string, command: readonly string[]): Promise<void> {
    const { code, stderr } = await this.exec(name, command);
    if (code !== 0) throw new Error(`${name}: ${command.join(" ")}: ${stderr.trim()}`);
  }

  /**
   * Runs a command inside a host, past its network and sshd. A string is POSIX shell, an array exact arguments.
   * @throws Error when the host is off or the command does not end in time; a failing command is no error
   */
  async exec(name: string, command: string | readonly string[], options: ExecOptions = {}): Promise<RunResult> {
    return this.fleet.existing(name).guest(command, options.user ?? "root", options);
  }

  /** The command line on this machine that runs a command inside a host as root, for a caller that streams. */
  execArgv(name: string, command: string | readonly string[]): string[] {
    return this.fleet.existing(name).guestCommand(command, "root");
  }

  /** The command line of the system's ssh client for a login on a host. */
  ssh(name: string, login = "admin"): string[] {
    return sshArgv(this.keyFile, this.knownHosts, login, this.host(name).address);
  }

  /** Shuts all hosts down cleanly, keeps their disks under this name, and boots those that ran. */
  save(name: string, progress: Progress = silent): Promise<void> {
    return this.lock.hold(`save ${name}`, async () => {
      readSnapshot(this.paths, name);
      const state = this.fleet.state();
      const all = Object.keys(state.hosts);
      if (all.length === 0) throw new Error("no hosts to save: npm run lab -- up 3");
      const guests = all.filter((host) => this.fleet.image(host).disk !== undefined);
      if (guests.length > 0) throw new Error(`${guests.join(", ")}: the disk of a guest cannot be saved`);
      const running = all.filter((host) => this.fleet.container(host).isRunning());
      await timed(progress, "shut down", () =>
        Promise.all(all.map((host) => this.fleet.container(host).stop(STOP_DEADLINE_MS))),
      );
      const hosts = freezeDisks(this.paths, state, name);
      this.fleet.write({ ...state, hosts });
      writeSnapshot(this.paths, name, { base: this.fleet.image().hash, hosts });
      collectLayers(this.paths, this.fleet.state());
      await this.fleet.boot(running, progress);
    });
  }

  /** Makes the lab what it was when the snapshot was taken, without any fault, and boots all its hosts. */
  restore(name: string, progress: Progress = silent): Promise<void> {
    return this.lock.hold(`restore ${name}`, async () => {
      await this.fleet.reset(name);
      const names = Object.keys(this.fleet.state().hosts);
      await this.fleet.prepare(this.fleet.image(), names, progress);
      await this.fleet.boot(names, progress);
    });
  }

  /** Whether restore(name) can work: a snapshot taken over an older image does not count. */
  hasSnapshot(name: string): boolean {
    const snapshot = readSnapshot(this.paths, name);
    if (snapshot === undefined) return false;
    const todays = IMAGES.map((image) => todaysImage(image).hash);
    return [...imagesOf(snapshot)].every((hash) => todays.includes(hash));
  }

  snapshots(): string[] {
    return snapshotNames(this.paths);
  }

  /** Ends all hosts, erases their disks, removes every process, mount, interface and route. Keeps image and snapshots. */
  down(progress: Progress = silent): Promise<void> {
    return this.lock.hold("down", async () => {
      const state = this.fleet.state();
      if (state.subnet === undefined) return;
      const names = Object.keys(state.hosts);
      await timed(progress, `end ${names.length} hosts`, () => this.fleet.erase(names));
      await networkDown(addressPlan(state.subnet), this.dir);
      this.fleet.write({ ...state, hosts: {}, faults: NO_FAULTS });
      collectLayers(this.paths, this.fleet.state());
    });
  }

  private changeFaults(purpose: string, change: (faults: Faults) => Faults): Promise<void> {
    return this.lock.hold(purpose, () => this.fleet.changeFaults(change));
  }
}

function between(a: string, b: string, oneWay: boolean): Direction[] {
  for (const end of [a, b]) if (end !== CONTROL) hostNumber(end);
  if (a === b) throw new RangeError(`${a} cannot be cut from itself`);
  return oneWay
    ? [{ from: a, to: b }]
    : [
        { from: a, to: b },
        { from: b, to: a },
      ];
}
