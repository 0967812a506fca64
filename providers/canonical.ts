export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The one form in which values cross the wire and are compared: plain JSON, keys sorted, undefined dropped. */
export function canonical(value: unknown): Json {
  if (value === null || typeof value === "boolean" || typeof value === "string" || Number.isFinite(value)) {
    return value as Json;
  }
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value === "object" && isPlain(value)) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return Object.fromEntries(entries.map(([k, v]) => [k, canonical(v)]));
  }
  throw new TypeError(`not plain JSON: ${Object.prototype.toString.call(value)}`);
}

/** By its tag, since an object may come from another realm: dates and maps would lose all they hold. */
function isPlain(value: object): boolean {
  return Object.prototype.toString.call(value) === "[object Object]";
}

export function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(canonical(a ?? null)) === JSON.stringify(canonical(b ?? null));
}
