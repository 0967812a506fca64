import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAuthority, makeCertificate } from "../../actions/certificates";
import { certificatesOf } from "../../config/certificate";
import { projectRoot } from "../../scripts/projectRoot";
import { ED25519, ED25519_PRINT } from "../unit/openpgpFixture";

const WANTED = "0123456789ABCDEF0123456789ABCDEF01234567";
const scratch = mkdtempSync(join(tmpdir(), "key-"));
const caFile = join(scratch, "ca.crt");
const paths: string[] = [];
let server: Server;
let at: string;

beforeAll(async () => {
  const { certificate, key } = await makeAuthority("of the test");
  writeFileSync(caFile, certificate);
  const request = { authorities: certificatesOf(certificate), authorityKey: key, name: "here", names: ["127.0.0.1"] };
  const pem = await makeCertificate({ ...request, days: 2 });
  server = createServer({ key: pem, cert: pem }, ({ url = "" }, response) => {
    paths.push(url);
    if (url === "/key.asc") response.end(`${ED25519}\n`);
    else if (url === "/moved") response.writeHead(302, { location: "/key.asc" }).end();
    else if (url === "/circle") response.writeHead(302, { location: "/circle" }).end();
    else if (url === "/plain") response.writeHead(302, { location: "http://127.0.0.1:9/key.asc" }).end();
    else if (url === "/large") response.end("x".repeat(2 * 1024 ** 2));
    else if (url === "/page") response.end("<html>Not the key</html>");
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  at = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => (paths.length = 0));
afterAll(() => {
  server.close();
  rmSync(scratch, { recursive: true });
});

interface Seen {
  readonly problem?: string;
  readonly puts?: { readonly path: string; readonly content: string }[];
  readonly shown?: { readonly key?: string; readonly keyFingerprint?: string };
}

/** What a host with this file as its key shows and gets, as a provider process of its own sees it. */
function look(path: string, keyFingerprint: string, onHost?: string, env: NodeJS.ProcessEnv = {}): Promise<Seen> {
  const repository = { name: "pgdg", uri: "https://apt.example/pg", suite: "s", components: ["main"] };
  const packages = ["postgresql-17", "postgresql-17-repmgr"];
  const inputs = {
    ...{ kind: "PgPackages", pending: [], reach: {}, host: "pg3", family: "debian", version: 17, packages },
    ...{ siblings: [], versions: "as on the other nodes", createMainCluster: false },
    repository: { ...repository, keyUrl: `${at}${path}`, keyFingerprint },
  };
  const recorded = readFileSync(join(projectRoot(), "test", "unit", "recorded", "packages-installed.txt"), "utf8");
  const file = onHost === undefined ? undefined : { content: onHost, owner: "root:root", mode: "0644", modifiedAt: 1 };
  const script = `
const { pgPackagesKind: kind } = require(${JSON.stringify(join(projectRoot(), "bin", "providers", "pgPackages.js"))});
const { inputs, recorded, file } = JSON.parse(process.argv[1]);
const ask = async (host, probe) => !probe.key.startsWith("file ") ? probe.parse({ code: 0, stdout: recorded, stderr: "" })
  : /keyrings/.test(probe.key) ? file : undefined;
const done = (seen) => console.log(JSON.stringify(seen));
kind.observe({ ask }, inputs).then((have) => {
  have = { ...have, source: { content: "", owner: "root:root", mode: "0644", modifiedAt: 1 } };
  const shown = kind.project(inputs, have).inputs.repository;
  try { done({ shown, puts: kind.plan(inputs, have).filter((a) => a.do === "putFile").map(({ path, content }) => ({ path, content })) }); }
  catch (error) { done({ shown, problem: error.name + ": " + error.message }); }
});`;
  return new Promise((resolve, reject) => {
    const args = ["-e", script, JSON.stringify({ inputs, recorded, file })];
    const options = { env: { ...process.env, NODE_EXTRA_CA_CERTS: caFile, ...env } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as Seen);
      else reject(new Error(stderr));
    });
  });
}

const KEYRING = "/etc/apt/keyrings/repmgr-pulumi-pgdg.asc";
const keys = ({ puts = [] }: Seen): string[] => puts.filter(({ path }) => path === KEYRING).map((put) => put.content);

describe("the key of a repository, fetched", () => {
  test.each(["/key.asc", "/moved"])("is put on a host that has none: %s", async (path) => {
    const seen = await look(path, ED25519_PRINT);
    expect(keys(seen)).toEqual([`${ED25519}\n`]);
    expect(seen.shown).toMatchObject({ keyFingerprint: "none" });
    expect(seen.shown).not.toHaveProperty("key");
  });

  test("is not asked for where the host has that very key, however its text looks", async () => {
    const seen = await look("/key.asc", ED25519_PRINT, `Comment: theirs\n${ED25519}\n`);
    expect(keys(seen)).toEqual([]);
    expect(seen.shown).toMatchObject({ keyFingerprint: ED25519_PRINT });
    expect(paths).toEqual([]);
  });

  test("takes the place of one that somebody has put there", async () => {
    const seen = await look("/key.asc", ED25519_PRINT, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
    expect(keys(seen)).toEqual([`${ED25519}\n`]);
    expect(seen.shown).toMatchObject({ keyFingerprint: "none" });
  });

  test.each<[string, string, RegExp]>([
    [
      "has another fingerprint",
      "/key.asc",
      new RegExp(`key\\.asc has ${ED25519_PRINT}, wanted ${WANTED} and no other; it was not put on any host$`),
    ],
    ["is none", "/page", new RegExp(`/page is no key that can be read, wanted ${WANTED} and no other`)],
    ["is not there", "/none", /the key at \S+\/none cannot be fetched: the server answers 404$/],
    ["is at no place", "/circle", /cannot be fetched: it is always somewhere else$/],
    ["would come without TLS", "/plain", /cannot be fetched: Protocol "http:" not supported/],
    ["is too large", "/large", /cannot be fetched: it has more than 1048576 bytes$/],
  ])("that %s is refused, and the host gets nothing", async (_, path, problem) => {
    const seen = await look(path, WANTED);
    expect(seen.problem).toMatch(/^Refused: pg3: /);
    expect(seen.problem).toMatch(problem);
    expect(seen.puts).toBeUndefined();
  });

  test("from a server whose authority this machine does not know is refused", async () => {
    const { problem } = await look("/key.asc", ED25519_PRINT, undefined, { NODE_EXTRA_CA_CERTS: "" });
    expect(problem).toMatch(/cannot be fetched: (unable to (verify|get)|self-signed certificate)/);
    expect(paths).toEqual([]);
  });
});
