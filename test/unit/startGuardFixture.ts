import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { textOf } from "../../providers/unitScript";
import { type GuardPeer, startGuard } from "../../resources/units";

export const spec = { cluster: "main", version: 17, family: "debian", dataDirectory: "/srv/pg data/main" } as const;
export const OURS = "7711467505050316867";
export const PEERS: GuardPeer[] = [
  { node: "n2", address: "db2", isWitness: false },
  { node: "n3", address: "db3", isWitness: false },
];
export const WITNESS: GuardPeer = { node: "n3", address: "db3", isWitness: true };

/** What the fake psql says for a peer: a line on stdout, or "!" and a line on stderr with exit status 2. */
export interface Case {
  readonly answers?: Record<string, string>;
  readonly peers?: readonly GuardPeer[];
  readonly system?: string;
  readonly standby?: boolean;
  readonly pass?: boolean;
  readonly isWitness?: boolean;
  readonly timeline?: number;
  readonly withoutPeers?: "allow";
  readonly windowSeconds?: number;
  readonly bootWindowSeconds?: number;
  /** Shell: what happens when the peers are asked, in the directory of the answers, where "asked" has a line for each question. */
  readonly meanwhile?: string;
  /** "Database cluster state"; default: "shut down". */
  readonly state?: string;
  /** Shell: what happens while a crash is recovered, in the directory of the answers. */
  readonly recovery?: string;
  readonly fromArchive?: boolean;
  /** By host, whom it was told to follow; default: this node. */
  readonly follows?: Readonly<Record<string, string>>;
  /** Hosts whose vote another has, or that give it to nobody. */
  readonly votedAlready?: readonly string[];
}

export const RECOVERS = "echo 'shut down' >state";

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

export interface Guarded {
  readonly status: number | null;
  readonly said: string;
  readonly asked: number;
  readonly recovered: boolean;
  /** Whom the peers have given their votes to when it ends. */
  readonly votes: readonly string[];
  readonly passLeft: boolean;
  readonly ms: number;
}

/** Runs the guard of n1, for real, in a directory where everything it asks is under control. */
export function guard(c: Case): Guarded {
  const dir = mkdtempSync(join(tmpdir(), "start-guard-"));
  scratch.push(dir);
  const [bin, data] = [join(dir, "bin"), join(dir, "it's data")];
  mkdirSync(bin);
  mkdirSync(join(data, "global"), { recursive: true });
  const control = Buffer.alloc(512);
  control.writeBigUInt64LE(BigInt(OURS));
  writeFileSync(join(data, "global/pg_control"), control);
  if (c.standby) writeFileSync(join(data, "standby.signal"), "");
  if (c.pass) writeFileSync(join(dir, "pass"), "");
  if (c.fromArchive) writeFileSync(join(data, "recovery.signal"), "");
  writeFileSync(join(dir, "state"), c.state ?? "shut down");
  executable(
    join(bin, "postgres"),
    `[ "$*" = "--single -D ${data} template1" ] || exit 9; cd ${dir}; touch recovered; ${c.recovery ?? RECOVERS}\n`,
  );
  executable(
    join(bin, "pg_controldata"),
    `echo "Database cluster state:               $(cat ${dir}/state)"; echo "Latest checkpoint's TimeLineID:       ${c.timeline ?? 1}"; echo "Min recovery ending loc's timeline:   0"\n`,
  );
  for (const [host, answer] of Object.entries(c.answers ?? {})) writeFileSync(join(dir, host), answer);
  executable(
    join(bin, "psql"),
    `host=; query=
while [ $# -gt 0 ]; do
  case $1 in -h) host=$2 ;; -p) [ "$2" = 5432 ] || exit 9 ;; -c) query=$2 ;; esac
  shift
done
cd ${dir}
case $(head -c 1 "$host")$query in
  '!'*) ;;
  *pg_try_advisory_xact_lock*) [ -e "$host.voted" ] || echo "$PGAPPNAME" >"$host.voted"; exit ;;
  *pg_terminate_backend*) [ "$(cat "$host.voted")" = vote-2 ] || rm -f "$host.voted"; exit ;;
esac
echo "$host" >>asked
${c.meanwhile ?? ""}
answer=$(cat "$host")
case $answer in '!'*) echo "psql: error: connection to server at \\"$host\\", port 5432 failed: \${answer#!}" >&2; exit 2 ;; esac
echo "$answer $(cat "$host.voted" 2>/dev/null || echo -) $(cat "$host.follows" 2>/dev/null || echo db1)"
`,
  );
  for (const [host, followed] of Object.entries(c.follows ?? {})) writeFileSync(join(dir, `${host}.follows`), followed);
  for (const host of c.votedAlready ?? []) writeFileSync(join(dir, `${host}.voted`), "vote-2");
  executable(join(bin, "systemctl"), `echo ${c.system ?? "running"}\n`);
  const script = startGuard({
    ...spec,
    dataDirectory: data,
    nodeId: 1,
    port: 5432,
    isWitness: c.isWitness ?? false,
    peers: c.peers ?? PEERS,
    withoutPeers: c.withoutPeers ?? "refuse",
    binDirectory: bin,
    startAnyway: join(dir, "pass"),
    windowSeconds: c.windowSeconds ?? 1,
    bootWindowSeconds: c.bootWindowSeconds ?? 1,
  });
  const began = Date.now();
  const { status, stderr } = spawnSync("/bin/sh", ["-s"], {
    input: textOf(script),
    encoding: "utf8",
    env: { PATH: `${bin}:/usr/bin:/bin` },
  });
  const votes = PEERS.map(({ address }) => join(dir, `${address}.voted`)).filter((path) => existsSync(path));
  const asked = existsSync(join(dir, "asked"))
    ? spawnSync("wc", ["-l", join(dir, "asked")], { encoding: "utf8" })
    : undefined;
  return {
    status,
    said: stderr.trim(),
    asked: Number.parseInt(asked?.stdout ?? "0", 10),
    recovered: existsSync(join(dir, "recovered")),
    votes: votes.map((path) => readFileSync(path, "utf8").trim()),
    passLeft: existsSync(join(dir, "pass")),
    ms: Date.now() - began,
  };
}

export const standby = (timeline = 1, identifier = OURS): string => `standby ${identifier} ${timeline}`;
export const refused = "!Connection refused";
export const silent = "!timeout expired";
