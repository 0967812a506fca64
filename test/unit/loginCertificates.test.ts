import { makeAuthority, makeCertificate, makeLoginCertificate } from "../../actions/certificates";
import { certificatesOf } from "../../config/certificate";
import type { CertificatesFact } from "../../facts/certificates";
import type { FileFact } from "../../facts/file";
import type { InstanceFacts } from "../../facts/instance";
import type { Probe } from "../../facts/probe";
import { HEALTHY_LOGIN } from "../../providers/instanceLogin";
import { HEALTHY_TLS } from "../../providers/instanceTls";
import type { Ctx } from "../../providers/kind";
import { type PgInstanceFacts, type PgInstanceInputs, pgInstanceKind } from "../../providers/pgInstance";
import type { PreflightInputs } from "../../providers/preflight";
import { loginProblems, type Logins } from "../../providers/preflightLogins";
import { type RepmgrNodeInputs, repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";
import { madeAt } from "./madeCertificate";
import { AUTHORITY, AUTHORITY_KEY } from "./tlsFixture";

const PEM = "/etc/repmgr/main/repmgr.pem";
const SERVER = "/etc/repmgr/main/server.pem";
const OFF = { cluster_name: "main", port: "5432" };
const ON = { ...OFF, ssl: "on", ssl_cert_file: SERVER, ssl_key_file: SERVER, ssl_ca_file: "/etc/repmgr/main/ca.crt" };
const NAMES = ["198.18.0.11", "pg1"];
const hba = (method: string): string[] => [
  "local all postgres peer",
  `hostssl repmgr repmgr 198.18.0.11/32 ${method}`,
  `hostssl replication repmgr 198.18.0.11/32 ${method}`,
];
const signed = { authorities: certificatesOf(AUTHORITY), authorityKey: AUTHORITY_KEY };
const login = (over: { name?: string; unit?: string; days?: number } = {}): Promise<string> =>
  makeLoginCertificate({ ...signed, name: "repmgr", unit: "main n1", days: 365, ...over });

let server = "";
let own = "";
beforeAll(async () => {
  server = await makeCertificate({ ...signed, name: "main n1", names: NAMES, days: 365 });
  own = await login();
});
afterEach(() => jest.restoreAllMocks());

const withTls = (over: Partial<PgInstanceInputs> = {}): PgInstanceInputs =>
  facts.instanceInputs(1, {
    settings: ON,
    hba: hba("scram-sha-256"),
    tls: { authorities: AUTHORITY, names: NAMES, days: 365 },
    tlsKey: AUTHORITY_KEY,
    ...HEALTHY_TLS,
    ...over,
  });
const withLogin = (over: Partial<PgInstanceInputs> = {}): PgInstanceInputs =>
  withTls({ hasLoginCertificates: true, ...HEALTHY_LOGIN, ...over });

/** A node that runs as `was`, with the files of TLS that it has then. */
function seenAs(want: PgInstanceInputs, was: PgInstanceInputs, over: Partial<PgInstanceFacts> = {}): PgInstanceFacts {
  const running = facts.primary(
    {},
    { settings: Object.fromEntries(Object.entries(ON).map(([name, value]) => [name, facts.setting(value)])) },
  );
  const { postgresConf, hbaConf } = facts.instanceFacts(was, []);
  return facts.instanceFacts(want, facts.view([running, facts.standby(2), facts.standby(3)]), {
    ...{ postgresConf, hbaConf },
    certificate: facts.file(server),
    authorities: facts.file(AUTHORITY, { mode: "0644" }),
    ...over,
  });
}
const whysOf = (want: PgInstanceInputs, have: PgInstanceFacts): string[] =>
  pgInstanceKind.plan(want, have).map(({ why }) => why);

const MAKE = "make one for the role repmgr, valid for 365 days";
const OF = "the certificate with which n1 logs in to the others";
const PROOF = "n1 lets a client in that checks its certificate";

describe("the certificate with which a node logs in", () => {
  test("is made beside what is there, tried, and nothing is loaded", () => {
    expect(whysOf(withLogin(), seenAs(withLogin(), withTls()))).toEqual([`${OF} is absent: ${MAKE}`, PROOF]);
    expect(whysOf(withLogin(), seenAs(withLogin(), withLogin(), { loginCertificate: facts.file(own) }))).toEqual([]);
  });

  test("is for the role and a client alone, and names the node", async () => {
    const actions = pgInstanceKind.plan(withLogin(), seenAs(withLogin(), withTls()));
    expect(JSON.stringify(actions)).not.toContain("PRIVATE KEY");
    const certificate = await madeAt(PEM, actions);
    expect(certificate.subject).toBe("CN=repmgr\nOU=main n1");
    // id-kp-clientAuth (RFC 5280, 4.2.1.12)
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(certificate.subjectAltName).toBeUndefined();
  });

  test("is asked for by rules that come after it", () => {
    const want = withLogin({ hba: hba("cert") });
    expect(whysOf(want, seenAs(want, withLogin(), { loginCertificate: facts.file(own) }))).toEqual([
      PROOF,
      "who may connect: 3 rules from the topology and the inventory",
      "load the configuration without a restart: pg_hba.conf",
    ]);
  });

  test("goes when nobody asks for it any more, and with TLS", () => {
    const have = { loginCertificate: facts.file(own) };
    const [end, ...others] = pgInstanceKind.plan(withTls(), seenAs(withTls(), withTls(), have));
    expect([end, others]).toEqual([
      expect.objectContaining({
        why: "n1 logs in to the others by password alone: remove the private key and the certificate that it had for that",
        script: `rm -f '${PEM}'`,
      }),
      [],
    ]);
    const without = facts.instanceInputs(1, { settings: OFF, hba: hba("scram-sha-256") });
    expect(facts.shell(pgInstanceKind.plan(without, seenAs(without, withTls())))).toContain(
      `rm -f '${SERVER}' '/etc/repmgr/main/ca.crt' '${PEM}'`,
    );
    const stopped = facts.instanceFacts(withTls(), facts.view([facts.formerPrimary(), facts.standby(2)]), have);
    expect(facts.shell(pgInstanceKind.planDelete(stopped, withTls(), []))).toContain(PEM);
  });

  const other = makeAuthority("another");
  const bySomebody = async (): Promise<string> => {
    const { certificate, key } = await other;
    const by = { authorities: certificatesOf(certificate), authorityKey: key };
    return makeLoginCertificate({ ...by, name: "repmgr", unit: "main n1", days: 365 });
  };

  test.each<[string, () => Promise<string> | string, Partial<FileFact>, string | RegExp]>([
    ["another role's", () => login({ name: "app" }), {}, "is for CN=app, OU=main n1"],
    ["another node's", () => login({ unit: "main n2" }), {}, "is for CN=repmgr, OU=main n2"],
    ["another authority's", bySomebody, {}, "was signed by another authority"],
    ["readable for others", () => own, { mode: "0640" }, "belongs to postgres:postgres with mode 0640"],
    ["too long", () => login({ days: 400 }), {}, /^is valid until 20\d\d-\d\d-\d\d, longer than 365 days$/],
    ["none", () => "canary", {}, "cannot be read"],
  ])("is shown and made anew when it is %s", async (_, text, how, expected) => {
    const have = seenAs(withLogin(), withLogin(), { loginCertificate: facts.file(await text(), how) });
    const { inputs } = pgInstanceKind.project(withLogin(), have);
    expect(inputs).toEqual({ ...withLogin(), loginCertificate: expect.stringMatching(expected) as string });
    expect(whysOf(withLogin(), have)).toEqual([
      expect.stringMatching(/^the certificate with which n1 logs in to the others .*: make one for the role repmgr/),
      PROOF,
    ]);
  });

  test("is renewed with less than a third of its life left; the sooner end of both is told", async () => {
    const short = await login({ days: 100 });
    const have = seenAs(withLogin(), withLogin(), { loginCertificate: facts.file(short) });
    const { inputs, outputs } = pgInstanceKind.project(withLogin(), have);
    expect(inputs.loginCertificate).toBe("as wanted");
    expect(outputs.certificateExpires).toBe(new Date(certificatesOf(short)[0]?.validTo ?? "").toISOString());
    const later = Date.now() + 68 * 86_400_000;
    jest.spyOn(Date, "now").mockReturnValue(later);
    expect(pgInstanceKind.project(withLogin(), have).inputs.loginCertificate).toMatch(
      /^is valid until \S+, and less than a third of its life is left$/,
    );
  });

  test("is not made by an authority that the others do not know yet", async () => {
    const { certificate, key } = await other;
    const tls = { authorities: AUTHORITY + certificate, names: NAMES, days: 365 };
    const want = withLogin({ tls, tlsKey: key });
    expect(() => whysOf(want, seenAs(want, withTls()))).toThrow(
      /the others do not know the authority of the new certificate of n1 yet/,
    );
  });
});

describe("a standby", () => {
  const state = (over: Partial<RepmgrNodeInputs>, more: string): [state: string, whys: string[], shell: string] => {
    const inputs = facts.nodeInputs(2, over);
    const settings = { primary_conninfo: facts.setting(`host=198.18.0.11 port=5432 user=repmgr${more}`) };
    const have = facts.nodeFacts(
      inputs,
      facts.view([facts.primary(), facts.standby(2, 1, { settings }), facts.standby(3)]),
    );
    const actions = repmgrNodeKind.plan(inputs, have);
    return [repmgrNodeKind.project(inputs, have).inputs.state, facts.whys(actions), facts.shell(actions)];
  };
  const wanted = { hasLoginCertificates: true } as const;
  const SHOWN = ` sslcert=${PEM} sslkey=${PEM}`;

  test.each<[string, Partial<RepmgrNodeInputs>, string, string]>([
    ["without a certificate", wanted, "", "it streams from n1 without a certificate of its own"],
    ["without its key", wanted, ` sslcert=${PEM}`, "it streams from n1 without a certificate of its own"],
    ["with one that is over", {}, SHOWN, `it streams from n1 with the certificate ${PEM}, which nobody asks for`],
  ])("that streams %s is told anew whom to follow, and streams again", (_, over, more, problem) => {
    const [found, whys, shell] = state(over, more);
    expect(found).toBe(problem);
    expect(whys).toEqual([`pg2: ${problem}: follow n1`, "pg2: n2 streams from n1"]);
    expect(shell).toMatch(/alter system set primary_conninfo = /);
  });

  test("that streams as is wanted is attached", () => {
    expect(state(wanted, SHOWN)).toEqual(["attached", [], ""]);
    expect(state({}, "")).toEqual(["attached", [], ""]);
  });
});

describe("to begin, to end or to change it", () => {
  const nodes = [1, 2].map((id) => {
    const { node, host, address } = facts.member(id);
    return { node, id, host, address, isWitness: false };
  });
  const inputs = (logins?: Logins): PreflightInputs => ({
    ...{ ...facts.clusterInputs(), kind: "Preflight", protect: false, packages: [], nodes, hasTls: true },
    ...(logins === undefined ? {} : { logins }),
  });
  const presented = inputs({ authorities: AUTHORITY, isRequired: false });
  const required = inputs({ authorities: AUTHORITY, isRequired: true });

  interface Second {
    readonly presented?: string;
    readonly conninfo?: string;
    readonly unit?: string;
    readonly instance?: InstanceFacts;
  }

  /** Hosts of which the second differs. */
  function world(second: Second): Ctx & { asked: string[] } {
    const asked: string[] = [];
    const shows = `host=198.18.0.12 sslcert=${PEM} sslkey=${PEM}`;
    return {
      asked,
      ask<T>(host: string, probe: Probe<T>): Promise<T> {
        asked.push(probe.key);
        const its = host === "pg2" ? second : {};
        const certificates: CertificatesFact = { presented: its.presented ?? own, authorities: AUTHORITY };
        if (probe.key.startsWith("certificates ")) return Promise.resolve(certificates as T);
        if (probe.key === "file /etc/systemd/system/repmgrd-main.service")
          return Promise.resolve(facts.file(its.unit ?? `Environment=PGSSLCERT=${PEM} PGSSLKEY=${PEM}\n`) as T);
        if (probe.key.startsWith("file "))
          return Promise.resolve(facts.file(`conninfo='${its.conninfo ?? shows}'\n`) as T);
        return Promise.resolve((its.instance ?? facts.primary()) as T);
      },
    };
  }

  test("all have and show one, or have no data yet: nothing is in the way", async () => {
    expect(await loginProblems(world({}), required, presented)).toEqual([]);
    expect(await loginProblems(world({}), required, undefined)).toEqual([]);
    const bare = { presented: "", conninfo: "", unit: "", instance: facts.without("absent") };
    expect(await loginProblems(world(bare), required, undefined)).toEqual([]);
  });

  test.each<[string, Second, string]>([
    ["has none", { presented: "" }, "has none yet"],
    ["does not show it", { conninfo: "host=198.18.0.12" }, "does not show its own yet"],
    ["has a repmgrd that does not show it", { unit: "[Service]\n" }, "does not show its own yet"],
  ])("a node that %s is named, and what to do first", async (_, second, lacks) => {
    for (const before of [presented, inputs(), undefined])
      expect(await loginProblems(world(second), required, before)).toEqual([
        `cluster main: its nodes shall let each other in by certificate, and n2 on pg2 ${lacks}. ` +
          `First run "pulumi up" with "replication_certificates: presented" under 'tls', so that all of them have one and show it`,
      ]);
  });

  test("they do not go while they are required; what is only presented comes and goes as it likes", async () => {
    expect(await loginProblems(world({}), inputs(), required)).toEqual([
      expect.stringMatching(/the same change\. Set "replication_certificates: presented" under 'tls', run "pulumi up"/),
    ]);
    const ctx = world({ presented: "" });
    for (const [want, before] of [
      [presented, required],
      [inputs(), presented],
      [presented, inputs()],
      [required, required],
    ] as const)
      expect(await loginProblems(ctx, want, before)).toEqual([]);
    expect(ctx.asked).toEqual([]);
  });

  test("authorities that did not sign what is there are refused; one more beside them is not", async () => {
    const { certificate: another } = await makeAuthority("another");
    const change = (authorities: string) =>
      loginProblems(world({}), inputs({ authorities, isRequired: false }), presented);
    expect(await change(another)).toEqual(
      ["n1 on pg1", "n2 on pg2"].map(
        (where) =>
          expect.stringContaining(
            `that of ${where} was signed by none of the authorities in ca_file. Write the one that signed it into the file as well`,
          ) as string,
      ),
    );
    expect(await change(AUTHORITY + another)).toEqual([]);
  });
});
