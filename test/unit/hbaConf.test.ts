import fc from "fast-check";
import type { HbaRule } from "../../config/types";
import { parseHba, renderHba } from "../../facts/hbaConf";
import { hbaLine } from "../../resources/hba";

const rule = (over: Partial<HbaRule>): HbaRule => ({
  type: "host",
  database: "app",
  user: "app",
  address: "10.0.0.0/8",
  method: "scram-sha-256",
  ...over,
});

test.each<[Partial<HbaRule>, string]>([
  [{}, "host app app 10.0.0.0/8 scram-sha-256"],
  [{ type: "local", address: undefined, method: "peer" }, "local app app peer"],
  [{ database: "a,b", user: "+group,all" }, "host a,b +group,all 10.0.0.0/8 scram-sha-256"],
  [{ database: "my  db" }, 'host "my  db" app 10.0.0.0/8 scram-sha-256'],
  [{ user: "#1" }, 'host app "#1" 10.0.0.0/8 scram-sha-256'],
])("%p", (over, line) => {
  expect(hbaLine(rule(over))).toBe(line);
  expect(parseHba(renderHba("main", [line]))).toEqual([line]);
});

test("a file of rules comes back as it was, in order", () => {
  const word = fc.oneof(fc.stringMatching(/^[a-z][a-z0-9_]{0,9}$/), fc.stringMatching(/^[ -!#-+\--~]{1,12}$/));
  const rules = fc.array(fc.record({ database: word, user: word }).map((names) => hbaLine(rule(names))));
  fc.assert(fc.property(rules, (lines) => expect(parseHba(renderHba("main", lines))).toEqual(lines)));
});

test("comments, empty lines and white space are not rules", () => {
  expect(parseHba("# c\n\n  host \t all  all\tsamenet reject  \n#host all all all trust\n")).toEqual([
    "host all all samenet reject",
  ]);
  expect(parseHba("")).toEqual([]);
});
