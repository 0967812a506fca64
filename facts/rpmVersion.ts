/** Order of two "[epoch:]version-release" of rpm packages, as rpm has it (rpm-version(7)): negative when a is older. */
export function compareRpmVersions(a: string, b: string): number {
  const [x, y] = [split(a), split(b)];
  return x.epoch - y.epoch || compareParts(x.version, y.version) || compareParts(x.release, y.release);
}

function split(text: string): { epoch: number; version: string; release: string } {
  const [, epoch = "0", version = "", release = ""] = /^(?:(\d+):)?([^-]*)(?:-(.*))?$/.exec(text) ?? [];
  return { epoch: Number(epoch), version, release };
}

/** Segments of digits or of letters; what is neither only separates them, but for ~ and ^. */
function segments(text: string): string[] {
  return text.match(/\d+|[A-Za-z]+|[~^]/g) ?? [];
}

function compareParts(a: string, b: string): number {
  const [x, y] = [segments(a), segments(b)];
  for (let at = 0; at < Math.max(x.length, y.length); at++) {
    const order = compareSegments(x[at], y[at]);
    if (order !== 0) return order;
  }
  return 0;
}

/** A tilde comes before everything, even the end; a caret after the end and before all else; a number is newer than letters. */
function compareSegments(p: string | undefined, q: string | undefined): number {
  if (p === q) return 0;
  const order = rank(p) - rank(q);
  if (order !== 0 || p === undefined || q === undefined) return order;
  if (rank(p) === NUMBER) return Number(p) - Number(q);
  return p < q ? -1 : 1;
}

const NUMBER = 4;

function rank(segment: string | undefined): number {
  if (segment === undefined) return 1;
  if (segment === "~") return 0;
  if (segment === "^") return 2;
  return /^\d/.test(segment) ? NUMBER : 3;
}
