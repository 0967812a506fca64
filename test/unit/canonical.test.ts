import fc from "fast-check";
import { canonical, equal } from "../../providers/canonical";

test("any JSON comes back as it was, with sorted keys", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      expect(canonical(plain)).toEqual(plain);
      expect(equal(plain, canonical(plain))).toBe(true);
    }),
  );
});

test("the order of keys and keys without a value make no difference, the order of a list does", () => {
  expect(JSON.stringify(canonical({ b: 1, a: { d: undefined, c: [2] } }))).toBe('{"a":{"c":[2]},"b":1}');
  expect(equal({ a: 1, b: 2 }, { b: 2, a: 1, c: undefined })).toBe(true);
  expect(equal([1, 2], [2, 1])).toBe(false);
  expect(equal(undefined, null)).toBe(true);
  expect(equal("1", 1)).toBe(false);
});

test.each([[new Date(0)], [1n], [() => 1], [Symbol("s")], [new Map([[1, 2]])], [NaN], [Infinity], [[undefined]]])(
  "what JSON cannot hold is refused, never dropped: %p",
  (value) => expect(() => canonical(value)).toThrow(/not plain JSON/),
);
