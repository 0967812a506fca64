import { setTimeout as pause } from "node:timers/promises";

/** true: the condition holds. A string: not yet, and what was seen instead. */
export type Look = () => Promise<true | string> | true | string;

/** Of the time that a wait takes at most a quarter is spent looking: what is waited for needs the same processors. */
const PAUSE_PER_LOOK = 3;
const MAX_PAUSE_MS = 1_000;

/**
 * Looks every intervalMs until the condition holds, and less often when a look itself takes long.
 * @throws Error naming the condition, the deadline and the last thing seen
 */
export async function until(what: string, deadlineMs: number, look: Look, intervalMs = 50): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const began = Date.now();
    const seen = await look();
    if (seen === true) return;
    if (Date.now() >= end) throw new Error(`${what}: not within ${deadlineMs} ms; last seen: ${seen}`);
    const tookMs = Date.now() - began;
    await pause(Math.max(intervalMs, Math.min(MAX_PAUSE_MS, PAUSE_PER_LOOK * tookMs)));
  }
}
