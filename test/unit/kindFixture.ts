import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Action } from "../../actions/action";
import type { FileFact } from "../../facts/file";
import type { Asked, Probe } from "../../facts/probe";
import type { HostConnection } from "../../ssh/types";

/** What a real lab host (Debian 13) answered. */
export function recorded(name: string): string {
  return readFileSync(join(__dirname, "recorded", `${name}.txt`), "utf8");
}

export function parsed<T>(probe: Probe<T>, stdout: string, code = 0): T {
  return probe.parse({ code, stdout, stderr: "" }, justNow());
}

export function justNow(): Asked {
  const now = Date.now();
  return { from: now, to: now };
}

export function file(content: string, over: Partial<FileFact> = {}): FileFact {
  return { content, owner: "root:root", mode: "0644", modifiedAt: 0, ...over };
}

/** What each action is, without its text. */
export function outline(actions: readonly Action[]): string[] {
  return actions.map((action) => `${action.do} ${action.do === "putFile" ? action.path : ""}`.trim());
}

export function scripts(actions: readonly Action[]): string {
  return actions.flatMap((action) => (action.do === "run" ? [action.script] : [])).join("\n");
}

export function connection(name: string): HostConnection {
  return {
    name,
    address: "198.18.0.11",
    port: 22,
    user: "admin",
    agent: false,
    hostKeys: [],
    knownHostsFile: "/nowhere",
    sudo: "nopasswd",
  };
}
