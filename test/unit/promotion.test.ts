import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatProblems, loadInventory } from "../../config/loadInventory";
import { parsePromotion, type Promotion, sharedInventory, unpromoted } from "../../config/promotion";

const COMMON = `postgresql_clusters:
  main:
    version: 17
    failover: manual
    settings: { work_mem: 8MB, jit: off }
`;
const OWN = `extends: common.yml
require: { promoted: true }
defaults: { ssh: { user: admin } }
hosts: { h1: { address: 192.0.2.1 } }
postgresql_clusters: { main: { nodes: { n1: { id: 1, host: h1, role: primary } } } }
`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "promotion-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

/** The hash of a common inventory under an environment's own file. */
function hashOf(common: string, own = OWN): string | undefined {
  put("common.yml", common);
  return sharedInventory(put("staging.yml", own))?.hash;
}

const AS_PROMOTED: Promotion = {
  from: "dev",
  revision: "1f0c2f9a77d1c0ffee",
  hash: "",
  at: "2026-11-29T03:00:00.000Z",
};

describe("the hash of what environments share", () => {
  test.each<[string, string, string, boolean]>([
    [
      "comments, order and style do not count",
      COMMON,
      `# new\n${COMMON.replace("work_mem: 8MB, jit: off", "jit: off, work_mem: '8MB'")}`,
      true,
    ],
    ["a value does", COMMON, COMMON.replace("8MB", "9MB"), false],
    ["a key does", COMMON, `${COMMON}    checksums: false\n`, false],
  ])("%s", (_what, before, after, isSame) => {
    const [a, b] = [hashOf(before), hashOf(after)];
    expect(a).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(a === b).toBe(isSame);
  });

  test("an environment's own file does not count, what the common one extends does", () => {
    expect(hashOf(COMMON, OWN.replace("h1:", "h2:"))).toBe(hashOf(COMMON));
    put("lower.yml", "require: { checksums: true }\n");
    const layered = hashOf(`extends: lower.yml\n${COMMON}`);
    expect(layered).not.toBe(hashOf(COMMON));
    expect(sharedInventory(put("a.yml", "extends: common.yml\n"))?.files).toEqual([join(dir, "common.yml")]);
    put("lower.yml", "require: { checksums: false }\n");
    expect(hashOf(`extends: lower.yml\n${COMMON}`)).not.toBe(layered);
  });

  test("of a file that extends nothing, or what cannot be read, there is none", () => {
    expect(sharedInventory(put("alone.yml", COMMON))).toBeUndefined();
    expect(sharedInventory(put("lost.yml", "extends: nowhere.yml\n"))).toBeUndefined();
  });
});

describe("an environment that requires a promotion", () => {
  const problems = (last: Promotion | undefined, own = OWN): string => {
    const path = put("staging.yml", own);
    return formatProblems(loadInventory(path, { has: () => true }, { last }).problems).replaceAll(`${dir}/`, "");
  };

  test("gets what was promoted, and nothing else", () => {
    const hash = hashOf(COMMON) ?? "";
    expect(problems({ ...AS_PROMOTED, hash })).toBe("");
    hashOf(COMMON.replace("8MB", "9MB"));
    expect(problems({ ...AS_PROMOTED, hash })).toBe(
      "staging.yml:2: require.promoted: common.yml is not as it was promoted from dev at 2026-11-29T03:00:00.000Z (revision 1f0c2f9a77d1). " +
        'See "git diff 1f0c2f9a77d1 -- common.yml"; type "npm run promote -- dev THIS-STACK", or check out 1f0c2f9a77d1 to stay with what was promoted',
    );
  });

  test("gets nothing before the first promotion, and where nothing could be promoted", () => {
    hashOf(COMMON);
    expect(problems(undefined)).toBe(
      'staging.yml:2: require.promoted: common.yml was never promoted to this stack; type "npm run promote -- FROM THIS-STACK"',
    );
    expect(problems(undefined, OWN.replace("extends: common.yml", "# alone"))).toMatch(/extends no other one/);
  });

  test("commands that repair a cluster do not ask for it, nor does an environment that does not", () => {
    hashOf(COMMON);
    expect(loadInventory(join(dir, "staging.yml"), { has: () => true }).problems).toEqual([]);
    expect(problems(undefined, OWN.replace("promoted: true", "promoted: false"))).toBe("");
  });
});

test("what the stack's configuration holds is a promotion or is refused", () => {
  expect(parsePromotion(undefined)).toBeUndefined();
  expect(parsePromotion(AS_PROMOTED)).toEqual(AS_PROMOTED);
  expect(parsePromotion({ ...AS_PROMOTED, from: 2 })).toEqual({ ...AS_PROMOTED, from: "2" });
  expect(() => parsePromotion({ ...AS_PROMOTED, hash: undefined })).toThrow(/pulumi config rm promoted/);
  expect(() => parsePromotion("yes")).toThrow(/not what "npm run promote" writes/);
  expect(unpromoted(put("alone.yml", COMMON), AS_PROMOTED)).toMatch(/extends no other one/);
});
