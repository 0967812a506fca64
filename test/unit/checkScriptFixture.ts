import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterSpec, NodeSpec } from "../../config/types";
import { textOf } from "../../providers/unitScript";
import { checkScript } from "../../resources/monitoring";
import { edited, type Edit, inventoryOf } from "./configFixture";

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

export const WAL = 1024 * 1024;
export const PRIMARY = [
  "role primary",
  "standby n2 0",
  "repmgrd 1 0",
  "wraparound 1000 5",
  `slot repmgr_slot_2 1 reserved ${WAL}`,
];
export const STANDBY = ["role standby", "lag 1 f 3", "repmgrd 1 0", "wraparound 1000 5"];

export interface Options {
  readonly args?: string[];
  readonly edits?: Edit[];
  /** Used and free bytes of every file system. */
  readonly disk?: string;
  readonly psql?: string;
  readonly node?: number;
  /** So many hours ago there was a backup. */
  readonly backupHours?: number;
  /** A certificate for so many days; "none": the file is not there. */
  readonly certificateDays?: number | "none";
  /** Another one beside it, with which the node logs in to the others. */
  readonly loginDays?: number;
}

export interface Ran {
  readonly status: number | null;
  readonly said: string;
  readonly metrics: string;
  readonly files: string[];
}

/** Runs a node's check for real; psql says what it is given, df and the way to be postgres are ours, too. */
export function check(answers: readonly string[], options: Options = {}): Ran {
  const dir = mkdtempSync(join(tmpdir(), "check-"));
  scratch.push(dir);
  const [bin, data, textfiles] = [join(dir, "bin"), join(dir, "da ta"), join(dir, "text files")];
  mkdirSync(bin);
  mkdirSync(data);
  const monitoring = [
    `textfile_directory: ${textfiles}`,
    ...(options.backupHours === undefined ? [] : [`backup_stamp: ${join(dir, "stamp")}`]),
  ].join(", ");
  const certificate: Edit[] =
    options.certificateDays === undefined
      ? []
      : [["work_mem: 8MB", `work_mem: 8MB\n      ssl_cert_file: ${join(dir, "server.crt")}`]];
  const text = edited(
    ["    port: 5432", `    port: 5432\n    monitoring: { ${monitoring} }`],
    ...certificate,
    ...(options.edits ?? []),
  );
  const [spec] = inventoryOf(text).clusters as [ClusterSpec];
  if (options.backupHours !== undefined && options.backupHours >= 0) {
    writeFileSync(join(dir, "stamp"), "");
    const at = Date.now() / 1000 - options.backupHours * 3600;
    utimesSync(join(dir, "stamp"), at, at);
  }
  if (typeof options.certificateDays === "number") makeCertificate(dir, "server", options.certificateDays);
  const login = options.loginDays === undefined ? [] : [makeCertificate(dir, "login", options.loginDays)];
  writeFileSync(join(dir, "answer"), answers.map((line) => `${line}\n`).join(""));
  executable(join(bin, "psql"), options.psql ?? `cat >'${dir}/asked'; cat '${dir}/answer'`);
  executable(join(bin, "setpriv"), `while [ "$1" != -- ]; do shift; done; shift; exec "$@"`);
  executable(
    join(bin, "df"),
    options.disk === "" ? "exit 1" : `echo Filesystem; echo /dev/x 0 ${options.disk ?? "10 90"} 0% /`,
  );
  if (spec.monitoring === undefined) throw new Error("the inventory asks for no monitoring");
  const node = spec.nodes[options.node ?? 0] as NodeSpec;
  const monitored = { ...spec.monitoring, certificates: [...spec.monitoring.certificates, ...login] };
  const script = checkScript({ ...spec, dataDirectory: data }, node, monitored, { binDirectory: bin });
  const env = { PATH: `${bin}:/usr/bin:/bin`, TMPDIR: dir };
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s", "--", ...(options.args ?? [])], {
    input: textOf(script),
    encoding: "utf8",
    env,
  });
  const file = join(textfiles, "repmgr_main.prom");
  return {
    status,
    said: (stdout + stderr).trim(),
    metrics: existsSync(file) ? readFileSync(file, "utf8") : "",
    files: existsSync(textfiles) ? readdirSync(textfiles) : [],
  };
}

/** @returns its file */
function makeCertificate(dir: string, name: string, days: number): string {
  const [key, file] = [join(dir, `${name}.key`), join(dir, `${name}.crt`)];
  const what = [
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-subj",
    "/CN=db",
    "-days",
    String(days),
    "-keyout",
    key,
    "-out",
    file,
  ];
  execFileSync("openssl", ["req", "-x509", ...what], { stdio: "pipe" });
  return file;
}
