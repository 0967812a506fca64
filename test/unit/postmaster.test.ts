import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { POSTMASTER, UNIT_OF } from "../../facts/postmaster";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "postmaster-"))));
afterEach(() => rmSync(dir, { recursive: true }));

function shell(script: string, cwd = "/"): string {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8", cwd });
  if (status !== 0) throw new Error(`exit status ${status}: ${stderr}`);
  return stdout.trim();
}

/** What unit_of says of process 4711 where /proc is this. */
function unitIn(ofFirst: string, ofProcess: string): string {
  writeFileSync(join(dir, "first"), ofFirst);
  writeFileSync(join(dir, "process"), ofProcess);
  const here = UNIT_OF.replaceAll("/proc/1/cgroup", `${dir}/first`).replaceAll("/proc/$1/cgroup", `${dir}/process`);
  return shell(`${here}\nunit_of 4711`);
}

test.each<[string, string, string, string]>([
  ["cgroups 2", "0::/init.scope\n", "0::/system.slice/postgresql-main.service\n", "postgresql-main.service"],
  [
    "a template's slice",
    "0::/init.scope\n",
    "0::/system.slice/system-postgresql.slice/postgresql@17-main.service\n",
    "postgresql@17-main.service",
  ],
  ["a service with groups of its own", "0::/\n", "0::/system.slice/a.service/main/x.service\n", "a.service"],
  ["a login", "0::/init.scope\n", "0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"],
  [
    "cgroups 1, as on RHEL 8",
    "12:cpu,cpuacct:/\n1:name=systemd:/init.scope\n",
    "12:cpu,cpuacct:/system.slice\n1:name=systemd:/system.slice/postgresql-main.service\n",
    "postgresql-main.service",
  ],
  [
    "both, of which systemd uses the second",
    "9:name=systemd:/\n0::/init.scope\n",
    "9:name=systemd:/\n0::/system.slice/postgresql-main.service\n",
    "postgresql-main.service",
  ],
  [
    "a container that sees the groups of its host",
    "0::/machine.slice/pg1.scope/init.scope\n",
    "0::/machine.slice/pg1.scope/system.slice/postgresql-main.service\n",
    "postgresql-main.service",
  ],
  ["a process that came in from outside", "0::/init.scope\n", "0::/../../user.slice/session-3.scope\n", ""],
  ["no unit", "0::/\n", "0::/\n", ""],
])("the unit of a process: %s", (_, first, process, unit) => {
  expect(unitIn(first, process)).toBe(unit);
});

test("a postmaster is the process of its file that works in this directory", () => {
  const look = (path = dir, cwd = "/"): string =>
    shell(
      `${POSTMASTER}\nif postmaster '${path}'; then echo "runs $pid"; else echo "does not run, file: $pid"; fi`,
      cwd,
    );
  expect(look()).toBe("does not run, file:");
  writeFileSync(join(dir, "postmaster.pid"), `${process.pid}\n/x\n`);
  expect(look()).toBe(`does not run, file: ${process.pid}`);
  writeFileSync(join(dir, "postmaster.pid"), `${"9".repeat(9)}\n`);
  expect(look()).toBe("does not run, file: 999999999");
  const before = process.cwd();
  try {
    process.chdir(dir);
    writeFileSync(join(dir, "postmaster.pid"), `${process.pid}`);
    symlinkSync(dir, `${dir}.link`);
    expect(look()).toBe(`runs ${process.pid}`);
    expect(look(`${dir}.link`)).toBe(`runs ${process.pid}`);
  } finally {
    process.chdir(before);
    rmSync(`${dir}.link`);
  }
});
