/** Shared machines are slower than a developer's; every deadline of the suites is scaled here and nowhere else. */
const FACTOR = Number(process.env.REPMGR_PULUMI_DEADLINE_FACTOR ?? (process.env.CI === undefined ? 2 : 4));

/** So many seconds on a quiet machine, as milliseconds on this one. */
export function seconds(count: number): number {
  return count * 1_000 * FACTOR;
}
