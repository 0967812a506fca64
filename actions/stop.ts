/** Whoever asked for the work wants no more of it. The message says why, as a sentence that goes on after "stopped: ". */
export class Stopped extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Stopped";
  }
}

/** Nobody will ever ask to stop. */
export const NEVER: AbortSignal = new AbortController().signal;

/**
 * Waits for work that has begun; from the moment of a stop no longer than graceMs.
 * @throws whatever work throws, and late() when it is given up; the work itself then goes on unwatched
 */
export function untilGivenUp<T>(work: Promise<T>, stop: AbortSignal, graceMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const begin = (): void => {
      timer = setTimeout(() => reject(late()), graceMs);
    };
    if (stop.aborted) begin();
    else stop.addEventListener("abort", begin, { once: true });
    void work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      stop.removeEventListener("abort", begin);
    });
  });
}
