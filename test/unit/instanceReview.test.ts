import type { InstanceFacts } from "../../facts/instance";
import { Refused } from "../../providers/kind";
import { pgInstanceKind, type PgInstanceFacts, type PgInstanceInputs } from "../../providers/pgInstance";
import { pgpass } from "../../providers/passFile";
import * as facts from "../support/facts";
import { plan, NOTHING, DATA, type Case, absent } from "./instancePlanFixture";

describe("what a review shows", () => {
  test("exactly its inputs when healthy", () => {
    for (const id of [1, 2, 3]) {
      const inputs = facts.instanceInputs(id);
      const seen = pgInstanceKind.project(inputs, facts.instanceFacts(inputs, facts.healthy()));
      expect(seen.inputs).toEqual(inputs);
      expect(seen.outputs).toEqual({ systemIdentifier: facts.SYSTEM_IDENTIFIER });
    }
  });

  test.each<[string, Partial<PgInstanceFacts>, InstanceFacts, Partial<PgInstanceInputs>]>([
    [
      "a setting changed by hand",
      { postgresConf: facts.file("work_mem = 64MB") },
      facts.primary(),
      { settings: { work_mem: "64MB" } },
    ],
    [
      "a setting changed by ALTER SYSTEM",
      {},
      facts.primary({}, { fileSettings: { work_mem: { setting: "8MB", sourceFile: `${DATA}/postgresql.auto.conf` } } }),
      { settings: { cluster_name: "main", port: "5432", work_mem: "8MB (by ALTER SYSTEM)" } },
    ],
    [
      "a lost PGDATA",
      { postgresConf: undefined, hbaConf: undefined },
      absent,
      { data: "absent", dataOwnership: "", settings: {}, hba: [] },
    ],
    ["a password file with another password", { passFile: facts.file("") }, facts.primary(), { passFile: "differs" }],
    [
      "a password file that others may read",
      { passFile: facts.file(pgpass(facts.instanceInputs(1)), { mode: "0644" }) },
      facts.primary(),
      { passFile: "belongs to postgres:postgres with mode 0644" },
    ],
    [
      "data without checksums",
      {},
      facts.primary({ control: facts.control({ checksums: false }) }),
      { checksums: "off" },
    ],
    ["no password file", { passFile: undefined }, facts.primary(), { passFile: "absent" }],
    [
      "a file that was not loaded",
      {
        hbaConf: facts.file("local all postgres peer\nhost repmgr repmgr 198.18.0.11/32 scram-sha-256\n", {
          modifiedAt: 3_000,
        }),
      },
      facts.primary(),
      { configuration: "changed since it was last loaded" },
    ],
  ])("%s", (_, have, self, expected) => {
    const inputs = facts.instanceInputs(1);
    const seen = facts.view([self, facts.standby(2), facts.standby(3)]);
    expect(pgInstanceKind.project(inputs, facts.instanceFacts(inputs, seen, have)).inputs).toEqual({
      ...inputs,
      ...expected,
    });
  });

  test.each<[string, Partial<PgInstanceFacts>, boolean]>([
    ["nothing is there", NOTHING, true],
    ["its password file is still there", { ...NOTHING, passFile: facts.file("") }, false],
    ["its data is still there", { ...NOTHING, postgresConf: facts.file("") }, false],
  ])("absent only on positive evidence: %s", (_, have, expected) => {
    const inputs = facts.instanceInputs(1);
    expect(pgInstanceKind.isAbsent(facts.instanceFacts(inputs, facts.view([absent, absent, absent]), have))).toBe(
      expected,
    );
  });
});

describe("it goes", () => {
  const leave = (c: Case): ReturnType<typeof plan> => {
    const inputs = facts.instanceInputs(1, c.want);
    return pgInstanceKind.planDelete(facts.instanceFacts(inputs, facts.view(c.nodes), c.have), inputs, []);
  };
  const stopped = [facts.formerPrimary(), facts.standby(2), facts.standby(3)];

  test("PGDATA stays", () => {
    expect(facts.whys(leave({ nodes: stopped }))).toEqual(["pg1: main/n1 is no longer managed: remove its passwords"]);
    expect(facts.shell(leave({ nodes: stopped }))).not.toContain(DATA);
  });

  test("what an initdb or a clone left half done goes, whatever state says", () => {
    const actions = leave({ nodes: stopped, have: { isBuilding: true } });
    expect(facts.whys(actions).at(-1)).toBe(`pg1: ${DATA}.building is a copy that was never finished: remove it`);
    expect(facts.shell(actions)).not.toContain("mv ");
    expect(leave({ nodes: stopped, have: { isBuilding: true, passFile: undefined } })).toHaveLength(1);
  });

  test("the slot that a clone made for a node which was never registered goes, and no other", () => {
    const slots = [1, 2].map((id) => ({ name: `repmgr_slot_${id}`, active: false, walStatus: "reserved" }));
    const nodes = (rows: ReturnType<typeof facts.rows>): Case["nodes"] => [
      absent,
      facts.primary({ repmgr: { nodes: rows } }, { slots }),
      facts.standby(3, 2),
    ];
    const whys = (c: Case): string[] => facts.whys(leave(c));
    const drop = "pg2: the slot of n1 would keep WAL for ever: drop it, its node is stopped and leaves the cluster";
    const unregistered = facts.rows(2).filter(({ id }) => id !== 1);
    expect(whys({ nodes: nodes(unregistered), have: NOTHING })).toEqual([drop]);
    expect(whys({ nodes: nodes(facts.rows(2)), have: NOTHING })).toEqual([]);
    // The whole cluster goes: the slots keep the WAL with which a later up takes it up again.
    expect(whys({ nodes: nodes([]), have: NOTHING })).toEqual([]);
  });

  test("PGDATA goes only when the state says that it may", () => {
    const actions = leave({ nodes: stopped, want: { allowDataLoss: true } });
    expect(facts.whys(actions).at(-1)).toBe(`pg1: remove the data of main/n1 in ${DATA}, as allow_data_loss says`);
    expect(facts.shell(actions)).toContain(`data='${DATA}'`);
  });

  test("nothing is done twice", () => {
    expect(leave({ nodes: [absent, absent, absent], want: { allowDataLoss: true }, have: NOTHING })).toEqual([]);
  });

  test.each<[string, Case, RegExp]>([
    ["while it runs", { nodes: [facts.primary(), absent, absent] }, /still runs/],
    [
      "while it only refuses connections",
      { nodes: [facts.refusing(false), absent, absent], want: { allowDataLoss: true } },
      /still runs/,
    ],
    [
      "when the data is another cluster's",
      {
        nodes: stopped,
        want: { allowDataLoss: true },
        have: { postgresConf: facts.file("cluster_name = 'billing'\n") },
      },
      /belongs to the cluster billing/,
    ],
  ])("refused %s", (_, c, message) => {
    expect(() => leave(c)).toThrow(Refused);
    expect(() => leave(c)).toThrow(message);
  });
});
