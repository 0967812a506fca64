import type { CertificatesFact } from "../../facts/certificates";
import { certificatesProbe } from "../../facts/certificates";
import type { InstanceFacts } from "../../facts/instance";
import { loginProbe } from "../../facts/login";
import type { Probe } from "../../facts/probe";
import type { ClusterInputs } from "../../providers/cluster";
import { asPostgres, repmgr } from "../../providers/commands";
import { planClone, fromPrimary } from "../../providers/instanceData";
import type { Ctx } from "../../providers/kind";
import type { PreflightInputs } from "../../providers/preflight";
import { trustProblems } from "../../providers/preflightTrust";
import { rewindQuestion } from "../../providers/rejoin";
import { type RepmgrNodeInputs, repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";
import { justNow } from "./kindFixture";
import { AUTHORITY, CERTIFICATE } from "./tlsFixture";
import { makeAuthority } from "../../actions/certificates";

const CHECK = "PGSSLMODE=verify-full PGSSLROOTCERT='/etc/repmgr/main/ca.crt'";
const verified = { areNodesVerified: true } as const;

describe("what goes from node to node", () => {
  const both = (of: (inputs: ClusterInputs) => string): [string, string] => [
    of(facts.clusterInputs()),
    of({ ...facts.clusterInputs(), ...verified }),
  ];

  test.each<[string, (inputs: ClusterInputs) => string]>([
    ["psql", (inputs) => asPostgres(inputs, "psql", "-XAtq")],
    ["repmgr", (inputs) => repmgr(inputs, "standby follow")],
    ["a login that is tried, and pg_rewind", (inputs) => loginProbe(rewindQuestion(inputs, "198.18.0.12")).script],
    [
      "a clone",
      (inputs) =>
        facts.shell(
          planClone({ ...facts.instanceInputs(3), ...inputs, host: "pg3" }, fromPrimary(facts.member(1))).slice(1),
        ),
    ],
  ])("%s checks whom it talks to, and shows a certificate, where that is wanted", (_, of) => {
    const [without, checked] = both(of);
    const shown = of({ ...facts.clusterInputs(), hasLoginCertificates: true });
    expect(shown).toContain(" PGSSLCERT='/etc/repmgr/main/repmgr.pem' PGSSLKEY='/etc/repmgr/main/repmgr.pem' ");
    expect(shown).not.toContain("PGSSLMODE");
    expect(without).not.toContain("PGSSL");
    expect(
      checked
        .split("\n")
        .filter((line) => /198\.18|PGHOST/.test(line) && !line.includes(CHECK) && /psql|repmgr'/.test(line)),
    ).toEqual([]);
    expect(checked).toContain(CHECK);
  });
});

describe("a standby", () => {
  const conninfo = (more: string) => ({
    primary_conninfo: facts.setting(`host=198.18.0.11 port=5432 user=repmgr${more}`),
  });
  const plan = (over: Partial<RepmgrNodeInputs>, more: string) => {
    const inputs = facts.nodeInputs(2, over);
    const view = facts.view([facts.primary(), facts.standby(2, 1, { settings: conninfo(more) }), facts.standby(3)]);
    const have = facts.nodeFacts(inputs, view);
    return { actions: repmgrNodeKind.plan(inputs, have), state: repmgrNodeKind.project(inputs, have).inputs.state };
  };
  const STRICT = " sslmode=verify-full sslrootcert=/etc/repmgr/main/ca.crt";

  test.each<[string, Partial<RepmgrNodeInputs>, string, string]>([
    ["that does not check its primary", verified, "", "it streams from n1 without looking at its certificate"],
    [
      "that takes TLS where it is offered",
      verified,
      " sslmode=prefer",
      "it streams from n1 without looking at its certificate",
    ],
    ["that checks although nobody wants it", {}, STRICT, "it streams from n1 only as long as its certificate is right"],
  ])("%s is told anew whom to follow, and streams again", (_, over, more, problem) => {
    const { actions, state } = plan(over, more);
    expect(state).toBe(problem);
    expect(facts.whys(actions)).toEqual([`pg2: ${problem}: follow n1`, "pg2: n2 streams from n1"]);
    expect(facts.shell(actions)).toMatch(/alter system set primary_conninfo = .*host=198\.18\.0\.11/);
    expect(facts.shell(actions)).not.toContain("standby follow");
  });

  test.each<[string, Partial<RepmgrNodeInputs>, string]>([
    ["that checks it, as is wanted", verified, STRICT],
    ["that does not, as is wanted", {}, ""],
  ])("%s is attached", (_, over, more) => {
    expect(plan(over, more)).toEqual({ actions: [], state: "attached" });
  });
});

describe("to begin, to end or to change it", () => {
  const nodes = [1, 2].map((id) => {
    const { node, host } = facts.member(id);
    return { node, id, host, address: `192.0.2.${id}`, isWitness: false };
  });
  const inputs = (over: Partial<PreflightInputs>): PreflightInputs => ({
    ...{ ...facts.clusterInputs(), kind: "Preflight", protect: false, packages: [], nodes, hasTls: true, ...over },
  });
  const ON: InstanceFacts = facts.primary({}, { settings: { ssl: facts.setting("on") } });
  const RIGHT: CertificatesFact = { presented: CERTIFICATE, authorities: AUTHORITY };

  function world(found: Partial<CertificatesFact>, second: InstanceFacts): Ctx & { asked: string[] } {
    const asked: string[] = [];
    return {
      asked,
      ask<T>(host: string, probe: Probe<T>): Promise<T> {
        asked.push(probe.key);
        const isSecond = host === "pg2";
        if (probe.key.startsWith("certificates "))
          return Promise.resolve((isSecond ? { ...RIGHT, ...found } : RIGHT) as T);
        return Promise.resolve((isSecond ? second : ON) as T);
      },
    };
  }

  const begin = (found: Partial<CertificatesFact>, second = ON): Promise<string[]> =>
    trustProblems(world(found, second), inputs({ trusted: AUTHORITY }), inputs({}));
  const FIRST =
    /: its nodes shall check each other, and n2 on pg2 .*First run "pulumi up" with "nodes: unverified" under 'tls'/;

  test("all have what the others look at, or no data yet: nothing is in the way", async () => {
    expect(await begin({})).toEqual([]);
    expect(await begin({ presented: "", authorities: "" }, facts.without("absent"))).toEqual([]);
  });

  test.each<[string, Partial<CertificatesFact>, InstanceFacts, RegExp]>([
    ["no TLS", {}, facts.primary(), /does not speak TLS yet/],
    ["no certificate", { presented: "" }, ON, /has no certificate yet/],
    ["no authority", { authorities: "" }, ON, /knows no authority yet/],
  ])("a node with %s is named, and what to do first", async (_, found, second, message) => {
    const [problem, ...others] = await begin(found, second);
    expect([problem, others]).toEqual([expect.stringMatching(message), []]);
    expect(problem).toMatch(FIRST);
  });

  test("a certificate for another address than the node's is named", async () => {
    const [first, second] = nodes;
    if (first === undefined || second === undefined) throw new Error("no nodes");
    const moved = inputs({ trusted: AUTHORITY, nodes: [first, { ...second, address: "192.0.2.99" }] });
    expect(await trustProblems(world({}, ON), moved, inputs({}))).toEqual([
      expect.stringMatching(/n2 on pg2 has a certificate that is not for 192\.0\.2\.99/),
    ]);
  });

  test("authorities that did not sign what is there are refused; one more beside them is not", async () => {
    const { certificate: another } = await makeAuthority("another");
    const before = inputs({ trusted: AUTHORITY });
    const change = (trusted: string) => trustProblems(world({}, ON), inputs({ trusted }), before);
    expect((await change(another)).map((problem) => problem.slice(0, 90))).toEqual([
      expect.stringMatching(/^cluster main: its nodes check each other, and the certificate of n1 on pg1/),
      expect.stringMatching(/^cluster main: its nodes check each other, and the certificate of n2 on pg2/),
    ]);
    expect(await change(AUTHORITY + another)).toEqual([]);
  });

  test("TLS does not go in the same change", async () => {
    const before = inputs({ trusted: AUTHORITY });
    expect(await trustProblems(world({}, ON), inputs({ hasTls: undefined }), before)).toEqual([
      expect.stringMatching(
        /TLS cannot go in the same change\. Set "nodes: unverified" under 'tls', run "pulumi up", then remove 'tls'/,
      ),
    ]);
    expect(await trustProblems(world({}, ON), inputs({}), before)).toEqual([]);
  });

  test("where nothing of it changes, nobody is asked: what differs is drift", async () => {
    const ctx = world({ presented: "" }, facts.primary());
    expect(await trustProblems(ctx, inputs({ trusted: AUTHORITY }), inputs({ trusted: AUTHORITY }))).toEqual([]);
    expect(ctx.asked).toEqual([]);
  });

  test("the question tells no key", () => {
    const probe = certificatesProbe("/etc/repmgr/main/server.pem", "/etc/repmgr/main/ca.crt");
    expect(probe.script).toMatch(/sed -n '\/-BEGIN CERTIFICATE-\//);
    const stdout = `${CERTIFICATE}=== authorities\n${AUTHORITY}`;
    expect(probe.parse({ code: 0, stdout, stderr: "" }, justNow())).toEqual(RIGHT);
    expect(() => probe.parse({ code: 0, stdout: "", stderr: "cut" }, justNow())).toThrow("cut");
  });
});
