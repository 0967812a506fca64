import { mkdirSync } from "node:fs";
import { type AddressPlan, addressPlan, hostNumber } from "./addresses";
import { Container } from "./container";
import { CONTROL, type Direction, type Faults, NO_FAULTS } from "./faults";
import { Guest } from "./guest";
import { builtImage, type HostImage, imageAt, usualImage } from "./image";
import { todaysImage } from "./images";
import { ensureKeys } from "./keys";
import { applyFaults, chooseSubnet, labsOnMachine, machineNetworks, networkUp, raiseInotify } from "./network";
import type { Machine } from "./machine";
import type { LabPaths } from "./paths";
import type { Progress } from "./progress";
import { labDirectory, labHome } from "./project";
import { collectLayers, imagesOf, readSnapshot, snapshotNames } from "./snapshots";
import { type LabState, readState, writeState } from "./state";

/** The hosts of one lab as the lab's state knows them. Takes no lock: the caller holds it. */
export class Fleet {
  constructor(
    private readonly dir: string,
    private readonly paths: LabPaths,
  ) {}

  state(): LabState {
    return readState(this.dir);
  }

  write(state: LabState): void {
    writeState(this.dir, state);
  }

  plan(): AddressPlan {
    return addressPlan(this.state().subnet ?? 0);
  }

  /** The image of the hosts that name no other, or of one host. */
  image(name?: string): HostImage {
    const { base, hosts } = this.state();
    const hash = (name === undefined ? undefined : hosts[name]?.base) ?? base;
    return Object.keys(hosts).length > 0 && hash !== undefined ? builtImage(hash) : todaysImage(usualImage());
  }

  /** A host, whether it is there or not. */
  container(name: string): Machine {
    const { base, hosts } = this.state();
    const { name: image } = imageAt(hosts[name]?.base ?? base ?? "");
    return new (image === "selinux" ? Guest : Container)(name, this.plan(), this.paths);
  }

  existing(name: string): Machine {
    hostNumber(name);
    const known = Object.keys(this.state().hosts);
    if (!known.includes(name)) {
      throw new Error(`the lab has no host ${name}, it has ${known.join(", ") || "none"}: npm run lab -- up N`);
    }
    return this.container(name);
  }

  /** Network, keys and an entry in the state for these hosts; the image is for those that have none yet. */
  async prepare(image: HostImage, names: readonly string[], progress: Progress): Promise<void> {
    mkdirSync(this.dir, { recursive: true });
    await machineNetworks.hold("choose a network", () => this.takeNetwork(image, names, progress));
    await applyFaults(this.plan(), this.state().faults);
    const hosts = Object.keys(this.state().hosts);
    raiseInotify(hosts.length);
    await ensureKeys(this.paths, this.plan(), hosts);
  }

  private async takeNetwork(image: HostImage, names: readonly string[], progress: Progress): Promise<void> {
    const state = this.state();
    const first = this.dir === labDirectory(labHome()) ? 0 : 1;
    const alive = Object.keys(state.hosts).some((name) => this.container(name).isRunning());
    const labs = labsOnMachine();
    const subnet = alive ? state.subnet : chooseSubnet(labs, this.dir, state.subnet, first);
    if (state.subnet !== undefined && subnet !== undefined && subnet !== state.subnet) {
      progress(movedSubnet(state.subnet, subnet, labs.get(state.subnet) ?? "another lab"));
    }
    const base = Object.keys(state.hosts).length > 0 ? state.base : image.hash;
    const own = base === image.hash ? {} : { base: image.hash };
    const fresh = Object.fromEntries(names.map((name) => [name, { layers: [], ...own }]));
    this.write({ ...state, subnet, base, hosts: { ...fresh, ...state.hosts } });
    await networkUp(this.plan(), this.dir);
  }

  async boot(names: readonly string[], progress: Progress): Promise<void> {
    const { hosts, faults } = this.state();
    const boots = names.map(async (name) => {
      const host = this.container(name);
      const begin = Date.now();
      const wasOff = !host.isRunning();
      if (wasOff) await host.start(this.image(name), hosts[name] ?? { layers: [] });
      await host.ready(!faults.cut.includes(name) && !faults.oneWay.some((way) => toControl(way, name)));
      if (wasOff) progress(`${name} (${host.address}) is up: ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    });
    await Promise.all(boots);
  }

  /** Every disk as in the snapshot, every host off. */
  async reset(name: string): Promise<void> {
    const snapshot = readSnapshot(this.paths, name);
    if (!snapshot) throw new Error(`no snapshot ${name}, there are ${snapshotNames(this.paths).join(", ") || "none"}`);
    const state = this.state();
    await this.erase(Object.keys(state.hosts));
    imagesOf(snapshot).forEach(builtImage);
    this.write({ ...state, base: snapshot.base, hosts: snapshot.hosts, faults: NO_FAULTS });
    collectLayers(this.paths, this.state());
  }

  async erase(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (host) => {
        await this.container(host).kill();
        this.container(host).erase();
      }),
    );
  }

  async changeFaults(change: (faults: Faults) => Faults): Promise<void> {
    const state = this.state();
    const faults = change(state.faults);
    await applyFaults(this.plan(), faults);
    this.write({ ...state, faults });
  }
}

/** Inventories name addresses, so a change of them is said. */
function movedSubnet(had: number, has: number, by: string): string {
  return (
    `198.18.${had}.0/24, the network this lab had, is in use by ${by}: the hosts now have addresses in 198.18.${has}.0/24. ` +
    `To have the old ones back, take both labs down ("npm run lab -- down") and this one up first.`
  );
}

const toControl = (way: Direction, name: string): boolean =>
  (way.from === name && way.to === CONTROL) || (way.from === CONTROL && way.to === name);
