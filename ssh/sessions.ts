/** How long a refusal counts: the server may have been slow to end a session, and then a lower limit is too low. */
const FORGET_MS = 500;

/** Limits how many sessions are open on one connection, and learns a lower limit when the server refuses more. */
export class Sessions {
  private open = 0;
  private readonly waiting: { go: () => void; giveUp: (error: Error) => void }[] = [];
  private endedAt = -Infinity;
  private ended: Error | undefined;
  private limit: number;
  private forgetting: NodeJS.Timeout | undefined;

  /** @param most open at once; a lower limit that was learned is forgotten step by step, every `forgetMs` */
  constructor(
    private readonly most: number,
    private readonly forgetMs = FORGET_MS,
  ) {
    this.limit = most;
  }

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

  /** Gives back a session that the server refused: for a while no more than the others are opened at once. */
  refused(): void {
    this.limit = Math.max(1, Math.min(this.limit, this.open - 1));
    this.giveBack();
    this.forgetLater();
  }

  /** Without this a run that was refused by mistake would wait for the others for ever, who may wait for it. */
  private forgetLater(): void {
    this.forgetting ??= setTimeout(() => {
      this.forgetting = undefined;
      this.limit++;
      this.handOver();
      if (this.limit < this.most) this.forgetLater();
    }, this.forgetMs).unref();
  }

  private giveBack(): void {
    this.open--;
    this.handOver();
  }

  private handOver(): void {
    while (this.open < this.limit && this.waiting.length > 0) {
      this.open++;
      this.waiting.shift()?.go();
    }
  }

  /** No session will ever be free again. */
  end(error: Error): void {
    this.ended = error;
    clearTimeout(this.forgetting);
    for (const waiter of this.waiting.splice(0)) waiter.giveUp(error);
  }
}
