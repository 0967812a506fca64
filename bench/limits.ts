/** What the benchmark holds the program to, as ratios of times taken in the same run on the same machine. */
export const LIMITS = {
  /** First `pulumi up` of three nodes to the floor (floor/deploy.sh). */
  firstUp: 2.5,
  /** `pulumi preview` with refresh, nothing changed, to the preview of a program without resources. */
  preview: 2.5,
  /** The same of five clusters on three hosts (many.ts). */
  many: 3,
  /** SSH connections a host in a preview, or in an update without one. */
  connections: 1,
} as const;

/** How often each thing is measured; the median counts. */
export const RUNS = { first: 3, preview: 5 } as const;
