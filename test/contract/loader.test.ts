import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contentProbe } from "../../facts/content";
import { type FileFact, fileProbe } from "../../facts/file";
import { FactLoader, splitAnswers } from "../../facts/loader";
import type { Probe, ProbeAnswer } from "../../facts/probe";
import { until } from "../../lab/wait";
import type { RunRequest, Shell } from "../../ssh/types";
import { failureOf, SshServer } from "../support/sshServer";
import { ScratchWorld } from "../support/world";

let server: SshServer;
let world: ScratchWorld;

beforeAll(async () => {
  server = await SshServer.start();
});
beforeEach(() => (world = new ScratchWorld(server)));
afterEach(() => world.close());
afterAll(() => server.close());

const probe = (script: string, key = script): Probe<ProbeAnswer> => ({ key, script, parse: (answer) => answer });
const ask = <T>(p: Probe<T>, fresh = false): Promise<T> => world.facts.ask(server.host(), p, fresh);
const batches = (): RunRequest[] => world.sent;

describe("questions to a host", () => {
  test("travel in one script, each in a shell of its own, with its exit status and both outputs", async () => {
    const answers = await Promise.all([
      ask(probe("x=1; cd /tmp; printf one; exit 3")),
      ask(probe('echo "x=${x-unset} $PWD"; echo trouble >&2')),
      ask(probe("cat")),
    ]);
    expect(batches()).toHaveLength(1);
    expect(answers).toEqual([
      { code: 3, stdout: "one", stderr: "" },
      { code: 0, stdout: "x=unset /\n", stderr: "trouble\n" },
      { code: 0, stdout: "", stderr: "" },
    ]);
  });

  test("about the databases of two clusters on one host do not mix, though they are asked side by side", async () => {
    // Two stand-ins for psql: each lists databases of its own, slowly, goes to each that it is told to, and knows no others.
    const psql = (names: string[]): string => {
      const shared = JSON.stringify({ roles: [], databases: names.map((name) => ({ name })), available: {} });
      const tell = `printf '{"name":"%s","extensions":[],"schemas":[],"publications":[]}\\n' "$d"`;
      return (
        `answer() { asked=$(cat); case "$asked" in *"'roles'"*) printf '%s\\n' '${shared}' ;; *connect*) sleep 0.2; ` +
        `printf 'to %s\\n' ${names.join(" ")}; return ;; esac; for d in $(printf '%s\\n' "$asked" | sed -n 's/^to //p'); do ` +
        `case " ${names.join(" ")} " in *" $d "*) sleep 0.05; ${tell} ;; *) echo "no such database: $d" >&2; return 1 ;; esac; done; }; answer`
      );
    };
    const [one, two] = await Promise.all([
      ask(contentProbe(psql(["app", "postgres"]))),
      ask(contentProbe(psql(["res", "shop"]))),
    ]);
    expect(one.databases.map(({ name }) => name)).toEqual(["app", "postgres"]);
    expect(two.databases.map(({ name }) => name)).toEqual(["res", "shop"]);
    expect(batches()).toHaveLength(1);
  });

  test("are not quoted when the connection is lost on their way: files with passwords are among them", async () => {
    const ready = join(server.scratch, "ready");
    // The answer is a pipe, of which for a while no more comes than one line.
    const pipe = `rm "$work/0.out"; mkfifo "$work/0.out"; { echo app:Nachtigall; sleep 2; } >"$work/0.out" & echo >${ready}`;
    const lost = failureOf(ask(probe(pipe)));
    await until("the answer is on its way", 10_000, () => existsSync(ready) || "no file yet");
    await new Promise((resolve) => setTimeout(resolve, 500));
    server.cut();
    const { message } = await lost;
    expect(message).toMatch(/connection was lost .* while trying to read the facts of n1/);
    expect(message).not.toContain("Nachtigall");
  });

  test("about many databases go through them in several streams, and miss none", async () => {
    const names = Array.from({ length: 50 }, (_, n) => `db${n}`);
    const shared = JSON.stringify({ roles: [], databases: names.map((name) => ({ name })), available: {} });
    const psql =
      `answer() { asked=$(cat); case "$asked" in *"'roles'"*) printf '%s\\n' '${shared}' ;; *E*connect*) ` +
      `printf 'to %s\\n' ${names.join(" ")} ;; *) echo stream >&2; printf '%s\\n' "$asked" | ` +
      `sed -n 's/^to \\(.*\\)/{"name":"\\1","extensions":[],"schemas":[],"publications":[]}/p' ;; esac; }; answer`;
    const probe = contentProbe(psql);
    const answer = await ask<ProbeAnswer>({ key: probe.key, script: probe.script, parse: (raw) => raw });
    const asked = { from: Date.now(), to: Date.now() };
    expect(probe.parse(answer, asked).databases.map(({ name }) => name)).toEqual(names);
    expect(answer.stderr.match(/stream/g)).toHaveLength(4);
  });

  test.each<[string, string]>([
    ["multi-byte text", "grüße 🐘 \n"],
    ["nothing", ""],
    ["no newline at its end", "a\nb"],
    ["newlines only", "\n\n\n"],
    ["lines like the frame around it", "@@0123456789abcdef 0 0\n@@\n@@0123456789abcdef 1 0 3 3\nab\n"],
  ])("come back exactly: %s", async (_, text) => {
    const script = `printf %s '${text}'; printf %s '${text}' >&2`;
    const answers = await Promise.all([ask(probe(script)), ask(probe("echo next"))]);
    expect(answers).toEqual([
      { code: 0, stdout: text, stderr: text },
      { code: 0, stdout: "next\n", stderr: "" },
    ]);
  });

  test("bytes that are no text in one answer do not touch what follows them", async () => {
    const answers = await Promise.all([
      ask(probe("printf 'caf\\351 \\377\\376 end'; echo trouble >&2")),
      ask(probe("echo next")),
    ]);
    expect(answers).toEqual([
      { code: 0, stdout: "caf\ufffd \ufffd\ufffd end", stderr: "trouble\n" },
      { code: 0, stdout: "next\n", stderr: "" },
    ]);
  });

  test("files are read in one go, each as if it were asked for alone, missing ones among them", async () => {
    const at = (name: string): string => join(server.scratch, name);
    const names = ["first", "missing", "it's a name with 'quotes' and spaces", "empty", "gone", "no newline"];
    const contents = ["a\n\nb\n", undefined, "x 0644 1.0 y\n", "", undefined, "end"];
    names.forEach((name, index) => {
      const content = contents[index];
      if (content !== undefined) writeFileSync(at(name), content, { mode: 0o640 });
    });
    const found = await Promise.all([...names.map((name) => ask(fileProbe(at(name)))), ask(probe("echo next"))]);
    expect(batches()).toHaveLength(1);
    const files = found.slice(0, -1) as (FileFact | undefined)[];
    expect(files.map((file) => file?.content)).toEqual(contents);
    expect(new Set(files.map((file) => file?.mode))).toEqual(new Set(["0640", undefined]));
    for (const [index, name] of names.entries()) {
      expect(await ask({ ...fileProbe(at(name)), together: undefined }, true)).toEqual(files[index]);
    }
  });

  test("that come while the host is dialled travel with the first", async () => {
    const loader = new FactLoader({
      open: () => new Promise((resolve) => setTimeout(resolve, 60)),
      run: (h, request) => world.run(h, request),
      close: () => Promise.resolve(),
    });
    const first = loader.ask(server.host(), probe("echo 1"), false);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const second = loader.ask(server.host(), probe("echo 2"), false);
    expect([(await first).stdout, (await second).stdout]).toEqual(["1\n", "2\n"]);
    expect(batches()).toHaveLength(1);
  });

  test("one file that cannot be read spoils no other one", async () => {
    const at = (name: string): string => join(server.scratch, name);
    writeFileSync(at("before"), "1\n");
    mkdirSync(at("a directory"), { recursive: true });
    writeFileSync(at("after"), "2\n");
    const asked = ["before", "a directory", "nothing", "after"].map((name) => ask(fileProbe(at(name))));
    const [before, directory, nothing, after] = await Promise.allSettled(asked);
    expect(batches()).toHaveLength(1);
    expect(directory).toMatchObject({ status: "rejected", reason: { message: expect.stringMatching(/directory/) } });
    expect(nothing).toEqual({ status: "fulfilled", value: undefined });
    expect(before).toMatchObject({ value: { content: "1\n" } });
    expect(after).toMatchObject({ value: { content: "2\n" } });
  });

  test("equal ones are asked once at a time", async () => {
    const [a, b] = await Promise.all([ask(probe("date +%N", "now")), ask(probe("date +%N", "now"))]);
    expect(a).toEqual(b);
    expect(batches()[0]?.script.match(/date/g)).toHaveLength(1);
  });

  test("are answered from memory in a review, until something was written or a plan asks", async () => {
    const first = await ask(probe("date +%N", "now"));
    expect(await ask(probe("date +%N", "now"))).toEqual(first);
    expect(batches()).toHaveLength(1);
    expect(await ask(probe("date +%N", "now"), true)).not.toEqual(first);
    expect(batches()).toHaveLength(2);
    world.facts.forget("n1");
    await ask(probe("date +%N", "now"));
    expect(batches()).toHaveLength(3);
  });

  test("that make no sense name host and question, with the words of the host", async () => {
    const broken: Probe<number> = {
      key: "how many",
      script: "echo gibberish; echo trouble >&2",
      parse: ({ stdout }) => {
        throw new Error(`no number: ${stdout.trim()}`);
      },
    };
    expect((await failureOf(ask(broken))).message).toBe(
      'n1: cannot read the answer to "how many": no number: gibberish; stderr: trouble',
    );
  });

  test("leave nothing on the host", async () => {
    const { stdout } = await ask(probe('echo "$work"'));
    expect(stdout).toMatch(/repmgr-pulumi/);
    expect(await ask(probe(`ls ${stdout.trim()}`, "look again"))).toMatchObject({ code: 2 });
  });
});

describe("a shell that fails", () => {
  const host = (): ReturnType<SshServer["host"]> => server.host();

  test("fails every question of the batch, and is asked again the next time", async () => {
    let calls = 0;
    const shell: Shell = {
      open: (h) => world.open(h),
      run: (h, request) => (++calls === 1 ? Promise.reject(new Error("lost")) : world.run(h, request)),
      close: () => Promise.resolve(),
    };
    const loader = new FactLoader(shell);
    const failures = await Promise.all(
      [probe("echo 1"), probe("echo 2")].map((p) => failureOf(loader.ask(host(), p, false))),
    );
    expect(failures.map(({ message }) => message)).toEqual(["lost", "lost"]);
    expect(await loader.ask(host(), probe("echo 1"), false)).toMatchObject({ stdout: "1\n" });
  });

  test("fails every question that came while it was dialled in vain", async () => {
    let dials = 0;
    const shell: Shell = {
      open: async () => {
        dials++;
        await new Promise((resolve) => setTimeout(resolve, 50));
        throw new Error("no route");
      },
      run: () => Promise.reject(new Error("nothing to run on")),
      close: () => Promise.resolve(),
    };
    const loader = new FactLoader(shell);
    const first = failureOf(loader.ask(host(), probe("echo 1"), false));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = failureOf(loader.ask(host(), probe("echo 2"), false));
    expect([(await first).message, (await second).message, dials]).toEqual(["no route", "no route", 1]);
  });

  test("fails the questions whose answers are not whole", async () => {
    const shell: Shell = {
      open: (h) => world.open(h),
      run: async (h, request) => {
        const result = await world.run(h, request);
        return { ...result, stdout: result.stdout.slice(0, -30) };
      },
      close: () => Promise.resolve(),
    };
    const loader = new FactLoader(shell);
    const answers = await Promise.all([
      loader.ask(host(), probe("echo 1"), false),
      failureOf(loader.ask(host(), probe("echo 2"), false)),
    ]);
    expect(answers[0]).toMatchObject({ stdout: "1\n" });
    expect(answers[1].message).toMatch(/^n1: no answer to "echo 2"/);
  });
});

test("answers are never guessed from something that is no frame", () => {
  expect(splitAnswers("", "@@b")).toEqual(new Map());
  expect(splitAnswers("noise\nmore noise", "@@b")).toEqual(new Map());
  expect(splitAnswers("@@b x y\n", "@@b")).toEqual(new Map());
});
