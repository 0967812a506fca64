import { type Action, asRoot, rootOnly } from "../../actions/action";
import { type BaseInputs, type Kind, NotSeen } from "../../providers/kind";
import { Lifecycle, type Properties, type World } from "../../providers/lifecycle";

type AnyKind = Kind<BaseInputs, unknown, object>;
interface Thing extends BaseInputs {
  readonly host: string;
  /** As the program says. */
  readonly size: string;
  /** The program always writes "healthy". */
  readonly unit: string;
  readonly file: string;
}
type Found = Pick<Thing, "size" | "unit" | "file">;

/** A host with a thing whose size and unit are root's, and whose file postgres may write, and what is done and said there. */
function scene(have: Found | NotSeen, isLast = false) {
  let found = have;
  const [said, did]: [string[], string[]] = [[], []];
  const kind: Kind<Thing, Found, { zone?: string }> = {
    name: "Thing",
    managed: ["host", "size", "unit", "file"],
    identity: ["host"],
    outputs: ["zone"],
    id: ({ host }) => host,
    validate: () => [],
    observe: () => (found instanceof NotSeen ? Promise.reject(found) : Promise.resolve(found)),
    isAbsent: () => false,
    plan(want, { size, unit, file }) {
      const act = (why: string): Action => ({ do: "run", host: want.host, why, script: why });
      return [
        ...(size === want.size ? [] : asRoot([act("make it larger")])),
        ...(unit === want.unit ? [] : asRoot([act("mend the unit")])),
        ...(file === want.file ? [] : [act("write the file")]),
      ];
    },
    ...(isLast ? { sumUp: () => "all is well" } : {}),
    project: (inputs, seen) => ({ inputs: { ...inputs, ...seen }, outputs: {} }),
    planDelete: ({ file }, { host }) => asRoot([{ do: "run", host, why: `remove ${file}`, script: "rm" }]),
  };
  const ctx = { ask: () => Promise.reject(new Error("nobody asks")) };
  const world: World = {
    review: () => ctx,
    fresh: () => ctx,
    apply(_resource, _reach, actions) {
      did.push(...actions.map(({ why }) => why));
      if (!(found instanceof NotSeen)) found = { ...found, file: "new" };
      return Promise.resolve();
    },
    say: (line) => void said.push(line),
    claims: () => [],
    isLost: () => false,
    isRestricted: () => true,
  };
  return { kind: kind as unknown as AnyKind, lifecycle: new Lifecycle(world), said, did };
}

const deployed: Properties = {
  ...{ kind: "Thing", reach: {}, pending: [], host: "db1" },
  ...{ size: "1", unit: "healthy", file: "new" },
};
const LEFT =
  "refused: db1: this needs root, and the login may become postgres only: mend the unit. " +
  'Set "sudo: nopasswd" (or another login) for db1 in the inventory, so that its login may become root, and type "pulumi up"; ' +
  'afterwards "sudo: postgres" will do again.';

describe("a host that is not as it was deployed, in what only root can mend", () => {
  test("up does the rest, says what it has left, and keeps that as pending", async () => {
    const { kind, lifecycle, said, did } = scene({ size: "1", unit: "by hand", file: "old" });
    const { props = {} } = await lifecycle.read(kind, "db1", deployed);
    expect(props.pending).toEqual(["db1: write the file", LEFT]);
    const { outs } = await lifecycle.update(kind, deployed, props);
    expect(did).toEqual(["write the file"]);
    expect(said).toEqual([LEFT]);
    expect(outs.pending).toEqual([LEFT]);
  });

  test("what was deployed and is gone is left, too", async () => {
    const { kind, lifecycle, did } = scene({ size: "1", unit: "gone", file: "old" });
    await lifecycle.read(kind, "db1", deployed);
    const { outs } = await lifecycle.create(kind, deployed);
    expect([did, outs.pending]).toEqual([["write the file"], [LEFT]]);
  });

  test("a preview says it, and fails for nothing", async () => {
    const { kind, lifecycle, said } = scene({ size: "1", unit: "by hand", file: "old" }, true);
    const { inputs: found = {} } = await lifecycle.read(kind, "db1", deployed);
    const { failures } = await lifecycle.check(kind, found, { ...deployed, foreseenFor: ["main"] });
    expect(failures).toEqual([]);
    expect(said).toEqual(["cluster main: nobody notices: db1: write the file", `cluster main: ${LEFT}`]);
  });
});

describe("what the inventory asks of root", () => {
  const larger = { ...deployed, size: "2", file: "newer" };
  test("fails the preview with all that root has to do", async () => {
    const { kind, lifecycle } = scene({ size: "1", unit: "by hand", file: "new" }, true);
    const { inputs: found = {} } = await lifecycle.read(kind, "db1", deployed);
    const { failures } = await lifecycle.check(kind, found, { ...larger, foreseenFor: ["main"] });
    expect(failures.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("the login may become postgres only: make it larger; mend the unit. Set "),
    ]);
  });

  test("is refused by an up without a preview, before anything is done", async () => {
    const { kind, lifecycle, did } = scene({ size: "1", unit: "healthy", file: "new" });
    await expect(lifecycle.update(kind, larger, deployed)).rejects.toThrow(/postgres only: make it larger/);
    await expect(lifecycle.create(kind, larger)).rejects.toThrow(/postgres only: make it larger/);
    expect(did).toEqual([]);
  });

  test("is refused when it goes", async () => {
    const { kind, lifecycle, did } = scene({ size: "1", unit: "healthy", file: "new" });
    await expect(lifecycle.delete(kind, deployed)).rejects.toThrow(/postgres only: remove new/);
    expect(did).toEqual([]);
  });
});

describe("what only root sees", () => {
  const unseen = new NotSeen("db1", "the firewall");
  test("is kept as it was last seen, and its outputs say so", async () => {
    const { kind, lifecycle } = scene(unseen);
    const { inputs, props = {} } = await lifecycle.read(kind, "db1", { ...deployed, zone: "public" });
    expect(inputs).toMatchObject({ size: "1", unit: "healthy" });
    expect(inputs).not.toHaveProperty("zone");
    expect(props).toMatchObject({ zone: "public", unseen: ["the firewall"], pending: [] });
    expect(lifecycle.diff(kind, props, deployed)).toEqual({ changes: false, replaces: [] });
    const seen = scene({ size: "1", unit: "healthy", file: "new" });
    const again = await seen.lifecycle.read(seen.kind, "db1", props);
    expect([again.inputs, again.props]).not.toContainEqual(expect.objectContaining({ unseen: expect.anything() }));
  });

  test("is named in the preview, once for a host", async () => {
    const { kind, lifecycle, said } = scene(unseen, true);
    const { failures } = await lifecycle.check(kind, deployed, { ...deployed, foreseenFor: ["main"] });
    expect(failures).toEqual([]);
    expect(said.at(-1)).toBe(
      "cluster main: db1: not looked at, since the login may become postgres only: the firewall",
    );
  });

  test("cannot be changed either", async () => {
    const { kind, lifecycle } = scene(unseen, true);
    const { failures } = await lifecycle.check(kind, deployed, { ...deployed, size: "2", foreseenFor: ["main"] });
    expect(failures.map(({ reason }) => reason).join()).toMatch(
      /Thing db1 has to change; the firewall cannot be looked at/,
    );
    await expect(lifecycle.update(kind, { ...deployed, size: "2" }, deployed)).rejects.toThrow(/the firewall of db1/);
  });
});

describe("what needs root", () => {
  const on = (host: string): boolean => host === "db1";
  const put = (owner: string, host = "db1"): Action => {
    return { do: "putFile", host, why: owner, path: "/x", content: "", owner, mode: "0644" };
  };
  const run = (over: Partial<Action> = {}): Action =>
    ({ do: "run", host: "db1", why: "run", script: "", ...over }) as Action;
  test("is what is marked, files of others, and a bracket with such a thing in it; where the login is restricted", () => {
    const bracket: Action = {
      do: "bracket",
      host: "db1",
      why: "both",
      before: [],
      body: [run({ needs: "root" })],
      after: [],
    };
    const all = [
      put("root:root"),
      put("postgres:postgres"),
      put("root:root", "db2"),
      run(),
      run({ needs: "root" }),
      bracket,
    ];
    expect(rootOnly(all, on)).toEqual([all[0], all[4], all[5]]);
  });
});
