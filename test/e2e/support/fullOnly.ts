/** Whether this is `npm run test:full`. */
export const isFull = process.env.REPMGR_PULUMI_FULL === "1";

/**
 * describe for a suite that runs in full mode alone; elsewhere jest counts its tests as skipped, and who runs them is told why.
 * @param why what it costs, and what of it runs all the same
 */
export function describeInFull(name: string, why: string): jest.Describe {
  if (isFull) return describe;
  // On stderr, which scripts/test.ts shows; jest's stdout is only kept.
  process.stderr.write(`${name} is skipped: ${why}; npm run test:full has it\n`);
  return describe.skip;
}
