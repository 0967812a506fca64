import { justNow } from "./kindFixture";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseRewind, type RewindFacts, rewindProbe } from "../../facts/rewind";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const scratch = mkdtempSync(join(tmpdir(), "rewind-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const PARTED = "pg_rewind: servers diverged at WAL location 0/302A3E8 on timeline 1";
const COMMIT =
  "rmgr: Transaction len (rec/tot): 34/34, tx: 741, lsn: 0/0302A420, prev 0/0302A3E8, desc: COMMIT 2026-11-24";
const ABORT = COMMIT.replace("COMMIT", "ABORT");

/** The probe, run for real with what pg_rewind and pg_waldump say made up. */
function looked(rewound: string, wal: readonly string[]): RewindFacts {
  const [bin, data] = [join(scratch, "bin"), join(scratch, "it's data")];
  for (const dir of [bin, data]) mkdirSync(dir, { recursive: true });
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  program("runuser", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"');
  program("pg_controldata", "echo 'Database cluster state:               shut down'");
  program("pg_rewind", `echo '${rewound}' >&2`);
  writeFileSync(join(scratch, "wal"), wal.join("\n"));
  program(
    "pg_waldump",
    `echo "$*" >'${join(scratch, "asked")}'; cat '${join(scratch, "wal")}'; echo "error: invalid record" >&2; exit 1`,
  );
  const probe = rewindProbe({
    binDirectory: bin,
    passFile: "/p",
    address: "192.0.2.2",
    port: 5432,
    dataDirectory: data,
  });
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s"], {
    input: `set -e\n${probe.script}`,
    encoding: "utf8",
    env,
  });
  return probe.parse({ code: status ?? -1, stdout, stderr }, justNow());
}

test("what a node committed alone is counted from where it parted", () => {
  expect(looked(PARTED, [COMMIT, ABORT, COMMIT])).toMatchObject({
    rewind: "possible",
    alone: { transactions: 2, since: "0/302A3E8" },
  });
  expect(readFileSync(join(scratch, "asked"), "utf8")).toBe(
    `--path=${join(scratch, "it's data")}/pg_wal --start=0/302A3E8 --timeline=1 --rmgr=Transaction\n`,
  );
  expect(looked(PARTED, [ABORT]).alone).toEqual({ transactions: 0, since: "0/302A3E8" });
});

test("nothing is said where pg_rewind does not say where they parted", () => {
  expect(looked("pg_rewind: no rewind required", [COMMIT]).alone).toBeUndefined();
  expect(parseRewind("stamp=1\nsize=4\nfree=9\ndevice=1\nrewind=unknown x\n").alone).toBeUndefined();
});

test("the plan says how much is given up, before it is", () => {
  const heir = facts.primary({ repmgr: { nodes: facts.rows(2), paused: false } }, { timeline: 2 });
  const inputs = facts.nodeInputs(1);
  const view = facts.view([facts.formerPrimary(1), heir, facts.standby(3, 2)]);
  const why = (transactions: number): string => {
    const alone = { transactions, since: "0/302A3E8" };
    const rewind = {
      rewind: "possible",
      reason: "",
      sizeKib: 1,
      freeKib: 9,
      device: "1",
      spaces: [],
      stamp: "s",
      alone,
    } as const;
    return facts.whys(repmgrNodeKind.plan(inputs, facts.nodeFacts(inputs, view, { rewind }))).at(-1) ?? "";
  };
  expect(why(37)).toMatch(
    /rewound to where they parted \(0\/302A3E8\); 37 transactions after that, repmgr's own among them, are on this node alone and are given up$/,
  );
  expect(why(0)).toMatch(/rewound to where they parted$/);
});
