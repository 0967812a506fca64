/** Limits how many sessions are open on one connection, and learns a lower limit when the server refuses more. */
export class Sessions {
  private open = 0;
  private readonly waiting: { go: () => void; giveUp: (error: Error) => void }[] = [];
  private endedAt = -Infinity;
  private ended: Error | undefined;

  constructor(private limit: number) {}

  /** Sessions open now. */
  get running(): number {
    return this.open;
  }

  /** How long ago a session last ended; milliseconds. */
  get sinceReleaseMs(): number {
    return Date.now() - this.endedAt;
  }

  /** Waits for a session to be free; `first` puts the caller before all who wait. @throws the error given to end() */
  async take(first = false): Promise<void> {
    if (this.ended) throw this.ended;
    if (this.open < this.limit) {
      this.open++;
      return;
    }
    await new Promise<void>((go, giveUp) => this.waiting[first ? "unshift" : "push"]({ go, giveUp }));
  }

  /** Gives back a session that has ended. */
  release(): void {
    this.endedAt = Date.now();
    this.giveBack();
  }

  /** Gives back a session that the server refused: no more than the others are ever opened at once again. */
  refused(): void {
    this.limit = Math.max(1, Math.min(this.limit, this.open - 1));
    this.giveBack();
  }

  private giveBack(): void {
    this.open--;
    while (this.open < this.limit && this.waiting.length > 0) {
      this.open++;
      this.waiting.shift()?.go();
    }
  }

  /** No session will ever be free again. */
  end(error: Error): void {
    this.ended = error;
    for (const waiter of this.waiting.splice(0)) waiter.giveUp(error);
  }
}
