/** Limits how many sessions are open on one connection, and learns a lower limit when the server refuses more. */
export class Sessions {
  private open = 0;
  private readonly waiting: { go: () => void; giveUp: (error: Error) => void }[] = [];
  private ended: Error | undefined;

  constructor(private limit: number) {}

  /** Sessions open now. */
  get running(): number {
    return this.open;
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

  /** Gives a session back; it goes to the first who waits. */
  release(): void {
    this.open--;
    while (this.open < this.limit && this.waiting.length > 0) {
      this.open++;
      this.waiting.shift()?.go();
    }
  }

  /** The server refused the caller's session: no more than the others are ever opened at once again. */
  shrink(): void {
    this.limit = Math.max(1, Math.min(this.limit, this.open - 1));
  }

  /** No session will ever be free again. */
  end(error: Error): void {
    this.ended = error;
    for (const waiter of this.waiting.splice(0)) waiter.giveUp(error);
  }
}
