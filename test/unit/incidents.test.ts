import { writableAtOnce } from "../e2e/support/incidentRun";

test("two nodes that acknowledge rows in turns are seen, a failover is not", () => {
  const probes = (times: Record<string, number[]>): Map<string, { accepted: number[] }> =>
    new Map(Object.entries(times).map(([host, accepted]) => [host, { accepted }]));
  expect(writableAtOnce(probes({ pg1: [1, 2, 3], pg2: [7, 8], pg3: [] }))).toBe(1);
  expect(writableAtOnce(probes({ pg1: [1, 2, 9], pg2: [7, 8], pg3: [] }))).toBe(2);
});
