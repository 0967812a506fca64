import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BaseInputs, type Kind } from "../../providers/kind";
import { Lifecycle, type Properties } from "../../providers/lifecycle";
import { noteKind } from "../support/noteKind";
import { SshServer } from "../support/sshServer";
import { ScratchWorld } from "../support/world";

export type AnyKind = Kind<BaseInputs, unknown, object>;
export const kind = noteKind as unknown as AnyKind;

export let server: SshServer;
export let world: ScratchWorld;
export let lifecycle: Lifecycle;
export let directory: string;

beforeAll(async () => {
  server = await SshServer.start();
  directory = join(server.scratch, "notes");
});
beforeEach(() => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  world = new ScratchWorld(server);
  lifecycle = new Lifecycle(world);
  world.takeLog();
});
afterEach(() => world.close());
afterAll(() => server.close());

export function note(over: Properties = {}): Properties {
  const own = { host: "n1", name: "a", directory, text: "first\n", mode: "0640", seal: "closed" };
  return { kind: "Note", reach: {}, pending: [], ...own, __provider: "the shim", ...over };
}

export const onHost = (): Record<string, string> =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]));

export async function created(over: Properties = {}): Promise<Properties> {
  const { outs } = await lifecycle.create(kind, note(over));
  world.takeLog();
  return outs;
}
