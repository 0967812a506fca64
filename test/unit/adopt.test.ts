import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repmgrConf } from "../../config/deriveRepmgr";
import { hbaOf, optionsOf, settingsOf } from "../../scripts/adopt/found";
import { inventoryText, type Wish } from "../../scripts/adopt/inventoryText";
import { comment, scalar } from "../../scripts/adopt/yaml";
import { changed, found, recorded } from "./adoptFixture";
import { inventoryOf } from "./configFixture";

const WISH: Wish = { name: "shop", ssh: { user: "admin" }, schema: "./schema.json" };
const NO_PATHS = {
  binDirectory: "",
  configFile: "",
  passFile: "",
  authorities: "",
  loginCertificate: "",
  failoverValidation: "",
  promote: "",
  fence: "",
  event: "",
};

describe.each(["debian", "playbook"] as const)("a cluster built by the script %s", (how) => {
  test("the inventory is the one a person has read", async () => {
    const expected = readFileSync(join(__dirname, "recorded", `adopt-${how}.yml`), "utf8");
    expect(inventoryText((await found(recorded(how))).found, WISH)).toBe(expected);
  });

  test("what the program makes of the inventory is what the files hold, node by node", async () => {
    const { found: cluster } = await found(recorded(how));
    const [spec] = inventoryOf(inventoryText(cluster, WISH)).clusters;
    expect(spec?.nodes).toHaveLength(3);
    for (const node of spec?.nodes ?? []) {
      const there = cluster.nodes.find(({ target }) => target.name === node.host);
      if (spec === undefined || there === undefined) throw new Error(`no ${node.host}`);
      expect({ ...spec.settings, ...node.settings }).toEqual(settingsOf(there).own);
      expect(spec.hbaLines).toEqual(hbaOf(there));
      expect(repmgrConf(spec, node, NO_PATHS)).toEqual(optionsOf(there));
    }
  });
});

test.each<[string, string, string | RegExp, string, RegExp]>([
  [
    "a setting that another file overrides is left alone, and said so",
    "debian",
    '"shared_buffers": {"setting": "128MB", "sourceFile": "/etc/postgresql/17/main/postgresql.conf"}',
    '"shared_buffers": {"setting": "1GB", "sourceFile": "/etc/postgresql/17/main/conf.d/10-site.conf"}',
    /Set elsewhere, which wins over this file, and left alone: shared_buffers in \/etc\/postgresql\/17\/main\/conf\.d\/10-site\.conf\./,
  ],
  [
    "a pg_hba.conf that is not the same everywhere is a decision",
    "debian",
    "host    all             all             127.0.0.1/32            scram-sha-256",
    "host all all 127.0.0.1/32 trust",
    /DECIDE: pg_hba\.conf is not the same everywhere\. This is that of pg1.* pg2 has "host all all 127\.0\.0\.1\/32 trust", lacks "/,
  ],
  [
    "without service commands a rejoin is a decision",
    "debian",
    /^service_start_command=.*\n/gm,
    "",
    /DECIDE: repmgr\.conf of pg2 names no service_start_command\./,
  ],
])("%s", async (_, how, from, to, expected) => {
  const answers = changed(recorded(how as "debian"), "pg2", from, to);
  const unwrapped = inventoryText((await found(answers)).found, WISH).replace(/\n *# /g, " ");
  expect(unwrapped).toMatch(expected);
});

test("numbers stand bare, everything else reads back as the same text", () => {
  expect(["150", "0", "-1", "007", "1.5", "on", "yes", "'x'", "a: b", "null", "1e3"].map(scalar)).toEqual([
    "150",
    "0",
    "-1",
    "'007'",
    "'1.5'",
    "'on'",
    "'yes'",
    "'''x'''",
    "'a: b'",
    "'null'",
    "'1e3'",
  ]);
});

test("a long comment is broken between words", () => {
  expect(comment("one two three", 8)).toEqual(["# one two", "# three"]);
});
