import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DeadlineExceeded } from "../../ssh/errors";
import { SshPool } from "../../ssh/pool";
import type { RunRequest } from "../../ssh/types";
import { failureOf, SshServer } from "../support/sshServer";

let server: SshServer;
let pool: SshPool;

beforeAll(async () => {
  server = await SshServer.start();
  pool = new SshPool({ secrets: () => undefined });
});

afterAll(async () => {
  await pool.close();
  await server.close();
});

function run(script: string, over: Partial<RunRequest> = {}) {
  return pool.run(server.host(), { what: "do a test", script, deadlineMs: 20_000, ...over });
}

/** Whether a process is gone, or a zombie that only waits for its parent, within two seconds. */
async function endsSoon(pid: string): Promise<boolean> {
  const giveUpAt = Date.now() + 2000;
  while (Date.now() < giveUpAt) {
    const state = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] : "Z";
    if (state === "Z") return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

describe("a script on a host", () => {
  it("gives back its exit status and both outputs, exactly", async () => {
    const result = await run("printf 'one\\n\\n'; printf 'two ' >&2; exit 7");
    expect(result).toMatchObject({ code: 7, stdout: "one\n\n", stderr: "two " });
  });

  it("runs where nothing of the login's environment shows", async () => {
    const { stdout } = await run('umask; pwd; echo "$PATH|$LC_ALL|$#|${l-unset}|${s-unset}"; locale charmap');
    const path = "/usr/sbin:/usr/bin:/sbin:/bin";
    expect(stdout.split("\n").slice(0, 3)).toEqual(["0022", "/", `${path}|C|0|unset|unset`]);
    expect(stdout).toContain("ANSI_X3.4-1968");
  });

  it.each([
    ["no newline at its end", "echo a"],
    ["newlines at its end", "echo a\n\n\n"],
    ["a here-document at its end", "cat <<'EOF'\na\nEOF"],
    ["a comment at its end", "echo a # b"],
    ["a first line that is a comment", "#!/bin/sh\necho a"],
    ["quotes of every kind", `x='a'; y="$x"; echo "$(printf '%s' "$y")"`],
    ["set -e", "set -eu\necho a"],
    ["functions and exit", "f() { echo a; exit 0; }\nf\necho never"],
  ])("may have %s", async (_what, script) => {
    expect(await run(script)).toMatchObject({ code: 0, stdout: "a\n", stderr: "" });
  });

  it("says where a syntax error is, and does not end with 0", async () => {
    const result = await run("echo a\nfi\n");
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/syntax error/i);
  });

  it("may be 200 KB long", async () => {
    const script = `${"# filler filler filler filler\n".repeat(7000)}echo end`;
    expect(script.length).toBeGreaterThan(200_000);
    expect((await run(script)).stdout).toBe("end\n");
  });

  it("may hold any character but NUL", async () => {
    expect((await run("printf '%s' 'grüße 🐘 \\'")).stdout).toBe("grüße 🐘 \\");
    await expect(run("echo \0")).rejects.toThrow("the script to do a test holds a NUL");
  });

  it("reads its own input to the last byte", async () => {
    const stdin = "line\n'\"\\$(id)\u0000\u0001\u00ff\r\n".repeat(80_000);
    expect(stdin.length).toBeGreaterThan(1_000_000);
    const expected = `${Buffer.byteLength(stdin)}`;
    expect((await run("wc -c", { stdin })).stdout.trim()).toBe(expected);
    expect((await run("cat", { stdin })).stdout).toBe(stdin);
  });

  it("has an empty input when none is given", async () => {
    expect(await run("cat; echo end")).toMatchObject({ code: 0, stdout: "end\n" });
  });

  it("may leave its input unread", async () => {
    expect(await run("exit 3", { stdin: "x".repeat(1_000_000) })).toMatchObject({ code: 3 });
  });

  it("may print 5 MB", async () => {
    const { stdout } = await run("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end");
    expect(stdout.length).toBe(5_000_005);
    expect(stdout.endsWith("xxx\nend\n")).toBe(true);
  });

  it("ends with 128 and the signal's number when it is killed", async () => {
    expect((await run("kill -TERM $$")).code).toBe(143);
  });

  it("shows nothing of itself or its input in the process list or the command line", async () => {
    const script = 'read -r secret; tr "\\0" " " < /proc/$$/cmdline; ps -ww -eo args; : canary-of-the-script';
    const { stdout } = await run(script, { stdin: "canary-of-the-input\n" });
    expect(stdout).toContain("timeout -k 2");
    expect(stdout + server.commands.join()).not.toMatch(/canary/);
  });

  it("is not run at all when it arrives cut short", async () => {
    const written = join(server.scratch, "must-not-exist");
    const command = server.commands.at(-1) ?? "";
    const [, token] = / sh ([0-9a-f]{24}) \d+$/.exec(command) ?? [];
    const input = `${token}\necho done > ${written}\n`;
    expect(spawnSync("/bin/sh", ["-c", command], { input }).status).toBe(125);
    expect(existsSync(written)).toBe(false);
  });
});

describe("a deadline", () => {
  it("ends the script on the host, and tells the last line it printed", async () => {
    const pidFile = join(server.scratch, "pid");
    const error = await failureOf(run(`sleep 60 & echo $! > ${pidFile}; echo 50%; wait`, { deadlineMs: 300 }));
    expect(error).toBeInstanceOf(DeadlineExceeded);
    expect(error).toMatchObject({ host: "n1", what: "do a test", deadlineMs: 300 });
    expect(error.message).toMatch(
      /n1 \(admin@127\.0\.0\.1:\d+\): could not do a test within 300 ms; it was ended there\./,
    );
    expect(error.message).toContain("Last line it printed: 50%");
    expect(await endsSoon(readFileSync(pidFile, "utf8").trim())).toBe(true);
  });

  it("kills a script that will not stop", async () => {
    const startedAt = Date.now();
    await expect(run("trap '' TERM; while :; do sleep 0.1; done", { deadlineMs: 200 })).rejects.toThrow(
      /was ended there/,
    );
    expect(Date.now() - startedAt).toBeLessThan(4000);
  });

  it("does not mistake a script's own exit status for itself", async () => {
    expect(await run("exit 124")).toMatchObject({ code: 124 });
  });

  it("never tells a secret that the script printed", async () => {
    const promise = run("cat; sleep 60", { stdin: "hunter2-hunter2", deadlineMs: 300 });
    await expect(promise).rejects.toThrow("Last line it printed: ***");
  });

  it("leaves the connection usable", async () => {
    expect(await run("echo a")).toMatchObject({ stdout: "a\n" });
    expect(pool.connections.get("n1")).toBe(1);
  });

  it.each([0, -1, NaN, Infinity])("of %p is refused", async (deadlineMs) => {
    await expect(run("true", { deadlineMs })).rejects.toThrow(RangeError);
  });
});

describe("a login shell", () => {
  it("does not get what it has set into what programs do", async () => {
    const loginProfile =
      "umask 0777; cd /; export POSIXLY_CORRECT=1 PGOPTIONS=-cx=y PGHOST=nowhere TMPDIR=/nowhere TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 IFS=/";
    const odd = await SshServer.start({ loginProfile });
    const result = await pool.run(odd.host({ name: "n4" }), {
      what: "x",
      script:
        'ls /etc/hostname -d; umask; echo "$LC_ALL"; env | grep "^PG\\|TMPDIR\\|^TZ" || echo none; set -- $(echo a/b c); echo $#',
      deadlineMs: 5000,
    });
    expect(result).toMatchObject({ code: 0, stdout: "/etc/hostname\n0022\nC\nnone\n2\n", stderr: "" });
    await odd.close();
  });
});

describe("a login shell that talks", () => {
  it("does not get its words into the result", async () => {
    const noisy = await SshServer.start({ loginProfile: "echo welcome; echo warning >&2; printf 'no newline'" });
    const result = await pool.run(noisy.host({ name: "n2" }), {
      what: "x",
      script: "echo a; echo b >&2",
      deadlineMs: 5000,
    });
    expect(result).toMatchObject({ code: 0, stdout: "a\n", stderr: "b\n" });
    await noisy.close();
  });

  it("and ends is an error that repeats what it said", async () => {
    const closed = await SshServer.start({ loginProfile: "echo This account is currently not available.; exit 1" });
    const promise = pool.run(closed.host({ name: "n3" }), { what: "look", script: "true", deadlineMs: 5000 });
    await expect(promise).rejects.toMatchObject({
      name: "Unreachable",
      reason: "refused",
      message: expect.stringContaining("The host said: This account is currently not available."),
    });
    await closed.close();
  });
});
