import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { existsProbe, fileProbe } from "../../facts/file";
import type { Probe } from "../../facts/probe";
import { justNow } from "./kindFixture";

// What a login that is not root cannot get to is not absent: in a real shell, as nobody where the tests run as root.
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "closed-"));
  mkdirSync(join(directory, "shut"));
  chmodSync(join(directory, "shut"), 0o600);
  chmodSync(directory, 0o755);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function asNobody<T>(probe: Probe<T>): T {
  const isRoot = process.getuid?.() === 0;
  const become = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const args = [...become, "sh", "-c", probe.script];
  const { status, stdout, stderr } = spawnSync("env", args, { encoding: "utf8", cwd: "/" });
  return probe.parse({ code: status ?? 1, stdout, stderr }, justNow());
}

test.each(["shut/file", "shut/way/file"])("%s is neither there nor absent", (name) => {
  const path = join(directory, name);
  expect(() => asNobody(fileProbe(path))).toThrow(`${join(directory, "shut")} may not be searched by this login`);
  expect(() => asNobody(existsProbe(path))).toThrow("may not be searched by this login");
});

test.each(["file", "way/file"])("%s is absent", (name) => {
  expect(asNobody(fileProbe(join(directory, name)))).toBeUndefined();
  expect(asNobody(existsProbe(join(directory, name)))).toBe(false);
});
