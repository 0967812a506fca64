import { readFileSync } from "node:fs";
import { join } from "node:path";
import { scramVerifier, verifies } from "../../facts/scram";

/** What PostgreSQL 17 made of these passwords, by role. */
const real = JSON.parse(readFileSync(join(__dirname, "recorded", "verifiers.json"), "utf8")) as Record<string, string>;

describe("a verifier made by PostgreSQL", () => {
  test.each([
    ["repmgr", "canary"],
    ["app", `p ä"ß'$`],
    ["ligature", "Ⅸ ﬁn"],
    ["nbsp", "a\u00a0b"],
    ["softhyphen", "soft\u00adhyphen"],
    ["tabbed", "tab\tend"],
  ])("of %s", (role, password) => {
    const kept = real[role] ?? "";
    const salt = Buffer.from(kept.split(/[:$]/)[2] ?? "", "base64");
    expect(scramVerifier(password, salt)).toBe(kept);
    expect(verifies(kept, password)).toBe(true);
    expect(verifies(kept, `${password} `)).toBe(false);
  });
});

test.each([
  [null],
  [""],
  ["md5a94a8fe5ccb19ba61c4c0873d391e987"],
  ["SCRAM-SHA-256$4096:AA==$short:er"],
  ["SCRAM-SHA-256$4096"],
])("no password fits %p", (verifier) => expect(verifies(verifier, "canary")).toBe(false));

test("other iterations than the default are understood", () => {
  expect(verifies(scramVerifier("canary", Buffer.alloc(16), 10_000), "canary")).toBe(true);
});

test("two verifiers of one password are never the same, since their salts differ", () => {
  expect(scramVerifier("canary")).not.toBe(scramVerifier("canary"));
});
