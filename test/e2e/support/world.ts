import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type ImageName, Lab, usualImage } from "../../../lab";
import { hostNumber } from "../../../lab/addresses";
import type { Finished } from "../../../scripts/childProcess";
import { projectRoot } from "../../../scripts/projectRoot";
import { ensurePulumi, type PulumiCli } from "../../../scripts/pulumiCli";
import { LocalStack } from "../../../scripts/stack";
import { pgpassField } from "../../../ssh/quote";
import { awaitHealthy } from "./oracle";
import { HOSTS, type InventoryFile, LAB_SIZE, OUTSIDER, threeNodes, yaml } from "./inventory";
import { ProcessSampler } from "./processSampler";
import { SECRETS } from "./secrets";

const STACK = "e2e";

/** Real hosts and a stack on them: what a person has who types pulumi. */
export class World {
  inventory: InventoryFile;

  private constructor(
    readonly lab: Lab,
    readonly cli: PulumiCli,
    private opened: LocalStack | undefined,
    image: ImageName = usualImage(),
  ) {
    this.inventory = threeNodes(lab, image);
  }

  get stack(): LocalStack {
    if (this.opened === undefined) throw new Error("the stack is not open yet");
    return this.opened;
  }

  /** Backend, configuration, inventory, action log and everything pulumi said. */
  get state(): string {
    return stateDirectory(this.lab);
  }

  get pulumiLog(): string {
    return join(this.state, "pulumi.log");
  }

  /** Every command line seen on this machine and on the hosts during the first up. */
  get commandLines(): string {
    return join(this.state, "commands.log");
  }

  /** Four hosts that have never seen PostgreSQL, and an empty stack. */
  static async fresh(change: (inventory: InventoryFile) => void = () => undefined, image?: ImageName): Promise<World> {
    const world = await World.bare(change, image);
    await world.open();
    return world;
  }

  /** The hosts and the inventory alone, for what drives the program without pulumi. */
  static async bare(change: (inventory: InventoryFile) => void = () => undefined, image?: ImageName): Promise<World> {
    const lab = Lab.open();
    await lab.down();
    await lab.up(LAB_SIZE, { image });
    return World.on(lab, change, image);
  }

  /**
   * Hosts of several images and an empty stack as with fresh; the inventory is that for hosts of the last of them.
   * @param images up to which host, and of which image; the image selinux is a guest with a kernel of its own
   */
  static async mixed(
    images: readonly (readonly [upTo: string, image: ImageName])[],
    change: (inventory: InventoryFile, lab: Lab) => void,
  ): Promise<World> {
    const lab = Lab.open();
    await lab.down();
    for (const [upTo, image] of images) await lab.up(hostNumber(upTo), { image });
    const world = await World.on(lab, (inventory) => change(inventory, lab), images.at(-1)?.[1]);
    await world.open();
    return world;
  }

  private static async on(lab: Lab, change: (inventory: InventoryFile) => void, image?: ImageName): Promise<World> {
    // Few rounds, as in lab/base/customize.sh.
    await lab.exec("pg2", "chpasswd -c SHA512 -s 1000", { stdin: `ops:${SECRETS.ops_sudo_password}\n` });
    rmSync(stateDirectory(lab), { recursive: true, force: true });
    const world = new World(lab, await ensurePulumi(() => undefined), undefined, image);
    world.edit(change);
    return world;
  }

  /** The cluster `main` on three hosts, as the first up left it; deployed once, then restored in seconds. */
  static async deployed(): Promise<World> {
    const lab = Lab.open();
    if (existsSync(join(lab.dir, "lab.json"))) {
      const name = snapshotName(lab);
      if (lab.hasSnapshot(name) && existsSync(savedState(lab, name))) {
        await lab.restore(name);
        // Another lab may have taken the network meanwhile; addresses are part of what was deployed.
        if (snapshotName(lab) === name) return World.restored(lab, name);
      }
    }
    const world = await World.fresh();
    must(await world.firstUp());
    await world.save();
    return world;
  }

  private static async restored(lab: Lab, name: string): Promise<World> {
    rmSync(stateDirectory(lab), { recursive: true, force: true });
    cpSync(savedState(lab, name), stateDirectory(lab), { recursive: true, preserveTimestamps: true });
    const world = new World(lab, await ensurePulumi(() => undefined), undefined);
    await world.open();
    await awaitHealthy(lab, HOSTS);
    return world;
  }

  /** Keeps hosts and state for the other suites, and goes on with the same ones. */
  async save(): Promise<void> {
    const name = snapshotName(this.lab);
    if (this.lab.hasSnapshot(name) && existsSync(savedState(this.lab, name))) return;
    forgetOlder(this.lab);
    await this.lab.save(name);
    cpSync(this.state, savedState(this.lab, name), { recursive: true, preserveTimestamps: true });
    await awaitHealthy(this.lab, HOSTS);
  }

  /** Changes the inventory file as an editor would. */
  edit(change: (inventory: InventoryFile) => void): void {
    change(this.inventory);
    mkdirSync(this.state, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.state, "inventory.yml"), yaml(this.inventory));
  }

  /** The inventory file as it is. */
  text(): string {
    return readFileSync(join(this.state, "inventory.yml"), "utf8");
  }

  /** Puts another inventory in its place, as text. */
  write(text: string): void {
    writeFileSync(join(this.state, "inventory.yml"), text);
  }

  /** The first deployment, with every command line that is seen meanwhile kept. */
  async firstUp(): Promise<Finished> {
    const sampler = new ProcessSampler();
    sampler.start();
    try {
      return await this.up();
    } finally {
      sampler.stop();
      writeFileSync(this.commandLines, [...sampler.commandLines].join("\n"));
    }
  }

  up(more: readonly string[] = []): Promise<Finished> {
    return this.pulumi("up", (out) => this.stack.up(out, more));
  }

  preview(more: readonly string[] = []): Promise<Finished> {
    return this.pulumi("preview", (out) => this.stack.preview(out, more));
  }

  destroy(): Promise<Finished> {
    return this.pulumi("destroy", (out) => this.stack.destroy(out));
  }

  /** A connection string for the application, from the stack's own output. */
  async connection(cluster = "main"): Promise<string> {
    const { clusters } = (await this.stack.outputs()) as {
      clusters: Record<string, { connectionStrings: { app: string } }>;
    };
    const found = clusters[cluster];
    if (found === undefined) throw new Error(`no cluster ${cluster} among the stack's outputs`);
    return found.connectionStrings.app;
  }

  /** A password file for the application, outside of what is searched for secrets. */
  passFile(password: string = SECRETS.app_password): string {
    const file = join(this.lab.dir, "e2e", "client.pgpass");
    writeFileSync(file, `*:*:app:app:${pgpassField(password)}\n`, { mode: 0o600 });
    return file;
  }

  private async open(): Promise<void> {
    this.opened = await LocalStack.open({
      cli: this.cli,
      project: projectRoot(),
      state: this.state,
      name: STACK,
      inventory: join(this.state, "inventory.yml"),
      secrets: SECRETS,
    });
  }

  private pulumi(what: string, run: (out: (text: string) => void) => Promise<Finished>): Promise<Finished> {
    appendFileSync(this.pulumiLog, `\n=== ${what} at ${new Date().toISOString()}\n`);
    return run((text) => appendFileSync(this.pulumiLog, text));
  }
}

/** @throws Error with what pulumi said, when it failed */
export function must(done: Finished): Finished {
  if (done.code !== 0) throw new Error(`pulumi: exit status ${done.code}:\n${done.output.slice(-6_000)}`);
  return done;
}

export { HOSTS, OUTSIDER };

/** One place for all suites: paths are part of a stack's configuration. */
function stateDirectory(lab: Lab): string {
  return join(lab.dir, "e2e", "stack");
}

function savedState(lab: Lab, name: string): string {
  return join(lab.dir, "e2e", name);
}

/** Holds a hash of everything that decides what a deployed cluster is, so that a stale one is never used. */
function snapshotName(lab: Lab): string {
  const root = projectRoot();
  const { sourcesHash } = require(join(root, "scripts", "sourcesHash.cjs")) as { sourcesHash(root: string): string };
  const hash = createHash("sha256")
    .update(sourcesHash(root))
    .update(yaml(threeNodes(lab)));
  hash.update(JSON.stringify(SECRETS));
  for (const dir of ["templates", "lab/base", "lab/redhat"]) {
    for (const file of readdirSync(join(root, dir)).sort())
      hash.update(file).update(readFileSync(join(root, dir, file)));
  }
  return `deployed-${hash.digest("hex").slice(0, 16)}`;
}

/** Their layers go with the next save. */
function forgetOlder(lab: Lab): void {
  for (const dir of ["snapshots", "e2e"].map((part) => join(lab.dir, part))) {
    if (!existsSync(dir)) continue;
    for (const file of readdirSync(dir)) {
      if (file.startsWith("deployed-")) rmSync(join(dir, file), { recursive: true, force: true });
    }
  }
}
