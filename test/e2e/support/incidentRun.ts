import type { Lab } from "../../../lab";
import { Writer } from "../../../lab/writer";
import { type IncidentRow, record } from "./incidentTable";
import { awaitHealthy, awaitPrimary, awaitWrites, roles, rowArrives, sh, sql } from "./oracle";
import { HOSTS, type World } from "./world";
import { WriteProbe } from "./writeProbe";

/** Rows acknowledged so shortly before a primary dies may not have reached a standby: what asynchronous replication risks. */
const RISKED_MS = 1_000;

/** One incident under way: who was primary when it began, and the client that writes. */
export class Scene {
  /** When the fault began; milliseconds since 1970. */
  faultAt = 0;
  /** In a planned change no acknowledged row may be lost, whatever happens to it. */
  isSafe = false;

  constructor(
    readonly world: World,
    readonly writer: Writer,
    readonly primary: string,
    readonly standbys: readonly [string, string],
  ) {}

  get lab(): Lab {
    return this.world.lab;
  }

  /** As root on a host. */
  on(host: string, command: string): Promise<string> {
    return sh(this.lab, host, command);
  }

  /** The moment from which what is acknowledged is at risk. */
  begins(): void {
    this.faultAt = Date.now();
  }

  losesNothing(): void {
    this.isSafe = true;
  }

  /** Another node is primary and the application writes again. @returns its host */
  async failover(): Promise<string> {
    const heir = await awaitPrimary(this.lab, this.standbys);
    await this.writes();
    return heir;
  }

  /** The application gets rows acknowledged now. */
  writes(): Promise<void> {
    return awaitWrites(this.writer);
  }

  /** For so many seconds nobody else becomes primary. */
  async staysPrimary(count: number): Promise<void> {
    const end = Date.now() + count * 1_000;
    while (Date.now() < end) {
      const seen = await roles(this.lab, this.standbys);
      expect(Object.values(seen)).not.toContain("primary");
    }
  }
}

export type Happens = (scene: Scene) => Promise<void>;

/** Lets an incident happen to whoever is primary, then types `pulumi up` once, and judges by SQL what came of it. @returns what it cost */
export async function runIncident(world: World, name: string, happens: Happens): Promise<IncidentRow> {
  const { lab } = world;
  const primary = await awaitPrimary(lab, HOSTS);
  const [first = "", second = ""] = HOSTS.filter((host) => host !== primary);
  await sql(lab, primary, "drop table if exists tick; drop table if exists asked", { database: "app" });
  await sql(lab, primary, "set role app; create table asked (at timestamptz default clock_timestamp())", {
    database: "app",
  });
  const passFile = world.passFile();
  const probes = new Map(
    HOSTS.map((host) => {
      const url = `postgresql://app@${lab.host(host).address}:5432/app?application_name=probe`;
      return [host, new WriteProbe(url, passFile)] as const;
    }),
  );
  const scene = new Scene(world, new Writer(await world.connection(), passFile), primary, [first, second]);
  probes.forEach((probe) => probe.start());
  scene.writer.start();
  try {
    await scene.writes();
    scene.begins();
    await happens(scene);
    return await judge(scene, name, probes);
  } finally {
    scene.writer.stop();
    probes.forEach((probe) => probe.stop());
  }
}

async function judge(scene: Scene, name: string, probes: ReadonlyMap<string, WriteProbe>): Promise<IncidentRow> {
  const { world, lab, writer } = scene;
  const upAt = Date.now();
  const up = await world.up(["--skip-preview"]);
  const upSeconds = (Date.now() - upAt) / 1_000;
  const broken =
    up.code === 0 ? await whyNotWhole(lab) : `pulumi up: exit status ${up.code}: ${up.output.slice(-3_000)}`;
  const { code, output } = await world.preview(["--expect-no-changes"]);
  if (broken === undefined) await scene.writes();
  writer.stop();
  const survivor = await awaitPrimary(lab, HOSTS);
  const kept = new Set((await sql(lab, survivor, "select id from tick", { database: "app" })).split("\n").map(Number));
  const lost = writer.acknowledged.filter(({ id }) => !kept.has(id));
  const row: IncidentRow = {
    incident: name,
    gapSeconds: writer.longestGapMs(scene.faultAt) / 1_000,
    acknowledged: writer.acknowledged.length,
    lost: lost.length,
    writable: writableAtOnce(probes),
    restored: broken === undefined,
    upSeconds,
    clean: code === 0,
  };
  record(row);
  process.stdout.write(`${JSON.stringify(row)}\n`);
  expect(broken).toBeUndefined();
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(row.writable).toBe(1);
  const isSynchronous = (await sql(lab, survivor, "show synchronous_standby_names")) !== "";
  if (scene.isSafe || isSynchronous) expect(lost).toEqual([]);
  for (const { at } of lost) expect(scene.faultAt - at).toBeLessThan(RISKED_MS);
  return row;
}

/** What SQL on the nodes says; undefined when three nodes are whole and a row arrives on each. */
async function whyNotWhole(lab: Lab): Promise<string | undefined> {
  try {
    await awaitHealthy(lab, HOSTS);
    const seen = await roles(lab, HOSTS);
    const [primary, ...more] = HOSTS.filter((host) => seen[host] === "primary");
    if (primary === undefined || more.length > 0) return JSON.stringify(seen);
    await rowArrives(
      lab,
      primary,
      HOSTS.filter((host) => host !== primary),
      { database: "app" },
    );
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** 2 when a node acknowledged a row after another one had begun to, and 1 otherwise: who gave up writing must not come back to it. */
export function writableAtOnce(probes: ReadonlyMap<string, { readonly accepted: readonly number[] }>): number {
  const all = [...probes].flatMap(([host, { accepted }]) => accepted.map((at) => ({ host, at })));
  const order = all.sort((a, b) => a.at - b.at).map(({ host }) => host);
  const turns = order.filter((host, index) => host !== order[index - 1]);
  return turns.length === new Set(turns).size ? Math.min(1, turns.length) : 2;
}
