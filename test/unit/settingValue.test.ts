import { bytesOf, sameValue } from "../../facts/settingValue";

test.each([
  ["1GB", "1024MB", true],
  ["128MB", "131072kB", true],
  ["128MB", "128GB", false],
  ["60s", "1min", true],
  ["1500ms", "1.5s", true],
  ["1h", "60min", true],
  ["on", "true", true],
  ["off", "no", true],
  ["on", "off", false],
  ["100", "0100", true],
  ["100", "200", false],
  ["replica", "logical", false],
  // Without a unit only the server knows which one is meant: in doubt they differ.
  ["16384", "128MB", false],
  ["repmgr,pg_stat_statements", "repmgr,pg_stat_statements", true],
  ["", "", true],
])("%j and %j are the same value: %p", (a, b, same) => {
  expect(sameValue(a, b)).toBe(same);
  expect(sameValue(b, a)).toBe(same);
});

test.each<[string, number | undefined]>([
  ["128MB", 134217728],
  ["16384", 134217728],
  ["1.5 GB", 1610612736],
  ["1min", undefined],
  ["lots", undefined],
])("the size %s in units of 8 kB", (value, bytes) => {
  expect(bytesOf(value, 8192)).toBe(bytes);
});
