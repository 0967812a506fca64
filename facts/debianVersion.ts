/** Order of two Debian package versions, as dpkg has it (deb-version(7)): negative when a is older. */
export function compareDebianVersions(a: string, b: string): number {
  const [x, y] = [split(a), split(b)];
  return x.epoch - y.epoch || compareParts(x.upstream, y.upstream) || compareParts(x.revision, y.revision);
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "" : rest.slice(dash + 1),
  };
}

/** In turns a part without digits, compared by character, and a number. */
function compareParts(a: string, b: string): number {
  let [x, y] = [a, b];
  while (x !== "" || y !== "") {
    const [p = "", q = ""] = [/^\D*/.exec(x)?.[0], /^\D*/.exec(y)?.[0]];
    for (let at = 0; at < Math.max(p.length, q.length); at++) {
      const order = weight(p[at]) - weight(q[at]);
      if (order !== 0) return order;
    }
    [x, y] = [x.slice(p.length), y.slice(q.length)];
    const [m = "", n = ""] = [/^\d*/.exec(x)?.[0], /^\d*/.exec(y)?.[0]];
    const order = Number(m) - Number(n);
    if (order !== 0) return order;
    [x, y] = [x.slice(m.length), y.slice(n.length)];
  }
  return 0;
}

/** A tilde comes before everything, even the end; letters come before all others. */
function weight(character: string | undefined): number {
  if (character === "~") return -1;
  if (character === undefined) return 0;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
