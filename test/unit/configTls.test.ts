import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hbaLine } from "../../resources/hba";
import { expiryWarnings } from "../../config/deriveTls";
import { makeAuthority } from "../../actions/certificates";
import { nodeConninfo } from "../../config/deriveRepmgr";
import { textOf } from "../../providers/unitScript";
import { nodeScripts } from "../../resources/scripts";
import { C, edited, inventoryOf, problemsOf } from "./configFixture";
import { AUTHORITY, AUTHORITY_KEY, CERTIFICATE, CERTIFICATE_KEY } from "./tlsFixture";

const directory = mkdtempSync(join(tmpdir(), "tls-"));
const at = (file: string): string => join(directory, file);
writeFileSync(at("ca.crt"), `an authority\n${AUTHORITY}`);
writeFileSync(at("server.crt"), CERTIFICATE);
writeFileSync(at("empty"), "nothing\n");
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => jest.restoreAllMocks());

const OWN = `{ file: ${at("server.crt")}, key_secret: server_key }`;
const ALL = `certificates: { n1: ${OWN}, n2: ${OWN}, n3: ${OWN} }`;
const CA = `ca_file: ${at("ca.crt")}`;
const KEYS: Readonly<Record<string, string>> = { main_ca_key: AUTHORITY_KEY, server_key: CERTIFICATE_KEY };

function withTls(tls: string): string {
  return edited(["    clients:", `    tls: { ${tls} }\n    clients:`]);
}

/** The problems of a "tls: { ... }" on line 17, without what is the same in all. */
function problems(tls: string, keys: Readonly<Record<string, string | undefined>> = KEYS): string[] {
  const found = problemsOf(
    withTls(tls),
    () => true,
    (name) => keys[name],
  );
  return found.map((problem) => problem.replaceAll(`${directory}/`, "").replace(`i.yml:17: ${C}.tls`, ""));
}

test("the certificate of each node is checked where the inventory asks for monitoring", () => {
  const text = withTls(CA).replace("    port: 5432", "    port: 5432\n    monitoring: {}");
  expect(inventoryOf(text).clusters[0]?.monitoring?.certificates).toEqual(["/etc/repmgr/main/server.pem"]);
  const both = text.replace(CA, `${CA}, replication_certificates: presented`);
  expect(inventoryOf(both).clusters[0]?.monitoring?.certificates).toEqual([
    "/etc/repmgr/main/server.pem",
    "/etc/repmgr/main/repmgr.pem",
  ]);
});

test("nodes check each other where the inventory says so, by a file that is on all of them", () => {
  const loginCertificate = "/etc/repmgr/main/repmgr.pem";
  const paths = { passFile: "/etc/repmgr/main/pgpass", authorities: "/etc/repmgr/main/ca.crt", loginCertificate };
  const logins = ["presented", "required"].map((how) => `${CA}, replication_certificates: ${how}`);
  const conninfos = [CA, `${CA}, nodes: verify-full`, ...logins].map((tls) => {
    const [cluster] = inventoryOf(withTls(tls)).clusters;
    const [node] = cluster?.nodes ?? [];
    return cluster && node && nodeConninfo(cluster, node, paths);
  });
  expect(conninfos).toEqual([
    expect.not.stringMatching(/ssl/),
    expect.stringMatching(
      /^host=192\.0\.2\.1 port=5432 .* passfile=\S+ sslmode=verify-full sslrootcert=\/etc\/repmgr\/main\/ca\.crt$/,
    ),
    ...logins.map(
      () =>
        expect.stringMatching(
          / passfile=\S+ sslcert=\/etc\/repmgr\/main\/repmgr\.pem sslkey=\/etc\/repmgr\/main\/repmgr\.pem$/,
        ) as string,
    ),
  ]);
});

test("every script that asks other nodes checks them and shows a certificate, and only where that is wanted", () => {
  const texts = [CA, `${CA}, nodes: verify-full`, `${CA}, replication_certificates: presented`].map((tls) => {
    const [cluster] = inventoryOf(withTls(tls)).clusters;
    const [node] = cluster?.nodes ?? [];
    return cluster && node
      ? Object.values(nodeScripts(cluster, node))
          .map(textOf)
          .filter((text) => / -U repmgr /.test(text))
      : [];
  });
  const check = "export PGSSLMODE=verify-full PGSSLROOTCERT='/etc/repmgr/main/ca.crt'\n";
  const login = "'/etc/repmgr/main/repmgr.pem'";
  expect(texts.map((scripts) => scripts.length)).toEqual([3, 3, 3]);
  for (const text of texts[0] ?? []) expect(text).not.toContain("PGSSL");
  for (const text of texts[1] ?? []) expect(text).toContain(check);
  for (const text of texts[1] ?? []) expect(text).not.toContain("PGSSLCERT");
  for (const text of texts[2] ?? []) expect(text).toContain(`export PGSSLCERT=${login} PGSSLKEY=${login}\n`);
  for (const text of texts[2] ?? []) expect(text).not.toContain("PGSSLMODE");
});

test("an authority with its key, and certificates of one's own, are no problem", () => {
  expect(problems(CA)).toEqual([""]);
  expect(problems(`${CA}, names: [db.example.org], ${ALL}`)).toEqual([""]);
});

test.each<[string, string, string[]]>([
  [
    "a file that is not there",
    `ca_file: ${at("gone.crt")}`,
    [".ca_file: cannot read gone.crt (ENOENT). 'npm run ca' makes one."],
  ],
  [
    "a file without a certificate",
    `ca_file: ${at("empty")}`,
    [".ca_file: empty holds no certificate in PEM. 'npm run ca' makes one."],
  ],
  [
    "a certificate that is no authority's",
    `ca_file: ${at("server.crt")}`,
    [
      ".ca_file: server.crt: CN=main is no authority (its basicConstraints do not say CA)",
      ".ca_key_secret: the private key in the secret 'main_ca_key' does not match a certificate in server.crt",
    ],
  ],
  [
    "certificates of one's own beside an authority's key, for no node, not for all nodes, unreadable",
    `${CA}, ca_key_secret: key, certificates: { n1: ${OWN}, n9: ${OWN}, n2: { file: ${at("gone")}, key_secret: server_key } }`,
    [
      ".ca_key_secret: with 'certificates' nothing is signed: remove it",
      ".certificates: the node 'n3' has none",
      ".certificates.n2.file: cannot read gone (ENOENT).",
      ".certificates.n9: unknown node 'n9'; did you mean 'n1'?",
    ],
  ],
  [
    "certificates of one's own where the nodes are to log in by some that 'up' makes",
    `${CA}, replication_certificates: presented, ${ALL}`,
    [
      ".replication_certificates: 'up' makes these certificates, and with 'certificates' it signs nothing: remove 'certificates' and put the private key of an authority into the secret that 'ca_key_secret' names, or leave it at none",
    ],
  ],
  [
    "a word that says nothing of them",
    `${CA}, replication_certificates: cert`,
    ['.replication_certificates: expected none, presented, required, found the text "cert"'],
  ],
  [
    "a certificate that is not for what clients use",
    `${CA}, names: [other.example.org], ${ALL}`,
    ["n1", "n2", "n3"].map(
      (n) => `.certificates.${n}.file: server.crt: it is not for other.example.org, where '${n}' is reached`,
    ),
  ],
])("refused: %s", (_, tls, expected) => {
  expect(problems(tls)).toEqual(expected);
});

test("refused: a key that is another one's, and one that is none; its text is not told", () => {
  expect(problems(CA, { main_ca_key: CERTIFICATE_KEY })).toEqual([
    ".ca_key_secret: the private key in the secret 'main_ca_key' does not match a certificate in ca.crt",
  ]);
  expect(problems(CA, { main_ca_key: "canary" })).toEqual([
    ".ca_key_secret: the secret 'main_ca_key' holds no private key in PEM that can be read without a passphrase",
  ]);
  expect(problems(`${CA}, ${ALL}`, { server_key: AUTHORITY_KEY })).toEqual(
    ["n1", "n2", "n3"].map(
      (n) => `.certificates.${n}.key_secret: the private key in the secret 'server_key' does not match server.crt`,
    ),
  );
});

test("refused: what has expired, and a certificate that another authority signed", async () => {
  writeFileSync(at("other.crt"), (await makeAuthority("other")).certificate);
  expect(problems(`ca_file: ${at("other.crt")}, ${ALL}`)).toEqual(
    ["n1", "n2", "n3"].map((n) => `.certificates.${n}.file: server.crt: it does not lead to an authority in other.crt`),
  );
  jest.spyOn(Date, "now").mockReturnValue(Date.UTC(2200, 1));
  const [authority, ...certificates] = problems(`${CA}, ${ALL}`);
  expect(authority).toMatch(/^\.ca_file: ca\.crt: the authority CN=test authority does not count: it expired on 2126-/);
  expect(certificates).toEqual(
    ["n1", "n2", "n3"].map(
      (n) => expect.stringMatching(`certificates.${n}.file: server.crt: it expired on 2126-`) as string,
    ),
  );
});

test("refused: settings that follow from it; a missing secret is told with the command that makes it", () => {
  const text = withTls(CA).replace("work_mem: 8MB", "ssl: on");
  expect(problemsOf(text)).toEqual([`i.yml:16: ${C}.settings.ssl: 'ssl' follows from 'tls'`]);
  expect(problemsOf(withTls(CA), (name) => name !== "main_ca_key")).toEqual([
    `i.yml:17: ${C}.tls.ca_key_secret: the stack's configuration lacks the secret 'main_ca_key'; set it with: npm run ca -- main`,
  ]);
});

test("'require: tls' is content with it", () => {
  const rule = "method: reject";
  expect(problemsOf(withTls(CA).replace("defaults:\n", "require: { tls: true }\ndefaults:\n"))).toEqual([""]);
  expect(
    problemsOf(
      withTls(CA).replace("defaults:\n", "require: { tls: true }\ndefaults:\n").replace(rule, "method: scram-sha-256"),
    ),
  ).toEqual([`i.yml:21: ${C}.hba[0].type: a line of type host lets in without TLS, and 'require' asks for tls`]);
});

test("nobody gets in over the network without TLS, and each node's certificate is for where it is reached", () => {
  const [cluster] = inventoryOf(withTls(`${CA}, names: [db.example.org], min_protocol: TLSv1.3`)).clusters;
  const lines = cluster?.hba.map(hbaLine) ?? [];
  expect(lines.filter((line) => line.startsWith("host "))).toEqual(["host app app 192.0.2.0/24 reject"]);
  expect(lines).toContain("hostssl app app 192.0.2.0/24 scram-sha-256");
  expect(lines).toContain("hostssl replication repmgr 192.0.2.2/32 scram-sha-256");
  expect(cluster?.settings).toMatchObject({
    ssl: "on",
    ssl_cert_file: "/etc/repmgr/main/server.pem",
    ssl_key_file: "/etc/repmgr/main/server.pem",
    ssl_ca_file: "/etc/repmgr/main/ca.crt",
    ssl_min_protocol_version: "TLSv1.3",
  });
  expect(cluster?.tls).toEqual({ authorities: AUTHORITY, caFile: "ca.crt", areNodesVerified: false });
  expect(cluster?.nodes[1]?.tls).toEqual({
    names: ["192.0.2.2", "db.example.org", "h2"],
    days: 365,
    keySecret: "main_ca_key",
  });
});

test("nodes are let in by certificate alone once that is required, and clients as before", () => {
  const linesOf = (how: string): string[] =>
    inventoryOf(withTls(`${CA}, replication_certificates: ${how}`)).clusters[0]?.hba.map(hbaLine) ?? [];
  const [presented, required] = [linesOf("presented"), linesOf("required")];
  expect(presented).toEqual(inventoryOf(withTls(CA)).clusters[0]?.hba.map(hbaLine));
  const changed = required.filter((line) => !presented.includes(line));
  expect(changed).toHaveLength(10);
  for (const line of changed) expect(line).toMatch(/^hostssl (repmgr|replication) repmgr \S+ cert$/);
  expect(required).toContain("hostssl app app 192.0.2.0/24 scram-sha-256");
});

test("what ends soon and only a person can renew is warned of", () => {
  const warnings = (tls: string, year: number): string[] => {
    const [cluster] = inventoryOf(withTls(tls)).clusters;
    return cluster === undefined ? [] : expiryWarnings(cluster, Date.UTC(year, 1));
  };
  expect(warnings(CA, 2090)).toEqual([]);
  expect(warnings(CA, 2126)).toEqual([
    expect.stringMatching(/^cluster main: an authority in ca\.crt expires on 2126-\S+: make one that replaces it/),
  ]);
  expect(warnings(`${CA}, ${ALL}`, 2050)).toEqual([]);
  expect(warnings(`${CA}, ${ALL}`, 2100)).toEqual(
    ["n1", "n2", "n3"].map((n) => expect.stringContaining(`the certificate of ${n} expires on 2126-`) as string),
  );
});

test("without it nothing is different", () => {
  const [cluster] = inventoryOf(edited()).clusters;
  expect(cluster?.hba.some(({ type }) => type === "hostssl")).toBe(false);
  expect(Object.keys(cluster?.settings ?? {}).filter((name) => name.startsWith("ssl"))).toEqual([]);
});
