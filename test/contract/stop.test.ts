import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type Action, type Run, waitFor } from "../../actions/action";
import { Executor } from "../../actions/executor";
import { ActionLog } from "../../actions/log";
import { Stopped } from "../../actions/stop";
import { fileProbe } from "../../facts/file";
import { until } from "../../lab/wait";
import { EngineGone, watchEngine } from "../../providers/engine";
import { failureOf, SshServer } from "../support/sshServer";
import { ScratchWorld } from "../support/world";

let server: SshServer;
let world: ScratchWorld;
let directory: string;
let stopping: AbortController;

beforeAll(async () => {
  server = await SshServer.start();
  world = new ScratchWorld(server);
  directory = join(server.scratch, "work");
});
beforeEach(() => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  world.takeLog();
  stopping = new AbortController();
});
afterAll(async () => {
  await world.close();
  await server.close();
});

const stop = (): void => stopping.abort(new Stopped("you pressed Ctrl-C"));
const has = (name: string): boolean => existsSync(join(directory, name));

function apply(...actions: Action[]): Promise<void> {
  const log = new ActionLog(join(server.scratch, "actions.jsonl"));
  const options = { stop: stopping.signal, graceMs: 1_000 };
  return new Executor(world, world.facts, log, (name) => server.host({ name }), options).apply("Test t", actions);
}

const run = (script: string): Run => ({
  do: "run",
  host: "n1",
  why: `run ${script}`,
  script: `cd ${directory}; ${script}`,
});

describe("a stop", () => {
  test("lets the action that has begun come to its end, and begins no other", async () => {
    const applied = failureOf(apply(run("touch begun; sleep 0.3; touch ended"), run("touch second")));
    await until("the first has begun", 5_000, () => has("begun") || "not yet", 5);
    stop();
    expect((await applied).message).toBe(
      'n1: stopped: you pressed Ctrl-C\n  before: run touch second\n  Type "pulumi up" to go on.',
    );
    expect(readdirSync(directory)).toEqual(["begun", "ended"]);
    expect(world.takeLog()).toHaveLength(1);
  });

  test("gives up an action that takes longer than the time of grace, and says that it may go on there", async () => {
    const applied = failureOf(apply(run("touch begun; until [ -e enough ]; do sleep 0.05; done")));
    await until("it has begun", 5_000, () => has("begun") || "not yet", 5);
    stop();
    const { message } = await applied;
    expect(message).toMatch(/^n1: stopped: you pressed Ctrl-C\n {2}while: run touch begun/);
    expect(message).toMatch(/It may go on on the host\. Type "pulumi up" to go on: it looks at the host first\.$/);
    await world.run(server.host(), { what: "let it end", script: `touch ${directory}/enough`, deadlineMs: 5_000 });
  });

  test("ends a wait", async () => {
    const common = { host: "n1", why: "it gets ready", deadlineMs: 60_000 };
    let looks = 0;
    const wait = waitFor(common, fileProbe(join(directory, "ready")), () => `look ${++looks}`);
    const applied = failureOf(apply(wait));
    await until("it waits", 5_000, () => looks > 0 || "no look yet", 5);
    stop();
    expect((await applied).message).toMatch(/^n1: stopped: you pressed Ctrl-C\n {2}before: it gets ready/);
  });

  test("does not keep a bracket from being closed: repmgrd is not left paused", async () => {
    const body = [run("touch begun; sleep 0.2"), run("touch second")];
    const common = { do: "bracket", host: "n1", why: "between", body } as const;
    const applied = failureOf(apply({ ...common, before: [run("touch paused")], after: [run("rm paused")] }));
    await until("the body has begun", 5_000, () => has("begun") || "not yet", 5);
    stop();
    expect((await applied).message).toMatch(/before: run touch second/);
    expect(readdirSync(directory)).toEqual(["begun"]);
  });
});

describe("the engine is watched", () => {
  const address = (port: number): string => `127.0.0.1:${port}`;
  const portOf = (listening: { address(): unknown }): number => (listening.address() as AddressInfo).port;
  const aborted = (signal: AbortSignal): Promise<void> =>
    until("the signal is aborted", 5_000, () => signal.aborted || "not aborted", 5);

  test("when its process ends that is noticed; a connection that it merely closes is no sign of it", async () => {
    const sockets: Socket[] = [];
    const engine = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
    const signal = watchEngine(address(portOf(engine)));
    await until("it is connected", 5_000, () => sockets.length === 1 || "not yet", 5);
    sockets[0]?.destroy();
    await until("it connects again", 5_000, () => sockets.length === 2 || "not yet", 5);
    expect(signal.aborted).toBe(false);
    engine.close();
    sockets[1]?.destroy();
    await aborted(signal);
    expect(signal.reason).toBeInstanceOf(EngineGone);
  });

  test("its Cancel is noticed, and no other call is taken for it", async () => {
    const provider = createHttp2((_request, response) => response.end());
    await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
    const sockets: Socket[] = [];
    const engine = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
    const signal = watchEngine(address(portOf(engine)));
    const client = connectHttp2(`http://${address(portOf(provider))}`);
    const call = (method: string): Promise<void> =>
      new Promise((resolve) => {
        const request = client.request({ ":path": `/pulumirpc.ResourceProvider/${method}`, ":method": "POST" });
        request
          .on("close", () => resolve())
          .resume()
          .end();
      });
    await call("Create");
    expect(signal.aborted).toBe(false);
    await call("Cancel");
    await aborted(signal);
    expect((signal.reason as Error).message).toBe("pulumi was told to cancel (Ctrl-C)");
    client.close();
    provider.close();
    engine.close();
    for (const socket of sockets) socket.destroy();
  });

  test("without an engine, as in tests, nothing is ever stopped", () => {
    for (const none of [undefined, "", "--selectProjects"]) expect(watchEngine(none).aborted).toBe(false);
  });
});
