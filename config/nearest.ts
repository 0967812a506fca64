/** The known name that a person most likely meant; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const ranked = known.map((candidate) => ({ candidate, steps: distance(lower, candidate.toLowerCase()) }));
  const best = ranked.sort((a, b) => a.steps - b.steps)[0];
  return best && best.steps <= Math.max(1, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

/** "unknown host 'pg9'; did you mean 'pg1'?" or, with nothing near, "...; known are pg1, pg2" */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  const list = known.length > 0 ? `known are ${known.join(", ")}` : "there are none";
  return `unknown ${what} '${name}'; ${near === undefined ? list : `did you mean '${near}'?`}`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from a to b; long names are cut. */
function distance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 64), b.slice(0, 64)];
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replace);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[to.length] ?? 0;
}
