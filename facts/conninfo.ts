/**
 * The parameters of a libpq connection string of the form "key=value key='value'".
 * Syntax: PostgreSQL documentation, 34.1.1.1 "Keyword/Value Connection Strings".
 */
export function parseConninfo(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, key, quoted, bare] of text.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)+))/g)) {
    if (key !== undefined) found[key.toLowerCase()] = (quoted ?? bare ?? "").replace(/\\(.)/g, "$1");
  }
  return found;
}
