import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadHosts } from "../../config/loadHosts";
import { formatProblems, loadInventory } from "../../config/loadInventory";
import { nodeAt, toPlain } from "../../config/located";
import { readInventory } from "../../config/readInventory";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "inventory-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(dir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const problemsOf = (path: string): string =>
  formatProblems(loadInventory(path, { has: () => true }).problems).replaceAll(`${dir}/`, "");

const BASE = `defaults:
  ssh:
    user: admin
    key_file: keys/id
    known_hosts: ~/known
hosts:
  h1: { address: 192.0.2.1 }
postgresql_clusters:
  main:
    version: 17
    nodes:
      n1: { id: 1, host: h1, role: primary }
    settings: { work_mem: 8MB, jit: off }
    clients: [192.0.2.0/24, 198.18.0.0/16]
`;

test("dictionaries are merged, lists replaced, null removes", () => {
  put("common/base.yml", BASE);
  const over = `extends: common/base.yml
postgresql_clusters:
  main:
    settings: { work_mem: null, shared_buffers: 1GB }
    clients: [203.0.113.0/24]
`;
  const { inventory } = loadInventory(put("prod.yml", over), { has: () => true });
  const cluster = inventory?.clusters[0];
  expect(cluster?.settings).toMatchObject({ shared_buffers: "1GB", jit: "off" });
  expect(cluster?.settings).not.toHaveProperty("work_mem");
  expect(cluster?.clients).toEqual(["203.0.113.0/24"]);
});

test("a problem names the file and line that the value came from", () => {
  put("base.yml", BASE.replace("work_mem", "port"));
  const over = "extends: base.yml\npostgresql_clusters:\n  main:\n    failovr: manual\n";
  expect(problemsOf(put("prod.yml", over)).split("\n")).toEqual([
    "base.yml:13: postgresql_clusters.main.settings.port: the program manages 'port' itself: set 'port' of the cluster",
    "prod.yml:4: postgresql_clusters.main.failovr: unknown key 'failovr'; did you mean 'failover'?",
  ]);
});

test("paths start at the file they are written in", () => {
  put("common/base.yml", BASE);
  const path = put(
    "prod.yml",
    "extends: common/base.yml\nhosts:\n  h2: { address: 192.0.2.2, ssh: { key_file: own } }\n",
  );
  const hosts = loadHosts(path);
  expect(hosts.get("h1")).toMatchObject({
    keyFile: join(dir, "common/keys/id"),
    knownHostsFile: join(homedir(), "known"),
  });
  expect(hosts.get("h2")).toMatchObject({ keyFile: join(dir, "own"), knownHostsFile: join(homedir(), "known") });
});

test("a layer that is missing, circular or no name", () => {
  expect(problemsOf(put("a.yml", "hosts: {}\nextends: b.yml\n"))).toBe(
    "a.yml:2: extends: cannot read b.yml: there is no such file",
  );
  put("b.yml", "extends: a.yml\n");
  expect(problemsOf(join(dir, "a.yml")).split("\n")[0]).toBe(
    "b.yml:1: extends: 'extends' goes in a circle: a.yml -> b.yml -> a.yml",
  );
  expect(problemsOf(put("c.yml", `extends: [b.yml]\n${BASE}`)).split("\n")[0]).toBe(
    "c.yml:1: extends: expected the name of a file, relative to this one",
  );
});

test("lines are right in flow, nested lists, anchors, merge keys, comments and quoted keys", () => {
  const text = `# comment
a: { b: 1,
  "c": [1,
    2] }
d: &d
  - e: 1

  - 'f':
      g: |
        text
h: *d
i:
  <<: { j: 1 }
  k: 2
`;
  const { root } = readInventory(put("lines.yml", text));
  if (!root) throw new Error("not read");
  const line = (...path: (string | number)[]) => nodeAt(root, path)?.line;
  expect(line("a")).toBe(2);
  expect(line("a", "b")).toBe(2);
  expect(line("a", "c")).toBe(3);
  expect(line("a", "c", 1)).toBe(4);
  expect(line("d", 0, "e")).toBe(6);
  expect(line("d", 1, "f")).toBe(8);
  expect(line("d", 1, "f", "g")).toBe(9);
  expect(line("h")).toBe(11);
  expect(line("h", 1, "f", "g")).toBe(9);
  expect(line("i", "k")).toBe(14);
  expect(line("i", "j")).toBe(12);
  expect(toPlain(root)).toMatchObject({ a: { b: 1, c: [1, 2] }, i: { j: 1, k: 2 } });
});

test("loadHosts does not mind the clusters, and says what is wrong with the file", () => {
  expect(loadHosts(put("h.yml", BASE.replace("version: 17", "versio: 3"))).get("h1")?.user).toBe("admin");
  expect(() => loadHosts(put("i.yml", "hosts: [\n"))).toThrow(/i\.yml:2: this is not YAML/);
  expect(() => loadHosts(put("j.yml", "defaults: {}\n"))).toThrow(/there are no 'hosts'/);
});

test("the key of a repository that is fetched is told by its fingerprint, written in any way", () => {
  const print = "3773 c119 5bcd 3677 5e95 6feb 4280 7d13 ebf8 28e9";
  const key = `key_url: "https://example.org/k.asc", key_fingerprint: ${print}`;
  const repository = `repository: { name: r, uri: file:/r, suite: s, components: [main], ${key} }`;
  const path = put("u.yml", BASE.replace("defaults:", `defaults:\n  ${repository}`));
  const host = loadInventory(path, { has: () => true }).inventory?.hosts.get("h1");
  expect(host?.repository).toMatchObject({
    keyUrl: "https://example.org/k.asc",
    keyFingerprint: "3773C1195BCD36775E956FEB42807D13EBF828E9",
  });
  expect(host?.repository).not.toHaveProperty("key");
});

test("the key of a repository is read from its file", () => {
  put("r.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
  const repository = "repository: { name: r, uri: file:/r, suite: s, components: [main], key_file: r.asc }";
  const path = put("r.yml", BASE.replace("defaults:", `defaults:\n  ${repository}`));
  const host = loadInventory(path, { has: () => true }).inventory?.hosts.get("h1");
  expect(host?.repository).toEqual({
    name: "r",
    uri: "file:/r",
    suite: "s",
    components: ["main"],
    key: readFileSync(join(dir, "r.asc"), "utf8"),
  });
});
