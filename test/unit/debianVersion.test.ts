import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { compareDebianVersions } from "../../facts/debianVersion";

const ORDERED = [
  "1.0~rc1-1",
  "1.0-1",
  "1.0-1+b1",
  "1.0-2",
  "1.0a-1",
  "1.0.1-1",
  "1.9-1",
  "1.10-1",
  "17.12-0+deb13u1~bpo12+1",
  "17.12-0+deb13u1",
  "17.12-1.pgdg130+1",
  "1:0.1-1",
];

test("versions of packages are in the order of dpkg", () => {
  expect([...ORDERED].reverse().sort(compareDebianVersions)).toEqual(ORDERED);
  expect(compareDebianVersions("1.0-01", "1.0-1")).toBe(0);
});

const hasDpkg = spawnSync("dpkg", ["--version"]).status === 0;

(hasDpkg ? test : test.skip)("dpkg itself agrees, whatever the versions are", () => {
  const part = fc.array(fc.constantFrom("0", "1", "9", "10", ".", "+", "~", "a", "deb"), {
    minLength: 1,
    maxLength: 4,
  });
  const version = fc
    .tuple(fc.constantFrom("", "1:"), part, fc.option(part))
    .map(([epoch, upstream, revision]) => `${epoch}1${upstream.join("")}${revision ? `-${revision.join("")}` : ""}`);
  const says = (a: string, how: string, b: string): boolean =>
    spawnSync("dpkg", ["--compare-versions", a, how, b]).status === 0;
  fc.assert(
    fc.property(version, version, (a, b) => {
      const order = compareDebianVersions(a, b);
      return says(a, order < 0 ? "lt" : order > 0 ? "gt" : "eq", b);
    }),
    { numRuns: 150 },
  );
});
