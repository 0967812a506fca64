/** Times of one thing that was done several times, in milliseconds. */
export interface Times {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
}

/** How long it took, in milliseconds. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** @throws RangeError for no times at all */
export function summarize(times: readonly number[]): Times {
  const sorted = [...times].sort((a, b) => a - b);
  const [least] = sorted;
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) throw new RangeError("nothing was measured");
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? least, sorted[Math.floor(middle)] ?? most];
  return { median: (low + high) / 2, least, most, runs: sorted.length };
}

/** One line of the result: "first pulumi up   18.0 s   17.2 .. 18.9   3 runs". */
export function describe(what: string, { median, least, most, runs }: Times): string {
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const range = `${seconds(least)} .. ${seconds(most)}`;
  return `${what.padEnd(46)} ${seconds(median).padStart(7)} s   ${range.padStart(16)}   ${runs} ${runs === 1 ? "run" : "runs"}`;
}

/** A ratio with what is allowed: [the line, whether it holds]. */
export function judge(what: string, value: number, limit: number): { line: string; holds: boolean } {
  const holds = value <= limit;
  const line = `${what.padEnd(46)} ${value.toFixed(2).padStart(7)}     at most ${limit}${holds ? "" : "   MISSED"}`;
  return { line, holds };
}
