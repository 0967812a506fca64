import { compareRpmVersions } from "../../facts/rpmVersion";

/** From rpm's own tests (tests/rpmvercmp.at), and what PostgreSQL's packages look like. */
const ORDER: readonly (readonly [string, "<" | "=", string])[] = [
  ["1.0", "=", "1.0"],
  ["1.0", "<", "2.0"],
  ["2.0", "<", "2.0.1"],
  ["2.0.1", "<", "2.0.1a"],
  ["5.5p1", "<", "5.5p2"],
  ["5.5p1", "<", "5.5p10"],
  ["10xyz", "<", "10.1xyz"],
  ["xyz10", "<", "xyz10.1"],
  ["xyz.4", "<", "8"],
  ["xyz.4", "<", "2"],
  ["5.6p1", "<", "6.5p1"],
  ["6.0", "<", "6.0.rc1"],
  ["10a2", "<", "10b2"],
  ["7.5b", "<", "7.5.1"],
  ["1.0010", "=", "1.10"],
  ["1.05", "=", "1.5"],
  ["1", "<", "1.0"],
  ["2.0", "=", "2_0"],
  ["1.0~rc1", "<", "1.0"],
  ["1.0~rc1~git123", "<", "1.0~rc1"],
  ["1.0", "<", "1.0^"],
  ["1.0^git1", "<", "1.0.1"],
  ["1.0^git1", "<", "1.01"],
  ["1.0~rc1", "<", "1.0~rc1^git1"],
  ["17.5-1PGDG.rhel9", "<", "17.6-1PGDG.rhel9"],
  ["17.6-1PGDG.rhel9", "<", "17.6-2PGDG.rhel9"],
  ["17.9-1PGDG.rhel9", "<", "17.10-1PGDG.rhel9"],
  ["17.10-1PGDG.rhel9", "<", "1:17.9-1PGDG.rhel9"],
];

test.each(ORDER)("%s %s %s", (a, order, b) => {
  const [there, back] = [compareRpmVersions(a, b), compareRpmVersions(b, a)].map(Math.sign);
  expect([there, back]).toEqual(order === "=" ? [0, 0] : [-1, 1]);
});
