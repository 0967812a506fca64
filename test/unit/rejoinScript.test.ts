import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../lab/wait";
import type { ClusterLayout } from "../../config/types";
import { hopeless, PUT_MARK, settled, watched } from "../../providers/rejoinScript";
import { sh } from "../../ssh/quote";
import * as facts from "../support/facts";

const GONE = "requested WAL segment 0000000200000000000000A1 has already been removed";
const LINE = `2026-11-24 19:00:00 UTC [7] FATAL:  could not receive data from WAL stream: ERROR:  ${GONE}\n`;
const UNIT = "postgresql@17-main.service";

const layoutWith = (logDirectory: string): ClusterLayout => ({
  ...{ configFile: "/etc/conf", hbaFile: "/etc/hba", passFile: "/etc/pass", repmgrConf: "/etc/repmgr.conf" },
  ...{ postgresqlUnit: UNIT, repmgrdUnit: "repmgrd.service", socketDirectory: "/tmp", logDirectory },
});

/** The watched part of a rejoin in a directory of its own: only systemctl, repmgr and the server's log are made up. */
class Watched {
  readonly directory = mkdtempSync(join(tmpdir(), "rejoin-"));
  readonly logs = this.path("logs");
  readonly log = join(this.logs, "main.log");
  readonly mark = this.path("data.rejoining");
  private child: ChildProcess | undefined;
  output = "";

  constructor() {
    for (const directory of ["data", "logs", "bin"]) mkdirSync(this.path(directory));
    writeFileSync(this.mark, "begun\n");
    writeFileSync(this.log, "");
    writeFileSync(this.path("data/current_logfiles"), `stderr ${this.log}\n`);
    // The stop cancels the start that repmgr waits for.
    writeFileSync(this.path("bin/systemctl"), `#!/bin/sh\necho "$@" >>${this.path("stopped")}\n`);
    chmodSync(this.path("bin/systemctl"), 0o755);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  private readonly want = facts.nodeInputs(1, { layout: layoutWith(this.logs) });

  /** Until the log is watched. @param rejoin shell in place of repmgr */
  start(rejoin: string): Promise<void> {
    const begun = `sh -c ${sh(`touch ${this.path("begun")}; ${rejoin}`)}`;
    return this.run(`${watched(this.want, begun)}\necho "ended with $code: $said"`);
  }

  /** What is done about one that was cut. @param answers shell in place of pg_isready */
  settle(answers: string): Promise<void> {
    return this.run(`${hopeless(this.want)}\n${settled(`sh -c ${sh(`touch ${this.path("begun")}; ${answers}`)}`)}`);
  }

  private async run(work: string): Promise<void> {
    const script = `set -e
data=${sh(this.path("data"))}
mark=${sh(this.mark)}
${PUT_MARK}
( ${work} )`;
    const env = { PATH: `${this.path("bin")}:${process.env.PATH}` };
    this.child = spawn("sh", ["-c", script], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const take = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.child.stdout?.on("data", take);
    this.child.stderr?.on("data", take);
    await until("the rejoin has begun", 20_000, () => existsSync(this.path("begun")) || this.output || "no output");
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  async ends(): Promise<number | null> {
    await until("the script ends", 20_000, () => this.child?.exitCode !== null || this.output || "no output");
    return this.child?.exitCode ?? null;
  }

  /** What systemd was told, in order. */
  get told(): string {
    return existsSync(this.path("stopped")) ? readFileSync(this.path("stopped"), "utf8") : "";
  }

  /** Nothing of the script runs any more. */
  async isGone(): Promise<void> {
    await until("its processes are gone", 20_000, () => {
      try {
        process.kill(-this.pid, 0);
        return "some still run";
      } catch {
        return true;
      }
    });
  }
}

describe("a rejoin whose start cannot end by itself", () => {
  let scene: Watched;
  beforeEach(() => (scene = new Watched()));
  afterEach(async () => {
    await scene.isGone();
    rmSync(scene.directory, { recursive: true });
  });
  const untilStopped = (): string => `while [ ! -e ${scene.path("stopped")} ]; do sleep 0.1; done; exit 1`;

  test("is stopped when the log asks in vain for the same WAL again, and the mark says why", async () => {
    await scene.start(untilStopped());
    appendFileSync(scene.log, LINE + LINE);
    expect(await scene.ends()).toBe(0);
    expect(scene.told).toBe(`stop ${UNIT}\n`);
    expect(readFileSync(scene.mark, "utf8")).toBe(`failed: rewound, but its primary says: ${GONE}\n`);
    expect(scene.output).toBe(`failed: rewound, but its primary says: ${GONE}\n`);
  });

  test("is killed where systemd does not stop it", async () => {
    writeFileSync(
      scene.path("bin/systemctl"),
      `#!/bin/sh\necho "$@" >>${scene.path("asked")}\n[ "$1" != stop ] || exit 1\ntouch ${scene.path("stopped")}\n`,
    );
    await scene.start(untilStopped());
    appendFileSync(scene.log, LINE + LINE);
    expect(await scene.ends()).toBe(0);
    expect(readFileSync(scene.path("asked"), "utf8")).toBe(`stop ${UNIT}\nkill -s KILL ${UNIT}\n`);
  });

  test.each<[string, () => void]>([
    [
      "was said before, is said once as long as an archive may have it, or of another cluster",
      () => {
        appendFileSync(scene.log, LINE + LINE.replace("A1 has", "A2 has"));
        writeFileSync(join(scene.logs, "other.log"), LINE + LINE);
      },
    ],
    ["cannot be known, as there is no log", () => rmSync(scene.path("data/current_logfiles"))],
  ])("goes on when that %s", async (_, meanwhile) => {
    appendFileSync(scene.log, LINE + LINE);
    await scene.start("sleep 2.5; echo joined; exit 7");
    meanwhile();
    expect(await scene.ends()).toBe(0);
    expect(scene.output).toBe("ended with 7: joined\n");
    expect([scene.told, readFileSync(scene.mark, "utf8")]).toEqual(["", "begun\n"]);
  });

  test("a server that writes its log itself, and a log that was begun anew", async () => {
    rmSync(scene.path("data/current_logfiles"));
    appendFileSync(scene.log, "old\n".repeat(500));
    const server = spawn("sh", ["-c", `exec sleep 20 2>>${scene.log}`], { stdio: "ignore" });
    writeFileSync(scene.path("data/postmaster.pid"), `${server.pid}\n`);
    await scene.start(untilStopped());
    writeFileSync(scene.log, LINE + LINE);
    expect(await scene.ends()).toBe(0);
    server.kill();
    expect(readFileSync(scene.mark, "utf8")).toContain(GONE);
  });

  test.each<[string, string, string, string]>([
    ["answers in the end", "test $(wc -l <TRIES) -gt 2", "", "begun\n"],
    ["is seen never to answer", "false", `stop ${UNIT}\n`, `failed: rewound, but its primary says: ${GONE}\n`],
  ])("one that was cut is waited for, and %s", async (_, answers, told, mark) => {
    const tries = scene.path("tries");
    await scene.settle(`echo >>${tries}; ${answers.replace("TRIES", tries)}`);
    if (told !== "") appendFileSync(scene.log, LINE + LINE);
    expect(await scene.ends()).toBe(0);
    expect([scene.told, readFileSync(scene.mark, "utf8")]).toEqual([told, mark]);
  });

  test("leaves no watch behind when the script is killed", async () => {
    await scene.start("sleep 2");
    process.kill(scene.pid, "SIGKILL");
    await scene.isGone();
    appendFileSync(scene.log, LINE + LINE);
    expect(scene.told).toBe("");
  });
});
