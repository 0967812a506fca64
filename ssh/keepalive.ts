/** When a host counts as gone; milliseconds. */
export interface KeepaliveLimits {
  /** Between two questions whether the host is still there. */
  readonly keepaliveMs: number;
  /** Unanswered questions before the host counts as gone. */
  readonly keepaliveCount: number;
}

/**
 * Asks a host again and again whether it is still there. Stands in for the keepalive of ssh2, whose timer would keep
 * the process alive.
 */
export class Keepalive {
  private readonly timer: NodeJS.Timeout;
  private unanswered = 0;
  private heardAt = Date.now();
  private readonly onceStopped = new Set<() => void>();
  private isStopped = false;

  /**
   * @param ask sends a question; calls back when any answer arrives
   * @param dead told once when the host counts as gone
   */
  constructor(
    private readonly ask: (answered: () => void) => void,
    private readonly limits: KeepaliveLimits,
    private readonly dead: (because: string) => void,
  ) {
    this.timer = setInterval(() => {
      this.check();
    }, limits.keepaliveMs).unref();
  }

  /** Whether the host is there now; asks only when it was not heard of for a while. */
  async confirm(): Promise<boolean> {
    if (this.isStopped) return false;
    if (Date.now() - this.heardAt < this.limits.keepaliveMs / 2) return true;
    return new Promise<boolean>((resolve) => {
      const settle = (answer: boolean) => () => {
        clearTimeout(timer);
        this.onceStopped.delete(stopped);
        resolve(answer);
      };
      const stopped = settle(false);
      const timer = setTimeout(stopped, this.limits.keepaliveMs);
      this.onceStopped.add(stopped);
      this.question(settle(true));
    });
  }

  stop(): void {
    this.isStopped = true;
    clearInterval(this.timer);
    for (const tell of [...this.onceStopped]) tell();
  }

  private question(answered: () => void): void {
    this.ask(() => {
      this.unanswered = 0;
      this.heardAt = Date.now();
      answered();
    });
  }

  private check(): void {
    const { keepaliveMs, keepaliveCount } = this.limits;
    if (++this.unanswered <= keepaliveCount) this.question(() => undefined);
    else this.dead(`the host has not answered for ${keepaliveCount * keepaliveMs} ms`);
  }
}
