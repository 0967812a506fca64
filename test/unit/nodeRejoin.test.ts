import { Refused } from "../../providers/kind";
import type { InstanceFacts } from "../../facts/instance";
import { parseRewind, type RewindFacts } from "../../facts/rewind";
import * as facts from "../support/facts";
import { plan, primary2, planOf, LET_IN, REJOIN } from "./nodePlanFixture";

describe("a former primary comes back under another", () => {
  const rewind = (over: Partial<RewindFacts> = {}): RewindFacts => ({
    rewind: "possible",
    reason: "",
    sizeKib: 400_000,
    freeKib: 900_000,
    device: "1",
    spaces: [],
    stamp: "20261123T213000Z",
    ...over,
  });
  const back = (
    self: InstanceFacts,
    mark: string | undefined,
    found: RewindFacts | undefined,
  ): ReturnType<typeof plan> => {
    const inputs = facts.nodeInputs(1);
    const over = { rejoinMark: mark === undefined ? undefined : facts.file(`${mark}\n`), rewind: found };
    return plan(inputs, facts.nodeFacts(inputs, facts.view([self, primary2(), facts.standby(3, 2)]), over));
  };
  const ASIDE = "/var/lib/postgresql/17/main.diverged-1-20261123T213000Z";
  const cloned = (reason: string): string[] => [
    LET_IN,
    `pg1: n1 cannot be rewound to follow n2 (${reason}): keep its data, 391 MiB, in ${ASIDE}`,
    "pg1: clone n1 from n2, which is the primary now",
    "pg1: n1 keeps its own postgresql.conf, pg_hba.conf and conf.d",
    "pg1: start PostgreSQL of n1: it is a new copy of n2",
    "pg1: n1 answers SQL",
  ];
  const gone = "pg_rewind: error: could not find previous WAL record at 0/5000028";
  const down = facts.formerPrimary(1);
  const cut = "its rejoin was cut short, so its files may be half rewound";
  const stuck = facts.refusing(true, "FATAL:  the database system is not yet accepting connections");

  test.each<[string, InstanceFacts, string | undefined, RewindFacts, string[]]>([
    ["a rewind is possible", down, undefined, rewind(), [LET_IN, REJOIN]],
    ["only trying will tell", down, undefined, rewind({ rewind: "unknown", reason: "unclean" }), [LET_IN, REJOIN]],
    ["its WAL is gone", down, undefined, rewind({ rewind: "impossible", reason: gone }), cloned(gone)],
    ["the rejoin found that it cannot be", down, `cannot: ${gone}`, rewind(), cloned(gone)],
    ["the rewind failed half way", down, `failed: ${gone}`, rewind(), cloned(gone)],
    ["the rejoin was cut short", down, "begun", rewind(), cloned(cut)],
    ["cut short after it became a standby", facts.stoppedStandby(1), "begun", rewind(), cloned(cut)],
    ["rewound, and can never catch up", stuck, "failed: removed", rewind(), cloned("removed")],
    [
      "runs as a standby that gets no WAL",
      facts.standby(1, 2, { walReceiver: null }),
      "failed: removed",
      rewind(),
      cloned("removed"),
    ],
    [
      "the rejoin may still be starting it",
      stuck,
      "begun",
      rewind(),
      [
        "pg1: n1 is up after a rejoin that was cut, and refuses connections (FATAL:  the database system is not yet accepting connections): wait until it answers, or its log says that it never will",
      ],
    ],
    [
      "all is well, only the mark was left",
      facts.standby(1, 2),
      "begun",
      rewind(),
      ["pg1: n1 works, so the mark of an unfinished rejoin is no longer true"],
    ],
  ])("%s", (_, self, mark, found, expected) => expect(facts.whys(back(self, mark, found))).toEqual(expected));

  test("one that was removed from the cluster meanwhile is entered again first", () => {
    const stranger = facts.primary({ repmgr: { nodes: facts.rows(2).slice(1) } }, { timeline: 2 });
    const inputs = facts.nodeInputs(1);
    const view = facts.view([down, stranger, facts.standby(3, 2)]);
    expect(facts.whys(plan(inputs, facts.nodeFacts(inputs, view, { rewind: rewind() })))).toEqual([
      LET_IN,
      "pg2: n1 comes back to the cluster: enter it, inactive, so that it can be rejoined",
      REJOIN,
    ]);
  });

  test("the old data is moved and never removed, and no half rewound data is started", () => {
    const text = facts.shell(back(down, "begun", rewind()));
    expect(text).toContain('mv "$data" "$aside"');
    expect(text).not.toMatch(/rm [^\n]*\$(data|aside)"?(\s|$)/);
    const starts = planOf({ self: 2, nodes: [facts.primary(), facts.stoppedStandby(), facts.standby(3)] });
    expect(facts.shell(starts)).toMatch(/grep -qs '\^begun\\\|\^failed' '\/var\/lib\/postgresql\/17\/main\.rejoining'/);
  });

  test("without room for a clone nothing is begun", () => {
    const full = rewind({ rewind: "impossible", reason: gone, freeKib: 1024 });
    expect(() => back(down, undefined, full)).toThrow(Refused);
    expect(() => back(down, undefined, full)).toThrow(/holds 391 MiB, 1 MiB are free.*then run "pulumi up"/);
  });
});

test("what a host says of a rewind", () => {
  expect(
    parseRewind("stamp=20261123T213000Z\nsize=41\nfree= 90\ndevice=2049\nrewind=impossible pg_rewind: error: x\n"),
  ).toEqual({
    rewind: "impossible",
    reason: "pg_rewind: error: x",
    sizeKib: 41,
    freeKib: 90,
    device: "2049",
    spaces: [],
    stamp: "20261123T213000Z",
  });
  expect(() => parseRewind("stamp=1\nsize=41\nfree=90\ndevice=1\n")).toThrow(/no word on rewind/);
});
