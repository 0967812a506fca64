import type { InstanceFacts } from "../../facts/instance";
import type { RewindFacts } from "../../facts/rewind";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const { plan } = repmgrNodeKind;
const MIB = 1024 ** 2;

const rewind = (over: Partial<RewindFacts> = {}): RewindFacts => ({
  rewind: "unknown",
  reason: "it was not shut down cleanly",
  sizeKib: 400_000,
  freeKib: 900_000,
  device: "1",
  spaces: [],
  stamp: "20261123T213000Z",
  ...over,
});

function planned(id: number, nodes: readonly InstanceFacts[], found = rewind()): ReturnType<typeof plan> {
  const inputs = facts.nodeInputs(id);
  return plan(inputs, facts.nodeFacts(inputs, facts.view(nodes), { rewind: found }));
}

describe("a former primary that hangs beside a new one", () => {
  const TIMEOUT = "connection to server on socket failed: timeout expired";
  const heir = facts.primary({ repmgr: { nodes: facts.rows(2), paused: false } }, { timeline: 2 });
  const beside = (self: InstanceFacts): ReturnType<typeof plan> => planned(1, [self, heir, facts.standby(3, 2)]);

  test("is killed before it can take a write again, then rejoined", () => {
    const actions = beside(facts.refusing(false, TIMEOUT));
    expect(facts.whys(actions)).toEqual([
      `pg1: n1 is up and answers nobody (${TIMEOUT}), and n2 is primary on the later timeline 2: kill it before it can take a write again`,
      expect.stringMatching(/^pg1: n2, which is the primary now, lets n1 in/),
      expect.stringMatching(/^pg1: n1 was primary on timeline 1; n2 is primary on timeline 2: rejoin it as a standby/),
    ]);
    expect(facts.shell(actions)).toContain("systemctl kill -s KILL postgresql-main.service");
  });

  test.each<[string, InstanceFacts]>([
    ["on the same timeline", { ...facts.refusing(false, TIMEOUT), control: facts.control({ timeline: 2 }) }],
    ["of another database", { ...facts.refusing(false, TIMEOUT), control: facts.control({ systemIdentifier: "1" }) }],
    ["that says something", facts.refusing(false, "FATAL:  sorry, too many clients already")],
  ])("%s is left to a person", (_, self) => {
    expect(() => beside(self)).toThrow(/n1 on pg1 is up as a primary/);
  });
});

describe("a standby whose WAL its upstream no longer has", () => {
  const below = (run: object, oldestWalBytes: number, found?: RewindFacts): ReturnType<typeof plan> => {
    const self = facts.standby(2, 1, { walReceiver: null, walBytes: 48 * MIB, lsn: "0/3000000", ...run });
    return planned(2, [facts.primary({}, { oldestWalBytes }), self, facts.standby(3)], found);
  };

  test("gets a new copy; its data are kept", () => {
    const reason = "n1 no longer has the WAL it needs, 16 MiB from 0/3000000 on";
    expect(facts.whys(below({}, 64 * MIB))).toEqual([
      expect.stringMatching(/^pg2: n1, which is the primary now, lets n2 in/),
      `pg2: ${reason}: a new copy has to take the place of its data`,
      `pg2: n2 cannot follow n1 (${reason}): keep its data, 391 MiB, in /var/lib/postgresql/17/main.behind-1-20261123T213000Z`,
      "pg2: clone n2 from n1, which is the primary now",
      "pg2: n2 keeps its own postgresql.conf, pg_hba.conf and conf.d",
      "pg2: start PostgreSQL of n2: it is a new copy of n1",
      "pg2: n2 answers SQL",
    ]);
  });

  test("is left as it is where there is no room for both", () => {
    expect(() => below({}, 64 * MIB, rewind({ freeKib: 1024 }))).toThrow(/n2 cannot follow \(.*no room for a clone/);
  });

  test.each<[string, object, number]>([
    ["the upstream still has it", {}, 48 * MIB],
    ["an archive may have it", { settings: { restore_command: facts.setting("cp /archive/%f %p") } }, 64 * MIB],
    ["it replays with a delay", { settings: { recovery_min_apply_delay: facts.setting("1h") } }, 64 * MIB],
  ])("is told to follow while %s", (_, run, oldest) => {
    expect(facts.whys(below(run, oldest))).toEqual([
      "pg2: detached: it does not stream from n1: follow n1",
      "pg2: n2 streams from n1",
    ]);
  });
});
