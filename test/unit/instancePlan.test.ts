import { scramVerifier } from "../../facts/scram";
import { justNow } from "./kindFixture";
import type { InstanceFacts } from "../../facts/instance";
import type { ProbeAnswer } from "../../facts/probe";
import { type PgInstanceFacts } from "../../providers/pgInstance";
import * as facts from "../support/facts";
import { NOTHING, DATA, type Case, planOf, bare, absent, PASS, letIn, NEW_FILES } from "./instancePlanFixture";

describe("where the data comes from", () => {
  test.each<[string, Case, string[]]>([
    [
      "the initial node of a cluster without data",
      bare(1, [absent, absent, absent]),
      [PASS, `initdb in ${DATA}: no node has data yet and the inventory says this one begins`, ...NEW_FILES],
    ],
    [
      "an empty directory is as good as none",
      bare(1, [facts.without("empty"), absent, absent]),
      [PASS, `initdb in ${DATA}: no node has data yet and the inventory says this one begins`, ...NEW_FILES],
    ],
    [
      "a standby, cloned from the primary",
      bare(2, [facts.primary(), absent, absent]),
      [PASS, letIn("n1", "n2"), "clone n2 from n1, which is the primary now", ...NEW_FILES],
    ],
    [
      "the initial node after it lost its data: it is cloned from whoever is primary",
      bare(1, [absent, facts.primary({}, { timeline: 2 }), facts.standby(3, 2)]),
      [PASS, letIn("n2", "n1"), "clone n1 from n2, which is the primary now", ...NEW_FILES],
    ],
    [
      "a witness has an instance of its own, whoever is primary",
      bare(3, [facts.primary(), facts.standby(2), absent], { witness: 3 }),
      [PASS, `initdb in ${DATA}: a witness has an instance of its own`, ...NEW_FILES],
    ],
    [
      "the last primary is stopped elsewhere: it is started, and nothing is written where the data will be",
      bare(1, [absent, facts.formerPrimary(2), facts.stoppedStandby()]),
      [PASS, "start PostgreSQL of n2: it was the last primary (timeline 2) and no node takes writes", "n2 answers SQL"],
    ],
    [
      "repmgrd may be electing: nothing is written where the data will be",
      bare(1, [absent, facts.standby(2), facts.standby(3)]),
      [
        PASS,
        "no node takes writes and repmgrd runs beside n2 and n3: the promotion is repmgrd's to decide, so wait for it",
      ],
    ],
    ["a healthy primary", { nodes: [facts.primary(), facts.standby(2), facts.standby(3)] }, []],
    ["a healthy standby", { self: 2, nodes: [facts.primary(), facts.standby(2), facts.standby(3)] }, []],
    ["a stopped instance whose files are right", { nodes: [facts.formerPrimary(), absent, absent] }, []],
  ])("%s", (_, c, expected) => expect(planOf(c).map(({ why }) => why)).toEqual(expected));

  const OPEN =
    "n2, which is the primary now, has to let n1 in: who may connect, 2 rules from the topology and the inventory";
  const old = facts.file("local all postgres peer");
  test.each<[string, Case, string[]]>([
    [
      "a node without data",
      bare(1, [absent, facts.primary(), facts.standby(3, 2)], { have: { ...NOTHING, primaryHba: old } }),
      [PASS, `pg2: ${OPEN}`, "pg2: load the configuration without a restart: pg_hba.conf", letIn("n2", "n1")],
    ],
    [
      "a former primary that has to come back",
      {
        nodes: [facts.formerPrimary(), facts.primary({}, { timeline: 2 }), facts.standby(3, 2)],
        have: { primaryHba: old },
      },
      [`pg2: ${OPEN}`, "pg2: load the configuration without a restart: pg_hba.conf"],
    ],
  ])("a primary whose own turn comes later is told to let it in first: %s", (_, c, expected) => {
    const whys = planOf(c).map(({ host, why }) => (host === "pg1" ? why : `${host}: ${why}`));
    expect(whys.slice(0, expected.length)).toEqual(expected);
    expect(facts.shell(planOf(c))).not.toContain(facts.PASSWORD);
  });

  test("a clone waits until the primary lets the new node in, and tells what was said last", async () => {
    const wait = planOf(bare(2, [facts.primary(), absent, absent]))[1];
    if (wait?.do !== "waitFor") throw new Error("it does not wait");
    expect(wait).toMatchObject({ host: "pg2", deadlineMs: 120_000 });
    const look = (answer: ProbeAnswer): Promise<string | undefined> =>
      wait.look((host, probe) => {
        expect(host).toBe("pg2");
        expect(probe.script).toMatch(
          /PGPASSFILE='\/etc\/repmgr\/main\/pgpass'.*host=198\.18\.0\.11 port=5432 user=repmgr/,
        );
        return Promise.resolve(probe.parse(answer, justNow()));
      });
    const refusal = 'FATAL:  no pg_hba.conf entry for host "198.18.0.12", user "repmgr"';
    expect(await look({ code: 2, stdout: "", stderr: `${refusal}\n` })).toBe(refusal);
    expect(await look({ code: 0, stdout: "", stderr: "" })).toBeUndefined();
  });

  test("a standby without data never gets a directory that would look like foreign data", () => {
    const actions = planOf(bare(1, [absent, facts.formerPrimary(2), facts.stoppedStandby()]));
    expect(JSON.stringify(facts.flat(actions).filter(({ host }) => host === "pg1"))).not.toContain(DATA);
  });
});

describe("what differs is put right and loaded", () => {
  const inputs = facts.instanceInputs(1);
  const conf = (text: string, modifiedAt = 1_000): Partial<PgInstanceFacts> => ({
    postgresConf: facts.file(`include_dir = 'conf.d'\n${text}`, { modifiedAt }),
  });
  const right = "cluster_name = 'main'\nport = 5432\nwork_mem = '4MB'\n";
  const auto = { setting: "8MB", sourceFile: `${DATA}/postgresql.auto.conf` };
  const load = (about: string): string => `load the configuration without a restart: ${about}`;

  test.each<[string, Partial<PgInstanceFacts>, InstanceFacts, string[]]>([
    ["the same settings in other words", conf(right), facts.primary(), []],
    [
      "a setting changed by hand",
      conf(right.replace("4MB", "64MB")),
      facts.primary(),
      ["settings: work_mem: 64MB => 4MB", load("work_mem")],
    ],
    [
      "a setting changed by hand on an instance that is down",
      conf(right.replace("4MB", "64MB")),
      facts.formerPrimary(),
      ["settings: work_mem: 64MB => 4MB"],
    ],
    [
      "a setting added and one taken away",
      conf("cluster_name = 'main'\nport = 5432\nfsync = off\n"),
      facts.primary(),
      ["settings: fsync: off => (not managed), work_mem: (not set) => 4MB", load("fsync, work_mem")],
    ],
    [
      "conf.d no longer included",
      { postgresConf: facts.file(right) },
      facts.primary(),
      ["settings: conf.d is included again", load("conf.d")],
    ],
    [
      "conf.d included after the managed settings, so that it wins",
      { postgresConf: facts.file(`${right}include_dir = 'conf.d'\n`) },
      facts.primary(),
      ["settings: conf.d is included again", load("conf.d")],
    ],
    [
      "the place for a person's own settings is gone: the server would not start without it",
      {},
      facts.primary({ hasConfD: false }),
      ["a person's own settings have a place of their own", load("conf.d")],
    ],
    [
      "postgresql.conf written after the last load",
      conf(right, 2_001),
      facts.primary(),
      [load("files changed since they were last loaded")],
    ],
    [
      "hba rules in another order",
      { hbaConf: facts.file([...inputs.hba].reverse().join("\n")) },
      facts.primary(),
      ["who may connect: 2 rules from the topology and the inventory", load("pg_hba.conf")],
    ],
    [
      "hba rules with other white space and comments",
      { hbaConf: facts.file(`# ours\n${inputs.hba.join("\n\n").replaceAll(" ", "\t")}\n`) },
      facts.primary(),
      [],
    ],
    [
      "a setting overridden by ALTER SYSTEM",
      {},
      facts.primary({}, { fileSettings: { work_mem: auto, primary_conninfo: auto } }),
      ["ALTER SYSTEM overrides work_mem", load("work_mem")],
    ],
    [
      "PGDATA that others may read",
      {},
      facts.primary({ ownership: "postgres:postgres 0755" }),
      ['PGDATA is "postgres:postgres 0755", PostgreSQL asks for "postgres:postgres 0700"'],
    ],
    [
      "a password file that others may read",
      { passFile: facts.file(passwords(), { mode: "0644" }) },
      facts.primary(),
      [PASS],
    ],
    ["another's password file", { passFile: facts.file(passwords(), { owner: "root:root" }) }, facts.primary(), [PASS]],
    [
      "the old password, which the role still has: both change in one plan, that of the primary's node",
      { passFile: facts.file("old") },
      facts.primary({}, { roles: [facts.repmgrRole({ verifier: scramVerifier("old") })] }),
      [],
    ],
    [
      "no password file, while the role has another password: a new node",
      { passFile: undefined },
      facts.primary({}, { roles: [facts.repmgrRole({ verifier: scramVerifier("old") })] }),
      [PASS],
    ],
    ["no password file", { passFile: undefined }, facts.primary(), [PASS]],
  ])("%s", (_, have, self, expected) => {
    const actions = planOf({ nodes: [self, facts.standby(2), facts.standby(3)], have });
    expect(actions.map(({ why }) => why)).toEqual(expected);
  });

  function passwords(): string {
    return facts.instanceFacts(facts.instanceInputs(1), facts.healthy()).passFile?.content ?? "";
  }

  test("the password stands in the password file and nowhere else", () => {
    const actions = planOf({ ...bare(2, [facts.primary(), absent, absent]) });
    const [passFile, ...others] = actions;
    expect(passFile).toMatchObject({ do: "putFile", mode: "0600", owner: "postgres:postgres" });
    expect(JSON.stringify(passFile)).toContain(facts.PASSWORD);
    expect(JSON.stringify(others)).not.toContain(facts.PASSWORD);
  });

  test("a password with every special character of .pgpass", () => {
    const inputs = facts.instanceInputs(1, { repmgrPassword: "a:b\\c*" });
    const text = facts.instanceFacts(inputs, facts.healthy()).passFile?.content ?? "";
    expect(text.split("\n")).toHaveLength(7);
    expect(text).toContain("198.18.0.11:5432:replication:repmgr:a\\:b\\\\c*\n");
  });
});
