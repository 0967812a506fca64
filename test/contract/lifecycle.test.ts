import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BaseInputs, type Kind, Refused } from "../../providers/kind";
import { InitFailed, Lifecycle, type Properties, UNKNOWN } from "../../providers/lifecycle";
import { STAMP } from "../../providers/state";
import { Unreachable } from "../../ssh/errors";
import { noteKind } from "../support/noteKind";
import { failureOf, SshServer } from "../support/sshServer";
import { type Cut, ScratchWorld } from "../support/world";

type AnyKind = Kind<BaseInputs, unknown, object>;
const kind = noteKind as unknown as AnyKind;

let server: SshServer;
let world: ScratchWorld;
let lifecycle: Lifecycle;
let directory: string;

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

function note(over: Properties = {}): Properties {
  const own = { host: "n1", name: "a", directory, text: "first\n", mode: "0640", seal: "closed" };
  return { kind: "Note", reach: {}, pending: [], ...own, __provider: "the shim", ...over };
}

const onHost = (): Record<string, string> =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]));

async function created(over: Properties = {}): Promise<Properties> {
  const { outs } = await lifecycle.create(kind, note(over));
  world.takeLog();
  return outs;
}

describe("what every kind gets from the lifecycle", () => {
  test("create does what the plan says, in order, and gives back inputs and outputs in canonical form", async () => {
    const { id, outs } = await lifecycle.create(kind, note());
    expect(id).toBe("n1/a");
    expect(outs).toEqual({ ...note({ __provider: undefined }), size: 6, ...STAMP });
    expect(Object.keys(outs)).toEqual(Object.keys(outs).sort());
    expect(onHost()).toEqual({ a: "first\n", "a.seal": "sealed 6\n" });
    expect(world.takeLog()).toEqual(
      [
        ["putFile", 'the note is not "first\n"'],
        ["run", "seal the note"],
      ].map(([what, why]) => ({ at: expect.any(String) as string, resource: "Note n1/a", host: "n1", do: what, why })),
    );
  });

  test("create again sends nothing that changes anything: it adopts what is there", async () => {
    const outs = await created();
    expect((await lifecycle.create(kind, note())).outs).toEqual(outs);
    expect((await lifecycle.update(kind, note())).outs).toEqual(outs);
    expect(world.takeLog()).toEqual([]);
  });

  test("a change is made, and only that", async () => {
    await created();
    const { outs } = await lifecycle.update(kind, note({ mode: "0600" }));
    expect(outs).toMatchObject({ mode: "0600", size: 6 });
    expect(world.takeLog().map(({ why }) => why)).toEqual([
      "the seal is broken",
      'the note is not "first\n"',
      "seal the note",
    ]);
  });

  test("read of an untouched resource finds its inputs, and diff says so", async () => {
    const outs = await created();
    const { id, inputs, props } = await lifecycle.read(kind, "n1/a", outs);
    expect({ id, props }).toEqual({ id: "n1/a", props: outs });
    expect(inputs).toEqual(note({ __provider: undefined }));
    expect(lifecycle.diff(kind, props ?? {}, note())).toEqual({ changes: false, replaces: [] });
    expect(world.takeLog()).toEqual([]);
  });

  test("read shows a change by hand as exactly that property, and what up would do about it", async () => {
    const outs = await created();
    chmodSync(join(directory, "a"), 0o644);
    world.facts.forget("n1");
    const { inputs } = await lifecycle.read(kind, "n1/a", outs);
    const pending = ["n1: the seal is broken", 'n1: the note is not "first\n"', "n1: seal the note"];
    expect(inputs).toEqual(note({ __provider: undefined, mode: "0644", pending }));
    expect(lifecycle.diff(kind, inputs ?? {}, note())).toEqual({ replaces: [] });
    await lifecycle.update(kind, note());
    expect((await lifecycle.read(kind, "n1/a", outs)).inputs).toEqual(note({ __provider: undefined }));
  });

  test("delete undoes it, and deleting what is gone sends nothing", async () => {
    const outs = await created();
    await lifecycle.delete(kind, outs);
    expect(onHost()).toEqual({});
    expect(world.takeLog().map(({ why }) => why)).toEqual(["a.seal goes", "a goes"]);
    await lifecycle.delete(kind, outs);
    expect(world.takeLog()).toEqual([]);
  });

  test("a review asks a host once for all that is asked at the same time, a change asks anew", async () => {
    const outs = await created();
    world.facts.forget("n1");
    world.sent.length = 0;
    await Promise.all([1, 2, 3].map(() => lifecycle.read(kind, "n1/a", outs)));
    expect(world.sent).toHaveLength(1);
    await lifecycle.update(kind, note());
    expect(world.sent).toHaveLength(2);
  });
});

test("on a host that is lost nothing is asked: a review keeps what was known, a delete sends nothing", async () => {
  const outs = await created();
  world.lost.add("n1");
  world.sent.length = 0;
  rmSync(join(directory, "a"));
  expect(await lifecycle.read(kind, "n1/a", outs)).toMatchObject({ id: "n1/a", props: outs });
  await lifecycle.delete(kind, outs);
  expect(world.sent).toEqual([]);
});

describe("a blank id, which makes the engine forget a resource", () => {
  test("only on positive evidence that nothing is there", async () => {
    const outs = await created();
    rmSync(join(directory, "a"));
    expect((await lifecycle.read(kind, "n1/a", outs)).id).toBe("n1/a");
    rmSync(join(directory, "a.seal"));
    world.facts.forget("n1");
    expect(await lifecycle.read(kind, "n1/a", outs)).toEqual({ id: "" });
  });

  test.each<[string, () => Promise<SshServer>]>([
    ["refuses the login", () => SshServer.start({ refuseAuth: true })],
    ["drops every connection", () => SshServer.start({ dropConnections: 1_000 })],
    [
      "is gone",
      async () => {
        const gone = await SshServer.start();
        await gone.close();
        return gone;
      },
    ],
  ])("never when the host %s", async (_, start) => {
    const other = await start();
    const elsewhere = new ScratchWorld(other);
    const unreached = new Lifecycle(elsewhere);
    try {
      expect(await failureOf(unreached.read(kind, "n1/a", note()))).toBeInstanceOf(Unreachable);
      expect(await failureOf(unreached.delete(kind, note()))).toBeInstanceOf(Unreachable);
      const failure = await failureOf(unreached.create(kind, note()));
      expect(failure).not.toBeInstanceOf(InitFailed);
      expect(failure.message).toMatch(/^Note n1\/a: n1 \(/);
      expect(elsewhere.takeLog()).toEqual([]);
    } finally {
      await elsewhere.close();
      if (existsSync(other.scratch)) await other.close();
    }
  });

  test("never when the answer makes no sense", async () => {
    mkdirSync(join(directory, "a"));
    expect((await failureOf(lifecycle.read(kind, "n1/a", note()))).message).toMatch(
      /n1: cannot read the answer to "file .*Is a directory/s,
    );
  });
});

describe("a connection that goes down at any action", () => {
  const scenes: [string, () => Promise<unknown>, (lifecycle: Lifecycle) => Promise<unknown>, Record<string, string>][] =
    [
      ["create", async () => undefined, (l) => l.create(kind, note()), { a: "first\n", "a.seal": "sealed 6\n" }],
      [
        "update",
        created,
        (l) => l.update(kind, note({ text: "second!\n" })),
        { a: "second!\n", "a.seal": "sealed 8\n" },
      ],
      ["delete", created, (l) => l.delete(kind, note()), {}],
    ];

  test.each(scenes.flatMap((scene) => (["before", "after"] as Cut[]).map((how) => [how, ...scene] as const)))(
    "cut %s it, in %s: the same again ends where it should",
    async (how, _, prepare, act, expected) => {
      let cuts = 0;
      for (; ; cuts++) {
        rmSync(directory, { recursive: true });
        mkdirSync(directory);
        world.facts.forget("n1");
        await prepare();
        world.cut(cuts, how);
        const failure = await act(lifecycle).then(
          () => undefined,
          (error: unknown) => error as Error,
        );
        if (world.isWhole()) break;
        expect(failure?.message).toMatch(/connection was lost.*outcome is unknown/s);
        world.takeLog();
        await act(lifecycle);
        expect(onHost()).toEqual(expected);
        world.takeLog();
        await act(lifecycle);
        expect(world.takeLog()).toEqual([]);
      }
      expect(cuts).toBeGreaterThanOrEqual(2);
    },
  );

  test("is saved as begun, with everything that the next refresh, update or destroy needs", async () => {
    world.cut(1, "after");
    const failure = await failureOf(lifecycle.create(kind, note()));
    expect(failure).toBeInstanceOf(InitFailed);
    expect(failure).toMatchObject({ id: "n1/a", properties: note(), reasons: [failure.message] });
    const { properties } = failure as unknown as InitFailed;
    expect((await lifecycle.read(kind, "n1/a", properties)).id).toBe("n1/a");
  });
});

describe("a plan that does not get there", () => {
  test("fails and says what is left, without trying it for ever", async () => {
    const blunt = { ...noteKind, plan: () => [{ do: "run", host: "n1", why: "turn the handle", script: ":" }] };
    const failure = await failureOf(lifecycle.create(blunt as unknown as AnyKind, note()));
    expect(failure).toBeInstanceOf(InitFailed);
    expect(failure.message).toMatch(/done, and still left to do:\n {2}n1: turn the handle/);
    expect(world.takeLog()).toHaveLength(1);
  });

  test("may uncover more to do, some times over", async () => {
    let step = 0;
    const plan = () => (step++ < 3 ? [{ do: "run", host: "n1", why: `step ${step}`, script: ":" }] : []);
    await lifecycle.create({ ...noteKind, plan } as unknown as AnyKind, note());
    expect(world.takeLog().map(({ why }) => why)).toEqual(["step 1", "step 2", "step 3"]);
  });

  test("is refused before the first write, with nothing to remember; a review shows the refusal", async () => {
    const plan = (): never => {
      throw new Refused("two primaries");
    };
    const refusing = { ...noteKind, plan } as unknown as AnyKind;
    const failure = await failureOf(lifecycle.create(refusing, note()));
    expect(failure).not.toBeInstanceOf(InitFailed);
    expect(failure.message).toBe("Note n1/a: two primaries");
    writeFileSync(join(directory, "a"), "first\n");
    world.facts.forget("n1");
    expect((await lifecycle.read(refusing, "n1/a", note())).inputs?.pending).toEqual(["refused: two primaries"]);
  });
});

describe("check and diff", () => {
  test("in a preview the last resource of a cluster tells what up will mean for all of them", async () => {
    const last = { ...kind, plan: () => [], sumUp: () => "n1 is primary" } as unknown as AnyKind;
    const preview = { foreseenFor: ["main"] };
    expect((await lifecycle.check(kind, {}, note(preview))).inputs).toEqual(note());
    expect(world.said).toEqual([]);
    await lifecycle.check(last, {}, note(preview));
    await lifecycle.check(last, {}, note({ foreseenFor: ["other"] }));
    await lifecycle.check(last, {}, note());
    expect(world.said).toEqual([
      'cluster main: nobody notices: n1: the note is not "first\n"; n1: seal the note',
      "cluster other: nothing to do; n1 is primary",
    ]);
    expect(world.takeLog()).toEqual([]);
  });

  test("in a preview a refusal is called one, and another error is not", async () => {
    const preview = note({ foreseenFor: ["main"] });
    for (const error of [new Refused("two primaries"), new Error("no answer")]) {
      const plan = (): never => {
        throw error;
      };
      await lifecycle.check({ ...kind, plan, sumUp: () => "" }, {}, preview);
    }
    expect(world.said).toEqual([
      "cluster main: refused: two primaries",
      "cluster main: not known what up would do: no answer",
    ]);
  });

  test("all problems at once, and nobody is asked about inputs that cannot work", async () => {
    const { failures } = await lifecycle.check(kind, {}, note({ text: "", mode: "rw" }));
    expect(failures.map(({ reason }) => reason)).toEqual(["a note must say something", "rw is no mode"]);
    expect(world.sent).toEqual([]);
  });

  test("hosts are looked at before the first write, when a kind wants that", async () => {
    const preflight = () => Promise.resolve(["n1: disk full"]);
    const careful = { ...kind, preflight } as AnyKind;
    const reason = async (over: Properties): Promise<unknown> =>
      (await lifecycle.check(careful, {}, note(over))).failures;
    expect(await reason({})).toEqual([{ property: "", reason: "n1: disk full" }]);
    expect(await reason({ text: "" })).toEqual([{ property: "", reason: "a note must say something" }]);
  });

  test.each([{ text: UNKNOWN }, { mode: [UNKNOWN] }, { reach: { n1: { address: UNKNOWN } } }])(
    "what is not known yet is never validated: %p",
    async (over) => expect((await lifecycle.check(kind, {}, note({ text: "", ...over }))).failures).toEqual([]),
  );

  test.each<[string, Properties, Properties, object]>([
    ["nothing", {}, {}, { changes: false, replaces: [] }],
    [
      "only how a host is reached",
      { reach: {} },
      { reach: { n1: { address: "10.0.0.9" } } },
      { changes: false, replaces: [] },
    ],
    ["only what the state keeps besides", { size: 6 }, {}, { changes: false, replaces: [] }],
    ["keys in another order", { text: { a: 1, b: 2 } }, { text: { b: 2, a: 1 } }, { changes: false, replaces: [] }],
    ["a managed input", {}, { text: "second" }, { replaces: [] }],
    ["a value that is not known yet", {}, { text: UNKNOWN }, { replaces: [] }],
    ["a value of which a part is not known yet", { text: ["a", UNKNOWN] }, { text: ["a", UNKNOWN] }, { replaces: [] }],
    ["what a review found to do", { pending: ["n1: seal the note"] }, {}, { replaces: [] }],
    ["its identity", {}, { name: "b" }, { replaces: ["name"] }],
    ["its identity, not known yet", {}, { host: UNKNOWN }, { replaces: ["host"] }],
  ])("%s changed", (_, olds, news, expected) => {
    expect(lifecycle.diff(kind, note(olds), note(news))).toEqual(expected);
  });

  test("what repeats another resource's output is no change while that is still to come", async () => {
    const echoing = { ...kind, echoes: ["text"] } as unknown as AnyKind;
    const checked = async (olds: Properties, over: Properties): Promise<unknown> =>
      (await lifecycle.check(echoing, olds, note(over))).inputs;
    expect(await checked(note(), { text: UNKNOWN, mode: UNKNOWN })).toEqual(note({ mode: UNKNOWN }));
    expect(await checked(note(), { text: "second" })).toEqual(note({ text: "second" }));
    expect(await checked({}, { text: UNKNOWN })).toEqual(note({ text: UNKNOWN }));
  });

  test("a look at the hosts before a change knows what was before, and reaches the hosts of both", async () => {
    const seen: unknown[] = [];
    const review = jest.spyOn(world, "review");
    const preflight = (_: unknown, inputs: unknown, before: unknown): Promise<string[]> => {
      seen.push(inputs, before);
      return Promise.resolve([]);
    };
    const careful = { ...kind, preflight } as AnyKind;
    const [old, now] = [note({ reach: { n1: "old", n2: "old" } }), note({ reach: { n1: "new" }, text: "second" })];
    await lifecycle.check(careful, {}, now);
    expect(seen.splice(0)).toEqual([{ ...now, __provider: undefined }, undefined]);
    await lifecycle.check(careful, old, now);
    expect(seen).toEqual([now, old].map((properties) => ({ ...properties, __provider: undefined })));
    expect(review).toHaveBeenLastCalledWith({ n1: "new", n2: "old" });
  });

  test("a deletion knows today's inventory", async () => {
    const planDelete = jest.fn(() => []);
    await lifecycle.delete({ ...kind, planDelete }, note());
    expect(planDelete).toHaveBeenCalledWith(expect.anything(), expect.anything(), world.claims());
  });

  test("a kind that holds data refuses to be replaced, and says what to do instead", async () => {
    const heavy = { ...kind, keepsData: "add a new one, then remove this one" };
    const { failures: reasons } = await lifecycle.check(heavy, note(), note({ name: "b", host: "n2" }));
    expect(reasons.map(({ reason }) => reason)).toEqual([
      "host of Note cannot change from n1 to n2: add a new one, then remove this one",
      "name of Note cannot change from a to b: add a new one, then remove this one",
    ]);
    expect((await lifecycle.check(heavy, {}, note({ name: "b" }))).failures).toEqual([]);
    expect((await lifecycle.check(heavy, note(), note({ text: "second" }))).failures).toEqual([]);
  });
});
