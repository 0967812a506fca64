/** recovery_min_apply_delay counts milliseconds in 32 bits (PostgreSQL documentation, 19.5.6). */
const MOST_MS = 2147483647;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Why a text is no delay of a standby, such as "30min"; undefined when it is one. */
export function delayProblem(text: string): string | undefined {
  const [, count = "", unit = ""] = /^([1-9]\d{0,9})(s|min|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? NaN);
  if (ms <= MOST_MS) return undefined;
  return `expected a whole number with s, min, h or d, such as 1h, 24d at most, found ${JSON.stringify(text)}`;
}
