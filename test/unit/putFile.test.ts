import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putFileScript } from "../../actions/putFile";
import { OWNER } from "../support/noteKind";

test("who may write in the directory cannot make root change the owner and mode of another file", async () => {
  const directory = mkdtempSync(join(tmpdir(), "put-"));
  try {
    const [path, victim] = [join(directory, "target"), join(directory, "victim")];
    writeFileSync(victim, "old\n", { mode: 0o600 });
    const put = {
      do: "putFile",
      host: "n1",
      why: "write it",
      path,
      content: "new\n",
      owner: OWNER,
      mode: "0644",
    } as const;
    const shell = spawn("sh", ["-c", `set -e\n${putFileScript(put)}`]);
    const ended = once(shell, "exit");
    const temporary = `${path}.repmgr-pulumi`;
    while (!existsSync(temporary)) await new Promise((resolve) => setTimeout(resolve, 5));
    // While the content is still on its way.
    rmSync(temporary);
    symlinkSync(victim, temporary);
    shell.stdin.end(put.content);
    await ended;
    expect(statSync(victim).mode & 0o777).toBe(0o600);
    expect(readFileSync(victim, "utf8")).toBe("old\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
