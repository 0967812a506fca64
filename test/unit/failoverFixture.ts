import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterSpec, NodeSpec } from "../../config/types";
import { textOf } from "../../providers/unitScript";
import type { fence } from "../../resources/scripts";
import { edited, type Edit, inventoryOf } from "./configFixture";

export const OURS = "7711467505050316867";
export const refused = "!Connection refused";
export const silent = "!timeout expired";
export const WITNESS: Edit = ["n3: { id: 3, host: h3 }", "n3: { id: 3, host: h3, role: witness }"];
export const SYNCHRONOUS: Edit = ["    port: 5432", "    port: 5432\n    synchronous: { num: 1 }"];
/** What goes on for so long goes on until it is ended. Asking takes a moment on a busy machine. */
export const WATCHED_MS = 5_000;
const DEADLINE_MS = 30_000;

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

/** What the fake psql says: for "own" through the socket, for a node at its address; "!" and a text is a failure; "@" is who has its vote. */
export interface Hosts {
  readonly own: string;
  readonly n2: string;
  readonly n3: string;
}

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

export interface Ran {
  /** Where it ran. */
  readonly dir: string;
  readonly status: number | null;
  readonly said: string;
  /** What was done to the server, line by line. */
  readonly stopped: string;
  /** What it left behind for those who ask why. */
  readonly mark: string;
  /** How often PostgreSQL was started. */
  readonly starts: number;
  /** Who has the votes when the script has ended: of n1, n2 and n3. */
  readonly votes: readonly string[];
  /** Whom it asked how it is, in that order. */
  readonly asked: readonly string[];
  readonly ms: number;
}

export interface Options {
  readonly edits?: Edit[];
  readonly args?: string[];
  readonly pid?: number;
  /** What the others say once PostgreSQL has been stopped. */
  readonly afterStop?: Pick<Hosts, "n2" | "n3">;
  /** The start guard's answer; default: it may start. */
  readonly startStatus?: number;
  /** What repmgr does, and what the validation of a failover; shell, in the directory where it runs. */
  readonly repmgr?: string;
  readonly validation?: string;
  /** It goes on until the test has seen enough. */
  readonly isEndless?: boolean;
  /** Hosts whose vote another has already. */
  readonly votedAlready?: readonly string[];
  /** Default: vote-2. */
  readonly votedBy?: string;
  /** When that vote expires; default: never. Seconds. */
  readonly expiresAfter?: number;
}

/** Runs a script of n1, for real, where everything it asks is under control. */
export function run(of: typeof fence, answers: Hosts, options: Options = {}): Ran {
  const dir = mkdtempSync(join(tmpdir(), "failover-"));
  scratch.push(dir);
  const [bin, data] = [join(dir, "bin"), join(dir, "data")];
  mkdirSync(bin);
  mkdirSync(data);
  const [found] = inventoryOf(edited(...(options.edits ?? []))).clusters as [ClusterSpec];
  const spec = { ...found, dataDirectory: data };
  const by = { "/run/postgresql": answers.own, "192.0.2.2": answers.n2, "192.0.2.3": answers.n3 };
  for (const [host, answer] of Object.entries(by)) writeFileSync(join(dir, host.replaceAll("/", "_")), answer);
  executable(
    join(bin, "psql"),
    `host=; query=
while [ $# -gt 0 ]; do case $1 in -h) host=$2 ;; -c) query=$2 ;; esac; shift; done
cd ${dir}
of=$(echo "$host" | tr / _)
case $query in *system_identifier*) echo "$host" >>asked ;; esac
answer=$(cat "$of")
case $answer$query in
  '!'*) ;;
  *pg_try_advisory_xact_lock*) [ -e "$of.voted" ] || echo "$PGAPPNAME" >"$of.voted"; exit ;;
  *pg_terminate_backend*)
    case $(cat "$of.voted" 2>/dev/null):$query in
      vote-1*:*"~ '^vote-1(-|\$)'") rm "$of.voted" ;;
      vote-1*:*"= '$(cat "$of.voted")'") rm "$of.voted" ;;
    esac
    exit ;;
  *"select pg_is_in_recovery()") cat promoted 2>/dev/null || echo t; exit ;;
esac
case $answer in '!'*) echo "psql: error: connection to server at \\"$host\\", port 5432 failed: \${answer#!}" >&2; exit 2 ;; esac
echo "$answer" | sed "s/@/$(cat "$of.voted" 2>/dev/null || echo -)/"
`,
  );
  const { votedAlready = [], votedBy = "vote-2" } = options;
  for (const host of votedAlready) writeFileSync(join(dir, `${host.replaceAll("/", "_")}.voted`), votedBy);
  executable(join(bin, "logger"), "exit 0\n");
  executable(join(bin, "pg_controldata"), `echo "Latest checkpoint's TimeLineID:       1"\n`);
  const later = options.afterStop ?? answers;
  executable(
    join(bin, "pg_ctl"),
    `pid=$(head -n 1 ${data}/postmaster.pid 2>/dev/null) || exit 3
[ "$1" != status ] || { kill -0 "$pid" 2>/dev/null && exit 0 || exit 3; }
echo "$*" >>${dir}/stopped; kill "$pid"
printf '%s' '${later.n2}' >${dir}/192.0.2.2; printf '%s' '${later.n3}' >${dir}/192.0.2.3
`,
  );
  executable(join(bin, "repmgr"), `cd ${dir}\n${options.repmgr ?? "exit 9"}\n`);
  executable(join(bin, "validation"), `cd ${dir}\n${options.validation ?? "exit 9"}\n`);
  executable(join(bin, "start"), `echo start >>${dir}/starts; exit ${options.startStatus ?? 0}\n`);
  if (options.pid !== undefined) writeFileSync(join(data, "postmaster.pid"), `${options.pid}\n`);
  const began = Date.now();
  const script = of(spec, spec.nodes[0] as NodeSpec, {
    binDirectory: bin,
    fenceMark: join(dir, "mark"),
    startCommand: join(bin, "start"),
    failoverValidation: join(bin, "validation"),
  });
  const votes = (): string[] => Object.keys(by).map((host) => `${host.replaceAll("/", "_")}.voted`);
  const expiry =
    options.expiresAfter === undefined
      ? undefined
      : spawn("/bin/sh", ["-c", `sleep ${options.expiresAfter}; rm -f ${votes().join(" ")}`], { cwd: dir });
  const { status, stdout, stderr, pid } = spawnSync("/bin/sh", ["-s", ...(options.args ?? [])], {
    input: textOf(script),
    encoding: "utf8",
    env: { PATH: `${bin}:/usr/bin:/bin` },
    timeout: options.isEndless === true ? WATCHED_MS : DEADLINE_MS,
  });
  const read = (file: string): string => (existsSync(join(dir, file)) ? readFileSync(join(dir, file), "utf8") : "");
  const said = (stdout + stderr).trim();
  const starts = read("starts").split("\n").length - 1;
  expiry?.kill();
  // Each run of the script has votes of its own.
  const given = votes().map((file) =>
    read(file)
      .trim()
      .replace(new RegExp(`^vote-1-${pid}$`), "vote-1"),
  );
  return {
    dir,
    status,
    said,
    votes: given,
    asked: read("asked").trim().split("\n"),
    stopped: read("stopped"),
    mark: read("mark"),
    starts,
    ms: Date.now() - began,
  };
}
