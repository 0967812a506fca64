import { setTimeout as pause } from "node:timers/promises";

/** true: the condition holds. A string: not yet, and what was seen instead. */
export type Look = () => Promise<true | string> | true | string;

/**
 * Looks every intervalMs until the condition holds.
 * @throws Error naming the condition, the deadline and the last thing seen
 */
export async function until(what: string, deadlineMs: number, look: Look, intervalMs = 50): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen === true) return;
    if (Date.now() >= end) throw new Error(`${what}: not within ${deadlineMs} ms; last seen: ${seen}`);
    await pause(intervalMs);
  }
}
