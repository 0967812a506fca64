import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Executor, NeedsRoot } from "../../actions/executor";
import { ActionLog } from "../../actions/log";
import { type Action, type Bracket, type PutFile, type Run, waitFor } from "../../actions/action";
import { fileProbe } from "../../facts/file";
import type { Shell } from "../../ssh/types";
import { OWNER } from "../support/noteKind";
import { failureOf, SshServer } from "../support/sshServer";
import { ScratchWorld } from "../support/world";

let server: SshServer;
let world: ScratchWorld;
let directory: string;

beforeAll(async () => {
  server = await SshServer.start();
  world = new ScratchWorld(server);
  directory = join(server.scratch, "work");
});
beforeEach(() => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  world.takeLog();
});
afterAll(async () => {
  await world.close();
  await server.close();
});

const apply = (...actions: Action[]): Promise<void> => world.apply("Test t", {}, actions);
const run = (script: string, over: Partial<Run> = {}): Run => ({ do: "run", host: "n1", why: script, script, ...over });
const put = (over: Partial<PutFile> = {}): PutFile => ({
  do: "putFile",
  host: "n1",
  why: "write it",
  path: join(directory, "target"),
  content: "new\n",
  owner: OWNER,
  mode: "0640",
  ...over,
});

describe("run", () => {
  test("is logged before it is tried, stops at the first command that fails, and the actions after it are not done", async () => {
    const failure = await failureOf(apply(run(`false; touch ${directory}/a`), run(`touch ${directory}/b`)));
    expect(failure.message).toBe(`n1: exit status 1: (no output)\n  while: false; touch ${directory}/a`);
    expect(readdirSync(directory)).toEqual([]);
    expect(world.takeLog()).toHaveLength(1);
  });

  test("fails with what it said, never with what it was given", async () => {
    const action = run("read -r secret; echo refused >&2; exit 3", { why: "set a password", stdin: "canary-secret\n" });
    const failure = await failureOf(apply(action));
    expect(failure.message).toBe("n1: exit status 3: refused\n  while: set a password");
    expect(JSON.stringify(world.takeLog())).not.toContain("canary");
  });
});

describe("a login that may become postgres only", () => {
  const executor = (): Executor =>
    new Executor(world, world.facts, new ActionLog(join(server.scratch, "restricted.jsonl")), (name) => ({
      ...server.host({ name }),
      sudo: "postgres",
    }));
  test("is sent nothing of what needs root, nor what comes before it", async () => {
    const sent = world.sent.length;
    const bracket: Bracket = {
      do: "bracket",
      host: "n1",
      why: "all",
      before: [],
      body: [put({ owner: "root:root" })],
      after: [],
    };
    for (const last of [run("true", { needs: "root" }), put({ owner: "root:root" }), bracket]) {
      const failure = await failureOf(executor().apply("Test t", [run(`touch ${directory}/a`), last]));
      expect(failure).toBeInstanceOf(NeedsRoot);
      expect(failure.message).toMatch(
        /^n1: it needs root, and the login may become postgres only: .*\. Set "sudo: nopasswd".* for n1 in the inventory/,
      );
    }
    expect(world.sent).toHaveLength(sent);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("putFile", () => {
  const content = (name = "target"): string => readFileSync(join(directory, name), "utf8");

  test("writes content, owner and mode, and leaves nothing beside it", async () => {
    await apply(put({ content: "grüße\n'\"$(id)\\\n\n" }));
    expect(content()).toBe("grüße\n'\"$(id)\\\n\n");
    expect(statSync(join(directory, "target")).mode & 0o7777).toBe(0o640);
    expect(readdirSync(directory)).toEqual(["target"]);
  });

  test("makes the directories above it, passable", async () => {
    await apply(put({ path: join(directory, "deep/er/target") }));
    expect(statSync(join(directory, "deep/er")).mode & 0o7777).toBe(0o755);
  });

  test("replaces the file in one step: whoever has the old one open still reads it whole", async () => {
    await apply(put({ content: "old\n" }));
    const { ino } = statSync(join(directory, "target"));
    await apply(put());
    expect(content()).toBe("new\n");
    expect(statSync(join(directory, "target")).ino).not.toBe(ino);
  });

  test("keeps the old file when the check fails, and says what the check said", async () => {
    await apply(put({ content: "old\n" }));
    const check = 'grep -q old "$1" || { echo "line 1 is wrong" >&2; exit 1; }';
    const failure = await failureOf(apply(put({ content: "canary-secret\n", check, why: "write the password" })));
    expect(failure.message).toBe("n1: exit status 1: line 1 is wrong\n  while: write the password");
    expect(content()).toBe("old\n");
    expect(readdirSync(directory)).toEqual(["target"]);
    expect(JSON.stringify(world.takeLog())).not.toContain("canary");
  });

  test("keeps the old file when an owner does not exist", async () => {
    await apply(put({ content: "old\n" }));
    expect((await failureOf(apply(put({ owner: "nobody-of-this-name:nogroup" })))).message).toMatch(/invalid user/);
    expect([content(), readdirSync(directory)]).toEqual(["old\n", ["target"]]);
  });

  test("keeps the old file when the new one arrives cut short", async () => {
    await apply(put({ content: "old\n" }));
    const cutting: Shell = {
      open: (host) => world.open(host),
      run: (host, request) => world.pool.run(host, { ...request, stdin: request.stdin?.slice(0, 5) }),
      close: () => Promise.resolve(),
    };
    const failure = await failureOf(applyThrough(cutting, put({ content: "local all all reject\n" })));
    expect(failure.message).toMatch(/5 of 21 bytes arrived/);
    expect([content(), readdirSync(directory)]).toEqual(["old\n", ["target"]]);
  });

  test.each([
    ["before the new file is in its place", { check: "kill -9 $$" }, "old\n"],
    ["after it", { verify: "kill -9 $$" }, "new\n"],
  ])(
    "a host that dies %s time and again keeps nothing that the next write does not take over",
    async (_, how, kept) => {
      await apply(put({ content: "old\n" }));
      for (let time = 0; time < 3; time++) await failureOf(apply(put(how)));
      expect(content()).toBe(kept);
      await apply(put({ content: "newest\n" }));
      expect([content(), readdirSync(directory)]).toEqual(["newest\n", ["target"]]);
    },
  );

  test("what lies beside the target under the new file's name is not written through", async () => {
    symlinkSync(join(directory, "victim"), join(directory, "target.repmgr-pulumi"));
    await apply(put());
    expect([content(), readdirSync(directory)]).toEqual(["new\n", ["target"]]);
  });

  test("two writes at the same time leave one of the two texts, whole", async () => {
    const texts = ["a", "b", "c", "d"].map((letter) => `${letter.repeat(20_000)}\n`);
    await Promise.all(texts.map((text) => apply(put({ content: text, check: "sleep 0.05" }))));
    expect(texts).toContain(content());
    expect(readdirSync(directory)).toEqual(["target"]);
  });

  test("what a person wrote after the change was planned is kept, and the error says so", async () => {
    writeFileSync(join(directory, "target"), "by hand\n");
    for (const found of ["old\n", null]) {
      const failure = await failureOf(apply(put({ found, why: "who may connect" })));
      expect(failure.message).toBe(
        `n1: ${join(directory, "target")} was changed by somebody else after this change was planned; it is left as it ` +
          `is now. Look at it, and type "pulumi preview" to see what would be changed.\n  while: who may connect`,
      );
    }
    expect([content(), readdirSync(directory)]).toEqual(["by hand\n", ["target"]]);
  });

  test.each([
    ["is what was found", "old\n", "old\n"],
    ["was not there", undefined, null],
    ["is what is wanted by now", "new\n", "old\n"],
  ])("a file that %s is replaced", async (_, there, found) => {
    if (there !== undefined) writeFileSync(join(directory, "target"), there);
    await apply(put({ found }));
    expect(content()).toBe("new\n");
  });

  function applyThrough(shell: Shell, action: Action): Promise<void> {
    const other = new ScratchWorld(server);
    other.run = (host, request) => shell.run(host, request);
    return other.apply("Test t", {}, [action]).finally(() => other.close());
  }
});

describe("bracket", () => {
  const bracket = (over: Partial<Bracket>): Bracket => ({
    do: "bracket",
    host: "n1",
    why: "between",
    before: [run(`touch ${directory}/before`)],
    body: [run(`touch ${directory}/body`)],
    after: [run(`touch ${directory}/after`)],
    ...over,
  });

  test("does all three in order", async () => {
    await apply(bracket({}));
    expect(world.takeLog().map(({ why }) => why.split("/").at(-1))).toEqual(["before", "body", "after"]);
  });

  test.each<["before" | "body", string[]]>([
    ["before", ["after"]],
    ["body", ["after", "before"]],
  ])("does what comes after also when %s fails, and fails with its error", async (part, left) => {
    const failure = await failureOf(apply(bracket({ [part]: [run("echo first trouble >&2; exit 1")] })));
    expect(failure.message).toMatch(/first trouble/);
    expect(readdirSync(directory)).toEqual(left);
  });

  test("when both fail the first error is the one reported, and the other is told, too", async () => {
    const failure = await failureOf(
      apply(bracket({ body: [run("echo first trouble >&2; exit 1")], after: [run("echo still paused >&2; exit 2")] })),
    );
    expect(failure.message).toMatch(/^n1: exit status 1: first trouble\n.*\n.*and then: .*still paused/s);
  });

  test("fails when only the end fails", async () => {
    const after = [run("echo still paused >&2; exit 2")];
    expect((await failureOf(apply(bracket({ after })))).message).toMatch(/^n1: exit status 2: still paused/);
  });
});

describe("waitFor", () => {
  const probe = (): Parameters<typeof waitFor>[1] => fileProbe(join(directory, "ready"));
  const common = { host: "n1", why: "it gets ready" };

  test("asks anew until nothing is missing, and is no change that would be logged", async () => {
    let looks = 0;
    await apply(
      waitFor({ ...common, deadlineMs: 10_000 }, probe(), (seen) => {
        if (++looks === 2) writeFileSync(join(directory, "ready"), "");
        return seen === undefined ? "no file yet" : undefined;
      }),
    );
    expect(looks).toBe(3);
    expect(world.takeLog()).toEqual([]);
  });

  test("its deadline's error tells the last thing seen", async () => {
    let looks = 0;
    const wait = waitFor({ ...common, deadlineMs: 300 }, probe(), () => `look ${++looks}: no file yet`);
    const failure = await failureOf(apply(wait));
    expect(failure.message).toBe(
      `n1: not reached within 0.3 s; last seen: look ${looks}: no file yet\n  while: it gets ready`,
    );
    expect(looks).toBeGreaterThan(1);
  });
});

test("the log is written where the connection to the host fails, too: it says what was tried", async () => {
  chmodSync(directory, 0o755);
  world.cut(0, "before");
  await failureOf(apply(run("never reached")));
  expect(world.takeLog().map(({ why }) => why)).toEqual(["never reached"]);
});
