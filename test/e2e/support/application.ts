import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "../../../lab/wait";
import { projectRoot } from "../../../scripts/projectRoot";
import { seconds } from "./deadlines";

/** One login on a fresh connection, with a row written through it. */
export interface Login {
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  readonly endedAt: number;
  /** Address of the node that took the row, and the row; absent when the login failed. */
  readonly node?: string;
  readonly row?: number;
  readonly error?: string;
}

/** Done once by a superuser: the table that the application writes to. */
export const LOGINS = "create table login (id bigserial primary key); alter table login owner to app";

const EVERY_MS = 100;

/** What the guide tells who writes an application: exactly that code is run. */
function documented(): string {
  const guide = readFileSync(join(projectRoot(), "docs", "operations.md"), "utf8");
  const [, code] = /^## Connect an application\n[^]*?```js\n([^]*?)```/m.exec(guide) ?? [];
  if (code === undefined) throw new Error("docs/operations.md has no code below 'Connect an application'");
  return code;
}

/** Begins a login every 100 ms, whatever became of those before. */
const LOOP = `
const { URL_OF_CLUSTER: url, PASSWORD: password } = process.env;
const login = async () => {
  const client = await connect(url, password);
  const { rows } = await client.query("insert into login default values returning id, host(inet_server_addr()) as node");
  await client.end();
  return { node: rows[0].node, row: Number(rows[0].id) };
};
setInterval(async () => {
  const begunAt = Date.now();
  const outcome = await login().catch(({ message }) => ({ error: message || "no message" }));
  console.log(JSON.stringify({ begunAt, endedAt: Date.now(), ...outcome }));
}, ${EVERY_MS});
`;

/** An application with a client library of its own, in a process of its own. It remembers how each login ended. */
export class Application {
  readonly logins: Login[] = [];
  /** What it said besides, such as why it did not start; for error messages. */
  complaints = "";
  private readonly child: ChildProcess;

  /** @param url connection string of the stack's outputs, as this machine has to write it */
  constructor(url: string, password: string) {
    this.child = spawn(process.execPath, ["--input-type=module", "-e", documented() + LOOP], {
      cwd: projectRoot(),
      env: { ...process.env, URL_OF_CLUSTER: url, PASSWORD: password },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    stdout?.setEncoding("utf8");
    if (stdout !== null) createInterface(stdout).on("line", (line) => this.logins.push(JSON.parse(line) as Login));
    stderr?.setEncoding("utf8").on("data", (text: string) => (this.complaints += text));
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }

  /** Those begun since a moment that failed. */
  failures(since = 0): Login[] {
    return this.logins.filter(({ begunAt, error }) => begunAt >= since && error !== undefined);
  }

  /** What the first login that fails is told. */
  async failure(): Promise<string> {
    await until("a login fails", seconds(30), () => this.failures().length > 0 || this.complaints.trim() || "none did");
    return this.failures()[0]?.error ?? "";
  }

  /** The first login that came to an end well of those begun since a moment, once so many did. */
  async awaitLogins(since: number, count = 1): Promise<Login> {
    const good = (): Login[] => this.logins.filter(({ begunAt, row }) => begunAt >= since && row !== undefined);
    await until(`the application logs in ${count} times`, seconds(60), () => {
      const last = this.logins.at(-1)?.error ?? "no login came to an end";
      return good().length >= count || this.complaints.trim() || last;
    });
    return good()[0] as Login;
  }
}
