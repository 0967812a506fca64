import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSudoList } from "../../facts/sudoList";
import { AS_POSTGRES } from "../../facts/login";
import { remoteRun } from "../../ssh/remoteCommand";
import { PRELUDE } from "../../ssh/restricted";
import { startError } from "../../ssh/sudoRefusal";
import { connection } from "./kindFixture";

// Scripts are written for root; a login that may become postgres only runs them behind the prelude. Here in a real shell, with
// programs on its PATH that write down how they were called.
let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "restricted-"));
  for (const name of ["sudo", "systemctl"]) {
    writeFileSync(
      join(scratch, name),
      `#!/bin/sh\necho "${name} $*" >>${scratch}/calls\n[ "$SLOW" != "$4" ] || sleep 5\n`,
    );
    chmodSync(join(scratch, name), 0o755);
  }
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

interface Done {
  readonly out: string;
  readonly calls: string[];
}

function run(script: string, env: Record<string, string> = {}): Done {
  const out = execFileSync("/bin/sh", ["-c", `${PRELUDE}set -e\n${script}`], {
    env: { PATH: `${scratch}:/usr/bin:/bin`, SLOW: "-", ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  let calls: string[] = [];
  try {
    calls = readFileSync(join(scratch, "calls"), "utf8").trim().split("\n");
  } catch {
    // Nothing was called.
  }
  return { out, calls };
}

describe("a script of root's, run as postgres", () => {
  test("is sent behind the prelude, to a shell of postgres", () => {
    const { command, input } = remoteRun("postgres", "abc", "echo script", "secret", 1500);
    expect(command).toMatch(/^env LC_ALL=C sudo -n -u postgres -- timeout -k 2 1\.500 \/bin\/sh -c /);
    expect(input.toString()).toBe(`abc\n${PRELUDE}echo script\n#abcsecret`);
    for (const sudo of ["none", "nopasswd", "password"] as const)
      expect(remoteRun(sudo, "abc", "echo script", "", 1500).input.toString()).toBe("abc\necho script\n#abc");
  });

  test.each([
    ["runuser -u postgres -- env A=1 sh -c 'echo $A'", "1\n"],
    [`${AS_POSTGRES} echo here`, "here\n"],
    [`B=2 ${AS_POSTGRES} sh -c 'echo $B'`, "2\n"],
    ['here() { runuser -u postgres -- echo "$@"; }; x=$(here a \'b  c\'); echo "$x"', "a b  c\n"],
    ["timeout 5 runuser -u postgres -- echo in time", "in time\n"],
    ["timeout 5 sh -c 'echo \"$0 $1\"' a b", "a b\n"],
    ["timeout 0.1 runuser -u postgres -- sleep 5 || echo $?", "124\n"],
  ])("is postgres already: %s", (script, out) => {
    expect(run(script)).toEqual({ out, calls: [] });
  });

  const root = (command: string): string => `sudo -n /usr/bin/systemctl ${command}`;
  test.each<[string, string[]]>([
    ["systemctl start postgresql-main.service", [root("start postgresql-main")]],
    ["systemctl stop postgresql-main 2>/dev/null || true", [root("stop postgresql-main")]],
    ["systemctl restart postgresql-main.service", [root("restart postgresql-main")]],
    ["systemctl restart 'repmgrd-main.service'", [root("stop repmgrd-main"), root("start repmgrd-main")]],
    [
      "systemctl try-restart repmgrd-main.service",
      ["systemctl is-active --quiet repmgrd-main.service", root("stop repmgrd-main"), root("start repmgrd-main")],
    ],
    ["systemctl reset-failed postgresql-main.service", []],
    ["systemctl show -p MainPID postgresql-main.service", ["systemctl show -p MainPID postgresql-main.service"]],
    ["timeout -s KILL 60 systemctl stop postgresql-main.service", [root("stop postgresql-main")]],
  ])("starts and stops by the lines of the sudoers file: %s", (script, calls) => {
    expect(run(script).calls).toEqual(calls);
  });

  test.each(["daemon-reload", "enable x", "disable --now x", "mask x", "edit x"])(
    "does not even try what is root's: systemctl %s",
    (words) => {
      const { out, calls } = run(
        `if systemctl ${words} 2>/tmp/said-$$; then echo done; else cat /tmp/said-$$; fi; rm /tmp/said-$$`,
      );
      expect(out).toBe(`systemctl ${words} is for root, and this login may become postgres only\n`);
      expect(calls).toEqual([]);
    },
  );

  test("kills no process but those of the unit", () => {
    expect(run("sleep 30 & systemctl kill -s KILL postgresql-nosuch.service || :; kill $! && echo alive").out).toBe(
      "alive\n",
    );
  });
});

describe("what sudo lists for postgres", () => {
  test("is read line by line", () => {
    const text = `Matching Defaults entries for postgres on pg1:
    env_reset, mail_badpass, secure_path=/usr/local/sbin\\:/usr/bin, use_pty, !requiretty

User postgres may run the following commands on pg1:
    (root) NOPASSWD: /usr/bin/systemctl start postgresql-main
    (root) NOPASSWD: /usr/bin/systemctl stop postgresql-main, NOPASSWD: /usr/bin/systemctl stop repmgrd-main
    (root) /usr/bin/asks for a password
    (nobody) NOPASSWD: /usr/bin/id
`;
    expect(parseSudoList(text)).toEqual([
      "/usr/bin/systemctl start postgresql-main",
      "/usr/bin/systemctl stop postgresql-main",
      "/usr/bin/systemctl stop repmgrd-main",
    ]);
  });
});

describe("why the login does not become postgres, and what to type", () => {
  const host = { ...connection("db1"), user: "deploy", sudo: "postgres" as const };
  const said = (stderr: string): string =>
    startError(host, "read the facts of db1", { code: 1, stdout: "", stderr }).message;
  const line = "echo 'deploy ALL=(postgres) NOPASSWD: ALL' > /etc/sudoers.d/deploy && visudo -c";
  test.each([
    ["sudo: a password is required\n", "sudo asks for a password and the inventory says it would not", line],
    ["deploy is not in the sudoers file.\n", "the login may not use sudo for this", line],
    [
      "Sorry, user deploy is not allowed to execute '/usr/bin/timeout' as postgres on db1.\n",
      "the login may not",
      line,
    ],
    ["sudo: unknown user postgres\n", "this host was never prepared by a run with full sudo", 'Set "sudo: nopasswd"'],
    ["sudo: unknown user: postgres\n", "this host was never prepared by a run with full sudo", 'type "pulumi up"'],
  ])("%s", (stderr, why, next) => {
    expect(said(stderr)).toContain("cannot read the facts of db1 as postgres: ");
    expect(said(stderr)).toContain(why);
    expect(said(stderr)).toContain(next);
  });
  test("without a word of sudo's", () => {
    expect(said("")).toContain("sudo -n -u postgres true");
  });
});
