import { type ChildProcess, spawn } from "node:child_process";

/** A row the server acknowledged. */
export interface Acknowledged {
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const EVERY_MS = 50;
/** A connection that has not acknowledged a row for so long is given up and opened anew. */
const PATIENCE_MS = 1_000;

/**
 * A client as applications are: libpq with all hosts and target_session_attrs=read-write, one row every 50 ms, each
 * committed by itself. It remembers what was acknowledged, so that nobody has to believe a status field.
 */
export class Writer {
  readonly acknowledged: Acknowledged[] = [];
  /** What the last connection said before it ended; for error messages. */
  lastError = "";
  private child: ChildProcess | undefined;
  /** Above whatever a writer before this one has written: twenty rows a second never catch up with milliseconds. */
  private nextId = Date.now();
  private lastSign = Date.now();
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param connection connection string with all hosts; without password
   * @param passFile path of a .pgpass with the password
   */
  constructor(
    private readonly connection: string,
    private readonly passFile: string,
  ) {}

  /** Begins to write into the table `tick`, which it makes when it is missing. */
  start(): void {
    this.connect();
    this.timer = setInterval(() => this.tick(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  /** The longest time between two acknowledged rows since a moment, in milliseconds, up to now. */
  longestGapMs(since: number): number {
    const times = [since, ...this.acknowledged.map(({ at }) => at).filter((at) => at >= since)];
    return times.slice(1).reduce((gap, at, index) => Math.max(gap, at - (times[index] ?? at)), 0);
  }

  private tick(): void {
    if (Date.now() - this.lastSign > PATIENCE_MS * 3) this.reconnect();
    this.child?.stdin?.write(`insert into tick (id) values (${this.nextId++}) returning id;\n`);
  }

  private connect(): void {
    this.lastSign = Date.now();
    const url = `${this.connection}&connect_timeout=2&tcp_user_timeout=${PATIENCE_MS}`;
    const env = { ...process.env, PGPASSFILE: this.passFile };
    const child = spawn("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", url], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.child = child;
    child.stdin.on("error", () => undefined);
    child.stdin.write(
      "set client_min_messages = error; create table if not exists tick (id bigint primary key, at timestamptz default now());\n",
    );
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.acknowledge(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.lastError = text.trim()));
    child.on("close", () => {
      if (this.child === child) setTimeout(() => this.child === child && this.connect(), EVERY_MS);
    });
  }

  private reconnect(): void {
    const old = this.child;
    this.child = undefined;
    old?.kill("SIGKILL");
    this.connect();
  }

  private acknowledge(text: string): void {
    const at = Date.now();
    for (const line of text.split("\n")) {
      if (/^\d+$/.test(line)) this.acknowledged.push({ id: Number(line), at });
    }
    this.lastSign = at;
  }
}
