const BYTES: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };
const MICROSECONDS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  min: 6e7,
  h: 3.6e9,
  d: 8.64e10,
};
const WORDS: Readonly<Record<string, string>> = {
  on: "on",
  true: "on",
  yes: "on",
  off: "off",
  false: "off",
  no: "off",
};

/**
 * Whether two spellings are the same value of one setting: "1GB" and "1024MB", "60s" and "1min", "true" and "on"
 * (PostgreSQL documentation, 19.1.1). In doubt they differ, as a number without a unit does from one with it.
 */
export function sameValue(a: string, b: string): boolean {
  return normal(a) === normal(b);
}

function normal(value: string): string {
  const text = value.trim();
  const [, number, unit = ""] = /^(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text) ?? [];
  if (number === undefined) return WORDS[text.toLowerCase()] ?? text;
  if (unit === "") return String(Number(number));
  const bytes = BYTES[unit.toLowerCase()];
  if (bytes !== undefined) return `${Number(number) * bytes} bytes`;
  const microseconds = MICROSECONDS[unit];
  return microseconds === undefined ? text : `${Number(number) * microseconds} us`;
}

/** A size in bytes; undefined when it is none. @param unit bytes that a number without a unit stands for */
export function bytesOf(value: string, unit: number): number | undefined {
  const [, number, word = ""] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(value.trim()) ?? [];
  const factor = word === "" ? unit : BYTES[word.toLowerCase()];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}
