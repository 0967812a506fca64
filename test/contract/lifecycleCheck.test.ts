import { Refused } from "../../providers/kind";
import { type Properties, UNKNOWN } from "../../providers/lifecycle";
import { type AnyKind, kind, world, lifecycle, note } from "./lifecycleFixture";

describe("check and diff", () => {
  test("in a preview the last resource of a cluster tells what up will mean for all of them", async () => {
    const remarks = (): string[] => ["n1: see to it"];
    const last = { ...kind, plan: () => [], sumUp: () => "n1 is primary", remarks } as unknown as AnyKind;
    const preview = { foreseenFor: ["main"] };
    expect((await lifecycle.check(kind, {}, note(preview))).inputs).toEqual(note());
    expect(world.said).toEqual([]);
    await lifecycle.check(last, {}, note(preview));
    await lifecycle.check(last, {}, note({ foreseenFor: ["other"] }));
    await lifecycle.check(last, {}, note());
    expect(world.said).toEqual([
      'cluster main: nobody notices: n1: the note is not "first\n"; n1: seal the note',
      "cluster main: n1: see to it",
      "cluster other: nothing to do; n1 is primary",
      "cluster other: n1: see to it",
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
