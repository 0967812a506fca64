import { makeAuthority, makeCertificate } from "../../actions/certificates";
import { certificatesOf, covers } from "../../config/certificate";
import type { InstanceFacts } from "../../facts/instance";
import { HEALTHY_TLS } from "../../providers/instanceTls";
import { type PgInstanceFacts, type PgInstanceInputs, pgInstanceKind } from "../../providers/pgInstance";
import { Refused } from "../../providers/kind";
import * as facts from "../support/facts";
import { absent, DATA } from "./instancePlanFixture";
import { madeAt } from "./madeCertificate";
import { AUTHORITY, AUTHORITY_KEY, CERTIFICATE, CERTIFICATE_KEY } from "./tlsFixture";

const PEM = "/etc/repmgr/main/server.pem";
const NAMES = ["198.18.0.11", "pg1"];
const PEERS = ["repmgr", "replication"].map((to) => `${to} repmgr 198.18.0.11/32 scram-sha-256`);
const plainHba = ["local all postgres peer", ...PEERS.map((line) => `host ${line}`)];
const tlsHba = ["local all postgres peer", ...PEERS.map((line) => `hostssl ${line}`)];
const OFF = { cluster_name: "main", port: "5432" };
const ON = { ...OFF, ssl: "on", ssl_cert_file: PEM, ssl_key_file: PEM, ssl_ca_file: "/etc/repmgr/main/ca.crt" };
const tls = { authorities: AUTHORITY, names: NAMES, days: 365 };

const without = (over: Partial<PgInstanceInputs> = {}): PgInstanceInputs =>
  facts.instanceInputs(1, { settings: OFF, hba: plainHba, ...over });
const withTls = (over: Partial<PgInstanceInputs> = {}): PgInstanceInputs =>
  without({ settings: ON, hba: tlsHba, tls, tlsKey: AUTHORITY_KEY, ...HEALTHY_TLS, ...over });

const sslOf = (settings: Record<string, string>): InstanceFacts =>
  facts.primary(
    {},
    { settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, facts.setting(value)])) },
  );
const plainServer = sslOf(OFF);
const tlsServer = sslOf(ON);

let made = "";
beforeAll(async () => {
  const request = { authorities: certificatesOf(AUTHORITY), authorityKey: AUTHORITY_KEY };
  made = await makeCertificate({ ...request, name: "main n1", names: NAMES, days: 365 });
});
afterEach(() => jest.restoreAllMocks());

/** What is there once it is as wanted. */
const files = (over: Partial<PgInstanceFacts> = {}): Partial<PgInstanceFacts> => ({
  certificate: facts.file(made),
  authorities: facts.file(AUTHORITY, { mode: "0644" }),
  ...over,
});

function factsOf(
  want: PgInstanceInputs,
  server: InstanceFacts,
  was: PgInstanceInputs,
  over: Partial<PgInstanceFacts> = {},
): PgInstanceFacts {
  const { postgresConf, hbaConf } = facts.instanceFacts(was, []);
  return facts.instanceFacts(want, facts.view([server, facts.standby(2), facts.standby(3)]), {
    postgresConf,
    hbaConf,
    ...over,
  });
}

const whysOf = (want: PgInstanceInputs, have: PgInstanceFacts): string[] =>
  pgInstanceKind.plan(want, have).map(({ why }) => why);

const LOAD = "load the configuration without a restart: ";
const MAKE = `make one for ${NAMES.join(", ")}, valid for 365 days`;
const PROOF = "n1 lets a client in that checks its certificate";
const RULES = "who may connect: 3 rules from the topology and the inventory";
const SSL = "ssl, ssl_ca_file, ssl_cert_file, ssl_key_file";

describe("in a running cluster", () => {
  const turningOn = expect.stringMatching(/^settings: ssl: \(not set\) => on/) as string;

  test("TLS is turned on: files, the server, a client that tries it, and only then the rules that ask for it", () => {
    const whys = whysOf(withTls(), factsOf(withTls(), plainServer, without()));
    expect(whys).toEqual([
      "/etc/repmgr/main/ca.crt, which names the authorities of TLS, is absent",
      `the certificate of n1 is absent: ${MAKE}`,
      turningOn,
      `${LOAD}${SSL}, certificates`,
      PROOF,
      RULES,
      `${LOAD}pg_hba.conf`,
    ]);
  });

  test("cut after the server was told: it is tried before the rules are written, however it came to that", () => {
    const want = withTls();
    expect(whysOf(want, factsOf(want, tlsServer, without({ settings: ON }), files()))).toEqual([
      PROOF,
      RULES,
      `${LOAD}pg_hba.conf`,
    ]);
  });

  test("nothing is left to do", () => {
    const want = withTls();
    expect(whysOf(want, factsOf(want, tlsServer, want, files()))).toEqual([]);
  });

  test("a setting besides is one reload", () => {
    const want = withTls({ settings: { ...ON, work_mem: "8MB" } });
    expect(whysOf(want, factsOf(want, tlsServer, withTls(), files()))).toEqual([
      "settings: work_mem: (not set) => 8MB",
      `${LOAD}work_mem`,
    ]);
  });

  test("TLS is turned off in reverse: the rules, the server, the files", () => {
    const want = without();
    const end = "n1 does without TLS: remove its private key and certificate";
    expect(whysOf(want, factsOf(want, tlsServer, withTls()))).toEqual([
      RULES,
      `${LOAD}pg_hba.conf`,
      expect.stringMatching(/^settings: ssl: on => \(not managed\)/),
      end,
      `${LOAD}${SSL}`,
    ]);
    // Cut before the server was told.
    expect(whysOf(want, factsOf(want, tlsServer, want))).toEqual([end, `${LOAD}ssl`]);
    expect(whysOf(want, factsOf(want, plainServer, want))).toEqual([]);
  });

  test("TLS that a person has set in conf.d is theirs", () => {
    const theirs = sslOf({ ...OFF, ssl: "on", ssl_cert_file: "/etc/ssl/own.pem" });
    expect(whysOf(without(), factsOf(without(), theirs, without()))).toEqual([]);
  });

  test("nobody is asked to log in as a role that is not there yet", () => {
    const bare = facts.primary({}, { roles: [] });
    expect(whysOf(withTls(), factsOf(withTls(), bare, without()))).not.toContain(PROOF);
  });
});

test("a node without data gets its files first; a stopped one is not asked to load them", () => {
  const want = withTls();
  const stopped = factsOf(want, facts.formerPrimary(), without());
  expect(whysOf(want, stopped)).toHaveLength(4);
  const nothing = { postgresConf: undefined, hbaConf: undefined };
  const bare = facts.instanceFacts(want, facts.view([absent, absent, absent]), nothing);
  expect(whysOf(want, bare).slice(0, 3)).toEqual([
    "/etc/repmgr/main/ca.crt, which names the authorities of TLS, is absent",
    `the certificate of n1 is absent: ${MAKE}`,
    `initdb in ${DATA}: no node has data yet and the inventory says this one begins`,
  ]);
});

test("a primary without TLS yet lets a node in by the rules it has", () => {
  const want = withTls({ hba: [...tlsHba, "hostssl app app 192.0.2.0/24 scram-sha-256"] });
  const seen = facts.view([facts.formerPrimary(), facts.primary({}, { timeline: 2 }), facts.standby(3, 2)]);
  const old = ["local all postgres peer", "host app app 192.0.2.0/24 scram-sha-256"];
  const have = facts.instanceFacts(want, seen, files({ primaryHba: facts.file(old.join("\n")) }));
  const [door] = pgInstanceKind.plan(want, have);
  if (door?.do !== "putFile") throw new Error("no door is opened");
  expect(door.host).toBe("pg2");
  expect(door.content.split("\n").filter((line) => /^(local|host)/.test(line))).toEqual([...old, ...plainHba.slice(1)]);
});

describe("a review shows the certificate, and what is wrong with it", () => {
  const seen = (want: PgInstanceInputs, over: Partial<PgInstanceFacts> = {}) =>
    pgInstanceKind.project(want, factsOf(want, tlsServer, want, files(over)));

  test("exactly its inputs when healthy, and until when it counts", () => {
    const { inputs, outputs } = seen(withTls());
    expect(inputs).toEqual(withTls());
    expect(Date.parse(outputs.certificateExpires ?? "") - Date.now()).toBeGreaterThan(364 * 86_400_000);
  });

  const other = makeAuthority("another");
  const signed = async (over: { names?: string[]; days?: number; isOther?: boolean }): Promise<string> => {
    const { certificate, key } = await other;
    const by = over.isOther === true ? [certificate, key] : [AUTHORITY, AUTHORITY_KEY];
    const [authority = "", authorityKey = ""] = by;
    const { names = NAMES, days = 365 } = over;
    return makeCertificate({ authorities: certificatesOf(authority), authorityKey, name: "x", names, days });
  };

  test.each<[string, () => Promise<string>, string | RegExp]>([
    [
      "another key",
      () => Promise.resolve(`${CERTIFICATE_KEY}${made.slice(made.indexOf("-----BEGIN CERT"))}`),
      "does not match its key",
    ],
    ["another authority", () => signed({ isOther: true }), "was signed by another authority"],
    ["other names", () => signed({ names: ["198.18.0.11"] }), "is for 198.18.0.11"],
    ["a life that is too long", () => signed({ days: 400 }), /^is valid until 20\d\d-\d\d-\d\d, longer than 365 days$/],
    ["no certificate", () => Promise.resolve("canary"), "cannot be read"],
  ])("%s", async (_, text, expected) => {
    const over = { certificate: facts.file(await text()) };
    expect(seen(withTls(), over).inputs).toEqual({
      ...withTls(),
      certificate: expect.stringMatching(expected) as string,
    });
    expect(whysOf(withTls(), factsOf(withTls(), tlsServer, withTls(), files(over)))).toEqual([
      expect.stringMatching(/^the certificate of n1 .*: make one for /),
      `${LOAD}certificates`,
      PROOF,
    ]);
  });

  test("less than a third of its life", () => {
    const now = Date.now();
    const in243Days = now + 243 * 86_400_000;
    jest.spyOn(Date, "now").mockReturnValue(in243Days);
    expect(seen(withTls()).inputs.certificate).toBe("as wanted");
    jest.spyOn(Date, "now").mockReturnValue(in243Days + 86_400_000);
    expect(seen(withTls()).inputs.certificate).toMatch(
      /^is valid until \S+, and less than a third of its life is left$/,
    );
  });

  test("files that others may read or have written", () => {
    expect(seen(withTls(), { certificate: facts.file(made, { mode: "0644" }) }).inputs.certificate).toBe(
      "belongs to postgres:postgres with mode 0644",
    );
    expect(seen(withTls(), { authorities: facts.file(`${AUTHORITY}x`, { mode: "0644" }) }).inputs).toEqual({
      ...withTls(),
      authorities: "differs",
    });
  });
});

test("what is made is for the node, signed, and made only when it is written", async () => {
  const actions = pgInstanceKind.plan(withTls(), factsOf(withTls(), plainServer, without()));
  expect(JSON.stringify(actions)).not.toContain("PRIVATE KEY");
  const certificate = await madeAt(PEM, actions);
  expect(NAMES.every((name) => covers(certificate, name))).toBe(true);
});

test("a certificate of one's own is put there as it is, and put back", () => {
  const want = withTls({ tls: { ...tls, given: CERTIFICATE }, tlsKey: CERTIFICATE_KEY.trim() });
  const [put] = pgInstanceKind.plan(want, factsOf(want, tlsServer, want, files()));
  if (put?.do !== "putFile") throw new Error("nothing is put");
  expect(put).toMatchObject({ path: PEM, content: `${CERTIFICATE_KEY}${CERTIFICATE}`, mode: "0600" });
  const there = files({ certificate: facts.file(put.content) });
  expect(whysOf(want, factsOf(want, tlsServer, want, there))).toEqual([]);
});

describe("where the nodes check each other", () => {
  const verified = (over: Partial<PgInstanceInputs>): PgInstanceInputs => withTls({ areNodesVerified: true, ...over });
  const another = makeAuthority("another");

  test("a certificate of an authority that they do not know yet is not made", async () => {
    const { certificate, key } = await another;
    const both = { ...tls, authorities: AUTHORITY + certificate };
    const want = verified({ tls: both, tlsKey: key });
    const known = files({ authorities: facts.file(both.authorities, { mode: "0644" }) });
    expect(() => whysOf(want, factsOf(want, tlsServer, want, files()))).toThrow(
      /do not know the authority of the new certificate of n1 yet.*First add its certificate to ca_file.*then change the key/,
    );
    expect(whysOf(want, factsOf(want, tlsServer, want, known))[0]).toMatch(
      /^the certificate of n1 was signed by another/,
    );
    const given = verified({ tls: { ...tls, authorities: certificate, given: CERTIFICATE }, tlsKey: CERTIFICATE_KEY });
    const theirs = files({ authorities: facts.file(certificate, { mode: "0644" }) });
    expect(() => whysOf(given, factsOf(given, tlsServer, given, theirs))).toThrow(Refused);
  });

  test("a new node, which nobody has to know yet, gets one", () => {
    const want = verified({});
    const have = facts.instanceFacts(want, facts.view([absent, absent, absent]), { postgresConf: undefined });
    expect(whysOf(want, have)[1]).toMatch(/^the certificate of n1 is absent/);
  });
});

describe("it goes with its node", () => {
  const want = withTls();
  const removed = (over: Partial<PgInstanceFacts>) =>
    pgInstanceKind.planDelete(factsOf(want, facts.formerPrimary(), want, over), want, [])[0];

  test("key, certificate and authorities", () => {
    expect(removed(files())).toMatchObject({
      why: "main/n1 is no longer managed: remove its passwords and its private key",
      script: "rm -f '/etc/repmgr/main/pgpass' '/etc/repmgr/main/server.pem' '/etc/repmgr/main/ca.crt'",
    });
  });

  test("the authorities also when a first run was cut before there was a certificate", () => {
    expect(removed(files({ certificate: undefined }))).toMatchObject({
      script: "rm -f '/etc/repmgr/main/pgpass' '/etc/repmgr/main/ca.crt'",
    });
  });
});
