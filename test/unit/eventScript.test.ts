import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterSpec } from "../../config/types";
import { textOf } from "../../providers/unitScript";
import { eventScript } from "../../resources/scripts";
import { edited, inventoryOf } from "./configFixture";

const scratch: string[] = [];
afterAll(() => scratch.forEach((path) => rmSync(path, { recursive: true })));

function executable(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

describe("the event script", () => {
  const told = (command: string, args: string[]): { status: number | null; ms: number; dir: string; out: string } => {
    const dir = mkdtempSync(join(tmpdir(), "event-"));
    scratch.push(dir);
    const [spec] = inventoryOf(edited()).clusters as [ClusterSpec];
    executable(join(dir, "logger"), `{ echo "logger $*"; cat; } >>${dir}/journal\n`);
    executable(join(dir, "fence"), `echo "$1" >>${dir}/fenced\n`);
    const script = eventScript({ ...spec, eventCommand: command }, { fence: join(dir, "fence") });
    const began = Date.now();
    const env = { PATH: `${dir}:/usr/bin:/bin` };
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-s", ...args], {
      input: textOf(script),
      encoding: "utf8",
      env,
    });
    return { status, ms: Date.now() - began, dir, out: stdout + stderr };
  };
  const read = (dir: string, file: string): string =>
    existsSync(join(dir, file)) ? readFileSync(join(dir, file), "utf8") : "";
  /** What the script leaves running has to have done its work by then. */
  const later = async (look: () => boolean): Promise<void> => {
    for (let tries = 0; !look() && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  };

  test("writes to the journal and calls the command with what happened", async () => {
    const command = `printf '%s|' "$REPMGR_CLUSTER" "$REPMGR_NODE" "$REPMGR_EVENT" "$REPMGR_SUCCESS" "$REPMGR_AT" "$REPMGR_DETAILS" >"$(dirname "$(command -v logger)")/called"`;
    const details = 'node "n2"; $(id)\nsecond\'s line';
    const { status, dir, out } = told(command, ["2", "standby_promote", "1", "2026-11-24 10:00", details]);
    expect({ status, out }).toEqual({ status: 0, out: "" });
    const line = details.replace("\n", " ");
    const journal = read(dir, "journal").split("\n");
    expect(journal[0]).toBe("logger --journald");
    expect(journal).toEqual(
      expect.arrayContaining([
        `MESSAGE=n2: standby_promote: ${line}`,
        "REPMGR_CLUSTER=main",
        "REPMGR_NODE=n2",
        "PRIORITY=5",
      ]),
    );
    await later(() => read(dir, "called") !== "");
    expect(read(dir, "called")).toBe(`main|n2|standby_promote|1|2026-11-24 10:00|${line}|`);
    expect(read(dir, "fenced")).toBe("");
  });

  test("does not keep repmgrd waiting for a command that hangs", () => {
    expect(told("sleep 30", ["1", "x", "1", "", ""]).ms).toBeLessThan(5_000);
  });

  test("says that the command failed, with what it said", async () => {
    const { dir } = told("echo no such pager; exit 3", ["9", "repmgrd_start", "0", "", ""]);
    await later(() => read(dir, "journal").includes("status 3"));
    const journal = read(dir, "journal");
    expect(journal).toContain("MESSAGE=node 9: repmgrd_start failed");
    expect(journal).toContain("PRIORITY=4");
    expect(journal).toContain("no such pager\nthe command for events ended with exit status 3");
  });

  test("looks for a newer primary when a standby has left", async () => {
    const { dir } = told("", ["1", "child_node_disconnect", "1", "", ""]);
    await later(() => read(dir, "fenced") !== "");
    expect(read(dir, "fenced")).toBe("newer\n");
  });
});
