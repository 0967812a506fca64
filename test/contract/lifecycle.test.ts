import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Refused } from "../../providers/kind";
import { InitFailed, Lifecycle } from "../../providers/lifecycle";
import { STAMP } from "../../providers/state";
import { Unreachable } from "../../ssh/errors";
import { noteKind } from "../support/noteKind";
import { failureOf, SshServer } from "../support/sshServer";
import { type Cut, ScratchWorld } from "../support/world";
import { type AnyKind, kind, world, lifecycle, directory, note, onHost, created } from "./lifecycleFixture";

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

  test("what only the state knows comes into the inputs, and is forgotten once all is as wanted", async () => {
    const knowing: AnyKind = {
      ...kind,
      memory: { key: "mode" as never, recall: (before) => (before as unknown as { text?: string }).text },
    };
    expect((await lifecycle.check(knowing, { text: "kept" }, note())).inputs).toMatchObject({ mode: "kept" });
    expect((await lifecycle.check(knowing, {}, note())).inputs).toMatchObject({ mode: note().mode });
    expect((await lifecycle.create(knowing, note())).outs).not.toHaveProperty("mode");
  });

  test("a plan whose ground has gone is made anew after the wait; any other failure is one", async () => {
    const hurdle = join(directory, "hurdle");
    writeFileSync(hurdle, "");
    const over: AnyKind = {
      ...kind,
      plan: (want, have) => {
        const why = existsSync(hurdle) ? "over the hurdle" : "past it";
        return [{ do: "run", host: "n1", why, script: `test ! -e '${hurdle}'` }, ...kind.plan(want, have)].slice(
          0,
          existsSync(hurdle) ? 2 : 1,
        ) as never;
      },
    };
    await expect(lifecycle.create(over, note())).rejects.toThrow(/over the hurdle/);
    let tries = 0;
    const again: AnyKind = {
      ...over,
      plan: (want, have) => (existsSync(hurdle) ? over.plan(want, have) : kind.plan(want, have)),
      retryAfter: () => {
        tries += 1;
        rmSync(hurdle);
        return [{ do: "waitFor", host: "n1", why: "the hurdle is gone", deadlineMs: 100, look: async () => undefined }];
      },
    };
    await lifecycle.create(again, note());
    expect([tries, onHost().a]).toEqual([1, "first\n"]);
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
