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
  const told = (
    command: string,
    args: string[],
    slots?: { psql: string },
  ): { status: number | null; ms: number; dir: string; out: string } => {
    const dir = mkdtempSync(join(tmpdir(), "event-"));
    scratch.push(dir);
    const [spec] = inventoryOf(edited()).clusters as [ClusterSpec];
    executable(join(dir, "logger"), `{ echo "logger $*"; cat; } >>${dir}/journal\n`);
    executable(join(dir, "fence"), `echo "$1" >>${dir}/fenced\n`);
    executable(join(dir, "psql"), `echo "psql $*" >>${dir}/asked; cat >>${dir}/asked; ${slots?.psql ?? ""}\n`);
    const more = slots === undefined ? {} : { failoverSlots: ["warehouse"] };
    const script = eventScript(
      { ...spec, ...more, eventCommand: command },
      { fence: join(dir, "fence"), binDirectory: dir },
    );
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

  describe.each(["standby_follow", "node_rejoin"])("where slots fail over, after %s", (event) => {
    test("sees to what their copies need before repmgr goes on", () => {
      const { dir, out } = told("", ["2", event, "1", "", ""], { psql: "" });
      const [call, ...statements] = read(dir, "asked").split("\n");
      expect(call).toBe("psql -XAtqw -v ON_ERROR_STOP=1 -h /run/postgresql -p 5432 -d postgres");
      expect(statements.join("\n")).toContain("alter system set primary_conninfo");
      expect([out, read(dir, "journal")]).toEqual(["", expect.not.stringContaining("failover is not set")]);
    });

    test("says why it cannot", () => {
      const { dir, status } = told("", ["2", event, "1", "", ""], { psql: "echo starting up >&2; exit 2" });
      expect(status).toBe(0);
      expect(read(dir, "journal")).toContain(
        "logger -t repmgr-main -- n2: what its slots need for a failover is not set: starting up",
      );
    });
  });

  test.each(["child_node_disconnect", "child_node_reconnect", "child_node_new_connect", "standby_promote"])(
    "where slots fail over, %s keeps nobody waiting",
    async (event) => {
      const { dir, ms } = told("", ["1", event, "1", "", ""], { psql: "" });
      expect(ms).toBeLessThan(900);
      expect(read(dir, "asked")).toBe("");
      await later(() => read(dir, "asked").includes("synchronized_standby_slots"));
      expect(read(dir, "asked")).toContain("alter system set synchronized_standby_slots");
    },
  );

  test("asks nothing at any other event, and nothing at all where no slot fails over", () => {
    expect(read(told("", ["1", "repmgrd_start", "1", "", ""], { psql: "" }).dir, "asked")).toBe("");
    expect(read(told("", ["2", "standby_follow", "1", "", ""]).dir, "asked")).toBe("");
  });

  test("looks for a newer primary when a standby has left", async () => {
    const { dir } = told("", ["1", "child_node_disconnect", "1", "", ""]);
    await later(() => read(dir, "fenced") !== "");
    expect(read(dir, "fenced")).toBe("newer\n");
  });
});
