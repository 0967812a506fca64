/** One output of a run: collects chunks and drops whatever came before the line that the bootstrap starts with. */
export class FramedOutput {
  private head = Buffer.alloc(0);
  private readonly body: Buffer[] = [];
  private begun = false;

  constructor(private readonly marker: Buffer) {}

  /** Whether the script's own output has begun. */
  get hasBegun(): boolean {
    return this.begun;
  }

  push(chunk: Buffer): void {
    if (this.begun) {
      this.body.push(chunk);
      return;
    }
    this.head = Buffer.concat([this.head, chunk]);
    const at = this.head.indexOf(this.marker);
    if (at < 0) return;
    this.begun = true;
    this.body.push(this.head.subarray(at + this.marker.length));
    this.head = this.head.subarray(0, at);
  }

  /** What came before the script: greetings of the login shell, complaints of sudo. */
  get noise(): string {
    return this.head.toString("utf8");
  }

  get text(): string {
    return Buffer.concat(this.body).toString("utf8");
  }

  /** The last line with anything in it. */
  get lastLine(): string | undefined {
    const tail = Buffer.concat(this.body.slice(-8)).subarray(-4096).toString("utf8").trimEnd();
    return tail.split("\n").at(-1) || undefined;
  }
}
