import { type ChildProcess, spawn } from "node:child_process";

const EVERY_MS = 100;

/** Asks one node all the time whether it takes a row; what it acknowledged is the only proof that it did. */
export class WriteProbe {
  /** Milliseconds since 1970 of every row this node took. */
  readonly accepted: number[] = [];
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private begun = 0;

  /** @param url of exactly one node, with a parameter list begun ("?...") */
  constructor(
    private readonly url: string,
    private readonly passFile: string,
  ) {}

  start(): void {
    this.connect();
    this.timer = setInterval(() => {
      // A connection to a host that has lost power says nothing for ever.
      if (Date.now() - this.begun > 3_000) this.reconnect();
      this.child?.stdin?.write(
        "with i as (insert into asked default values returning 1) select 'taken' from i;\n\\echo here\n",
      );
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  private reconnect(): void {
    const old = this.child;
    this.child = undefined;
    old?.kill("SIGKILL");
    this.connect();
  }

  private connect(): void {
    this.begun = Date.now();
    const env = { ...process.env, PGPASSFILE: this.passFile };
    const child = spawn("psql", ["-XAtq", `${this.url}&connect_timeout=2`], { env, stdio: ["pipe", "pipe", "ignore"] });
    this.child = child;
    child.stdin.on("error", () => undefined);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.begun = Date.now();
      for (const line of text.split("\n")) if (line === "taken") this.accepted.push(this.begun);
    });
    child.on("close", () => {
      setTimeout(() => this.child === child && this.connect(), EVERY_MS * 2);
    });
  }
}
