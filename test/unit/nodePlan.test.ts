import { Refused } from "../../providers/kind";
import type { InstanceFacts } from "../../facts/instance";
import type { Slot } from "../../facts/running";
import { parseRewind, type RewindFacts } from "../../facts/rewind";
import { repmgrNodeKind, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import * as facts from "../support/facts";

const { plan } = repmgrNodeKind;
const primary2 = (): InstanceFacts =>
  facts.primary({ repmgr: { nodes: facts.rows(2), paused: false } }, { timeline: 2 });
const row1 = (over: object): InstanceFacts => {
  const nodes = facts.rows().map((row) => (row.id === 2 ? { ...row, ...over } : row));
  return facts.primary({ repmgr: { nodes } });
};
const receiver = (over: object): Parameters<typeof facts.standby>[2] => ({
  walReceiver: { status: "streaming", senderHost: "198.18.0.11", senderPort: 5432, slot: "repmgr_slot_2", ...over },
});

const slot = (id: number): Slot => ({ name: `repmgr_slot_${id}`, active: true, walStatus: "reserved" });

interface Case {
  readonly self: number;
  readonly nodes: InstanceFacts[];
  readonly witness?: number;
  readonly want?: Partial<RepmgrNodeInputs>;
  /** Ids of the nodes that the inventory no longer has. */
  readonly left?: readonly number[];
}

function planOf({ self, nodes, witness, want, left = [] }: Case): ReturnType<typeof plan> {
  const view = facts.view(nodes, witness).filter(({ member }) => !left.includes(member.id));
  const inputs = facts.nodeInputs(self, { members: view.map(({ member }) => member), ...want });
  return plan(inputs, facts.nodeFacts(inputs, view));
}

/** A standby whose primary has stopped: nothing is received any more. */
const orphan = (id: number, timeline: number, over: Partial<InstanceFacts> = {}): InstanceFacts =>
  facts.standby(id, 2, { timeline, walReceiver: null }, { control: facts.control({ timeline }), ...over });
const LET_IN = "pg1: n2, which is the primary now, lets n1 in (its pg_hba.conf and firewall may still be on their way)";
const REJOIN =
  "pg1: n1 was primary on timeline 1; n2 is primary on timeline 2: rejoin it as a standby, rewound to where they parted";
const booted = (id: number): InstanceFacts =>
  facts.standby(id, 1, { walReceiver: null }, { repmgr: { nodes: facts.rows(), paused: false, watched: false } });
const GONE = facts.without("absent");
const MANUAL = { failover: "manual" } as const;

describe("the plan of a node, by what it is and what its peers are", () => {
  test.each<[string, Case, string[]]>([
    ["the primary of a healthy cluster", { self: 1, nodes: [facts.primary(), facts.standby(2), facts.standby(3)] }, []],
    ["a standby of a healthy cluster", { self: 2, nodes: [facts.primary(), facts.standby(2), facts.standby(3)] }, []],
    [
      "the primary, whose standbys are down",
      { self: 1, nodes: [facts.primary(), facts.stoppedStandby(), facts.without("absent")] },
      [],
    ],
    [
      "a standby that does not stream",
      { self: 2, nodes: [facts.primary(), facts.standby(2, 1, { walReceiver: null }), facts.standby(3)] },
      ["pg2: detached: it does not stream from n1: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a standby that waits for WAL to begin",
      { self: 2, nodes: [facts.primary(), facts.standby(2, 1, receiver({ status: "waiting" })), facts.standby(3)] },
      ["pg2: detached: it does not stream from n1: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a standby of the wrong upstream",
      { self: 2, nodes: [facts.primary(), facts.standby(2, 3), facts.standby(3)] },
      ["pg2: detached: it streams from 198.18.0.13:5432, not from n1: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a standby that streams from another port",
      { self: 2, nodes: [facts.primary(), facts.standby(2, 1, receiver({ senderPort: 5433 })), facts.standby(3)] },
      ["pg2: detached: it streams from 198.18.0.11:5433, not from n1: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a standby without its slot",
      { self: 2, nodes: [facts.primary(), facts.standby(2, 1, receiver({ slot: null })), facts.standby(3)] },
      ["pg2: detached: it streams without its slot repmgr_slot_2: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a cascading standby below its named upstream",
      {
        self: 2,
        want: { upstream: "n3" },
        nodes: [row1({ upstream: 3 }), facts.standby(2, 3), facts.standby(3, 1, { slots: [slot(2)] })],
      },
      [],
    ],
    [
      "a cascading standby whose named upstream is down",
      {
        self: 2,
        want: { upstream: "n3" },
        nodes: [facts.primary(), facts.standby(2, 3), facts.stoppedStandby()],
      },
      ["pg2: detached: it streams from 198.18.0.13:5432, not from n1: follow n1", "pg2: n2 streams from n1"],
    ],
    [
      "a former primary that is down, beside a new primary",
      { self: 1, nodes: [facts.formerPrimary(1), primary2(), facts.standby(3, 2)] },
      [LET_IN, REJOIN],
    ],
    [
      "a standby that is down",
      { self: 2, nodes: [facts.primary(), facts.stoppedStandby(), facts.standby(3)] },
      ["pg2: start PostgreSQL of n2: it is a standby and n1 is primary", "pg2: n2 answers SQL"],
    ],
    [
      "the last primary with everything stopped, seen from a standby",
      { self: 2, nodes: [facts.formerPrimary(), facts.stoppedStandby(), facts.stoppedStandby()] },
      [
        "pg1: start PostgreSQL of n1: it was the last primary (timeline 1) and no node takes writes",
        "pg1: n1 answers SQL",
      ],
    ],
    [
      "everything stopped after a failover, seen from the old primary",
      { self: 1, nodes: [facts.formerPrimary(1), facts.formerPrimary(2), facts.stoppedStandby(2)] },
      [
        "pg2: start PostgreSQL of n2: it was the last primary (timeline 2) and no node takes writes",
        "pg2: n2 answers SQL",
      ],
    ],
    [
      "no primary while repmgrd may be electing",
      { self: 1, nodes: [facts.formerPrimary(1), facts.standby(2), facts.standby(3)] },
      [
        "pg2: no node takes writes and repmgrd runs beside n2 and n3: the promotion is repmgrd's to decide, so wait for it",
      ],
    ],
    [
      "no primary, and repmgrd of the standbys, which have booted without one, is about to end again",
      { self: 1, nodes: [facts.formerPrimary(1), booted(2), booted(3)] },
      [
        "pg1: start PostgreSQL of n1: it was the last primary (timeline 1) and no node takes writes",
        "pg1: n1 answers SQL",
      ],
    ],
    [
      "no primary, and repmgrd of one standby has watched it",
      { self: 1, nodes: [facts.formerPrimary(1), booted(2), facts.standby(3)] },
      ["pg3: no node takes writes and repmgrd runs beside n3: the promotion is repmgrd's to decide, so wait for it"],
    ],
    [
      "no primary and manual failover",
      {
        self: 2,
        want: { failover: "manual" },
        nodes: [facts.formerPrimary(1), facts.standby(2), facts.standby(3)],
      },
      [
        "pg1: start PostgreSQL of n1: it was the last primary (timeline 1) and no node takes writes",
        "pg1: n1 answers SQL",
      ],
    ],
    [
      "no primary and repmgrd stopped everywhere",
      {
        self: 2,
        nodes: [
          facts.formerPrimary(1),
          facts.standby(2, 1, {}, { repmgrd: "inactive" }),
          facts.standby(3, 1, {}, { repmgrd: "failed" }),
        ],
      },
      [
        "pg1: start PostgreSQL of n1: it was the last primary (timeline 1) and no node takes writes",
        "pg1: n1 answers SQL",
      ],
    ],
    [
      "no primary and repmgrd paused, so that it promotes nobody",
      {
        self: 2,
        nodes: [
          facts.formerPrimary(1),
          facts.standby(2, 1, {}, { repmgr: { nodes: facts.rows(), paused: true } }),
          facts.standby(3, 1, {}, { repmgr: { nodes: facts.rows(), paused: true } }),
        ],
      },
      [
        "pg1: start PostgreSQL of n1: it was the last primary (timeline 1) and no node takes writes",
        "pg1: n1 answers SQL",
      ],
    ],
    [
      "the primary, up and refusing connections",
      { self: 1, nodes: [facts.refusing(false), facts.stoppedStandby(), facts.stoppedStandby()] },
      ["pg1: n1 is up and refuses connections (FATAL:  sorry, too many clients already): wait until it answers SQL"],
    ],
    [
      "a standby, up and refusing connections",
      { self: 2, nodes: [facts.primary(), facts.refusing(true, "starting up"), facts.standby(3)] },
      ["pg2: n2 is up and refuses connections (starting up): wait until it answers SQL"],
    ],
    [
      "the primary without repmgr's role",
      { self: 1, nodes: [facts.primary({}, { roles: [] }), facts.standby(2), facts.standby(3)] },
      ["pg1: repmgr's role is missing: make role, database and extension as repmgr needs them"],
    ],
    [
      "the primary without the extension",
      { self: 1, nodes: [facts.primary({ repmgr: undefined }), facts.standby(2), facts.standby(3)] },
      ["pg1: repmgr's role is without its extension: make role, database and extension as repmgr needs them"],
    ],
    [
      "the primary, whose repmgr has another password",
      {
        self: 1,
        want: { repmgrPassword: "another" },
        nodes: [facts.primary(), facts.standby(2), facts.standby(3)],
      },
      ["pg1: repmgr's role is with another password: make role, database and extension as repmgr needs them"],
    ],
    [
      "the primary, not registered",
      { self: 1, nodes: [facts.primary({ repmgr: { nodes: [] } }), facts.standby(2), facts.standby(3)] },
      ["pg1: n1 is primary and not registered"],
    ],
    [
      "a standby below a primary that is not registered",
      { self: 2, nodes: [facts.primary({ repmgr: { nodes: [] } }), facts.standby(2), facts.standby(3)] },
      ["pg1: n1 is primary and not registered, and n2 goes below it"],
    ],
    [
      "a standby registered as inactive",
      { self: 2, nodes: [row1({ active: false }), facts.standby(2), facts.standby(3)] },
      ["pg2: n2 is registered with active false: register it as standby"],
    ],
    [
      "a standby registered without its upstream",
      { self: 2, nodes: [row1({ upstream: null }), facts.standby(2), facts.standby(3)] },
      ["pg2: n2 is registered with upstream null: register it as standby"],
    ],
    [
      "a standby registered as primary, after a failover it did not see",
      { self: 2, nodes: [row1({ type: "primary", priority: 50, upstream: 1 }), facts.standby(2), facts.standby(3)] },
      ['pg2: n2 is registered with type "primary", priority 50: register it as standby'],
    ],
    [
      "a witness that is attached",
      {
        self: 3,
        witness: 3,
        nodes: [facts.primary({ repmgr: { nodes: facts.rows(1, 3) } }), facts.standby(2), facts.primary()],
      },
      [],
    ],
    [
      "a witness that is down",
      { self: 3, witness: 3, nodes: [facts.primary(), facts.standby(2), facts.formerPrimary()] },
      ["pg3: start PostgreSQL of n3: the witness votes only while it runs", "pg3: n3 answers SQL"],
    ],
    [
      "a witness without the extension",
      { self: 3, witness: 3, nodes: [facts.primary(), facts.standby(2), facts.primary({ repmgr: undefined })] },
      ["pg3: repmgr's role is without its extension: make role, database and extension as repmgr needs them"],
    ],
    [
      "a witness that is not registered",
      {
        self: 3,
        witness: 3,
        nodes: [facts.primary({ repmgr: { nodes: facts.rows().slice(0, 2) } }), facts.standby(2), facts.primary()],
      },
      ["pg3: n3 is not registered: register it as witness"],
    ],
  ])("%s", (_, c, expected) => {
    expect(facts.whys(planOf(c))).toEqual(expected);
  });
});

describe("what only a person can decide is refused", () => {
  test.each<[string, Case, RegExp]>([
    [
      "no data",
      { self: 2, nodes: [facts.primary(), facts.without("empty"), facts.standby(3)] },
      /pg2: main\/n2 has no data/,
    ],
    [
      "two primaries, seen from one",
      { self: 1, nodes: [facts.primary(), primary2(), facts.standby(3)] },
      /n1 on pg1 \(timeline 1\) and n2 on pg2 \(timeline 2\) both take writes.*systemctl stop postgresql-main/,
    ],
    [
      "two primaries, seen from a standby",
      { self: 3, nodes: [facts.primary(), primary2(), facts.standby(3)] },
      /both take writes/,
    ],
    [
      "two primaries, seen from a former primary that is down",
      { self: 3, nodes: [facts.primary(), primary2(), facts.formerPrimary()] },
      /both take writes/,
    ],
    [
      "two last primaries on one timeline",
      { self: 1, nodes: [facts.formerPrimary(3), facts.formerPrimary(3), facts.stoppedStandby(3)] },
      /n1 and n2 were both stopped as primaries on timeline 3/,
    ],
    [
      "only standbys, running, and their primary is known to be gone",
      {
        self: 2,
        want: MANUAL,
        nodes: [
          facts.without("absent"),
          facts.standby(2, 1, { walReceiver: null, walBytes: 1 }),
          facts.standby(3, 1, { walReceiver: null, walBytes: 2 }),
        ],
      },
      /no node was primary last.*standby promote/,
    ],
    [
      "only standbys, all stopped",
      { self: 1, nodes: [facts.stoppedStandby(), facts.stoppedStandby(), facts.without("absent")] },
      /no node was primary last \(n1: shut down in recovery, n2: shut down in recovery\).*standby promote/,
    ],
    [
      "the last primary is older than a standby: its successor is gone",
      { self: 1, nodes: [facts.formerPrimary(1), facts.without("absent"), facts.stoppedStandby(2)] },
      /n1 was primary on timeline 1, but n3 is on timeline 2/,
    ],
    [
      "the last primary is older than a standby that runs",
      {
        self: 3,
        want: { failover: "manual" },
        nodes: [facts.formerPrimary(1), facts.without("absent"), facts.standby(3, 2, { timeline: 2 })],
      },
      /n1 was primary on timeline 1, but n3 is on timeline 2/,
    ],
    ...[1, 3].flatMap((self): [string, Case, RegExp][] => [
      [
        `the primary of timeline 2 left the inventory, its standby lives, seen from n${self}`,
        { self, left: [2], want: MANUAL, nodes: [facts.formerPrimary(1), GONE, orphan(3, 2)] },
        /n1 was primary on timeline 1, but n3 is on timeline 2/,
      ],
      [
        `the same with automatic failover and repmgrd inactive, seen from n${self}`,
        { self, left: [2], nodes: [facts.formerPrimary(1), GONE, orphan(3, 2, { repmgrd: "inactive" })] },
        /n1 was primary on timeline 1, but n3 is on timeline 2/,
      ],
      [
        `the same when only SQL tells the timeline of the standby, seen from n${self}`,
        {
          self,
          left: [2],
          want: MANUAL,
          nodes: [facts.formerPrimary(1), GONE, orphan(3, 2, { control: facts.control({ timeline: 1 }) })],
        },
        /n1 was primary on timeline 1, but n3 is on timeline 2/,
      ],
    ]),
    [
      "the live primary left the inventory, its standbys stream on",
      { self: 2, left: [1], nodes: [GONE, facts.standby(2), facts.standby(3)] },
      /n2 and n3 stream from 198\.18\.0\.11, which is no node of this inventory any more.*put it back/is,
    ],
    [
      "the live primary left the inventory and an older one is stopped",
      {
        self: 3,
        left: [1],
        want: MANUAL,
        nodes: [GONE, facts.formerPrimary(1), facts.standby(3, 1, { timeline: 1 })],
      },
      /n3 streams from 198\.18\.0\.11, which is no node of this inventory any more/,
    ],
    [
      "the primary left the inventory and nobody streams: it may live all the same",
      {
        self: 3,
        left: [1],
        want: MANUAL,
        nodes: [GONE, facts.stoppedStandby(), facts.standby(3, 1, { walReceiver: null })],
      },
      /n3 has n1 \(node 1\) registered as the active primary, which is no node.*put it back.*standby promote" on pg3/is,
    ],
    [
      "a former primary that is coming up beside a new one",
      {
        self: 1,
        nodes: [facts.refusing(false, "the database system is starting up"), primary2(), facts.standby(3, 2)],
      },
      /n1 on pg1 is up as a primary .*starting up.* n2 on pg2 is primary on timeline 2.*systemctl stop postgresql-main/,
    ],
    [
      "a standby below a primary without repmgr",
      { self: 2, nodes: [facts.primary({ repmgr: undefined }), facts.standby(2), facts.standby(3)] },
      /n1 is primary but has no repmgr extension/,
    ],
    [
      "a witness with no primary to register at",
      { self: 3, witness: 3, nodes: [facts.stoppedStandby(), facts.stoppedStandby(), facts.primary()] },
      /no node is primary/,
    ],
  ])("%s", (_, c, message) => {
    expect(() => planOf(c)).toThrow(Refused);
    expect(() => planOf(c)).toThrow(message);
  });
});

test("a pass for the start guard never outlives the start it was made for", () => {
  const [start] = planOf({ self: 1, nodes: [facts.formerPrimary(), facts.stoppedStandby(), facts.stoppedStandby()] });
  const text = facts.shell(start === undefined ? [] : [start]);
  expect(text).toMatch(/trap 'rm -f .*main\.start-anyway/);
  expect(text.indexOf("trap")).toBeLessThan(text.indexOf("install"));
  const standby = planOf({ self: 2, nodes: [facts.primary(), facts.stoppedStandby(), facts.standby(3)] });
  expect(facts.shell(standby)).not.toContain("start-anyway");
});

describe("a former primary comes back under another", () => {
  const rewind = (over: Partial<RewindFacts> = {}): RewindFacts => ({
    rewind: "possible",
    reason: "",
    sizeKib: 400_000,
    freeKib: 900_000,
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
  expect(parseRewind("stamp=20261123T213000Z\nsize=41\nfree= 90\nrewind=impossible pg_rewind: error: x\n")).toEqual({
    rewind: "impossible",
    reason: "pg_rewind: error: x",
    sizeKib: 41,
    freeKib: 90,
    stamp: "20261123T213000Z",
  });
  expect(() => parseRewind("stamp=1\nsize=41\nfree=90\n")).toThrow(/no word on rewind/);
});

describe("its files", () => {
  const healthy = facts.healthy();
  const inputs = facts.nodeInputs(2);

  test.each<[string, Parameters<typeof facts.nodeFacts>[2], string[]]>([
    ["repmgr.conf missing", { repmgrConf: undefined }, ["putFile: repmgr needs its configuration"]],
    [
      "repmgr.conf edited by hand",
      { repmgrConf: facts.file("node_id='2'\npriority=1\n", { mode: "0640" }) },
      [
        "putFile: repmgr.conf differs in conninfo, priority, location",
        "run: restart repmgrd, which reads its configuration when it starts; PostgreSQL goes on",
      ],
    ],
    [
      "sudoers with another mode",
      {
        sudoers: facts.file("postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start postgresql-main\n", {
          owner: "root:root",
          mode: "0640",
        }),
      },
      ["putFile: repmgr starts and stops PostgreSQL through systemd with 1 exact commands"],
    ],
    [
      "sudoers with one command more",
      {
        sudoers: facts.file(
          "postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start postgresql-main\npostgres ALL=(root) NOPASSWD: ALL\n",
          { owner: "root:root", mode: "0440" },
        ),
      },
      ["putFile: repmgr starts and stops PostgreSQL through systemd with 1 exact commands"],
    ],
  ])("%s", (_, over, expected) => {
    const actions = plan(inputs, facts.nodeFacts(inputs, healthy, over));
    expect(actions.map((a) => `${a.do}: ${a.why}`)).toEqual(expected);
  });

  test("repmgrd is restarted for a new repmgr.conf only where its unit exists", () => {
    const actions = plan(
      inputs,
      facts.nodeFacts(inputs, healthy, { repmgrConf: facts.file("node_id='2'\n", { mode: "0640" }) }),
    );
    expect(facts.shell(actions)).toMatch(/if systemctl cat repmgrd-main\.service .*; then systemctl try-restart/);
  });

  test("a sudoers file is only put in place when visudo accepts it", () => {
    const [put] = plan(inputs, facts.nodeFacts(inputs, healthy, { sudoers: undefined }));
    expect(put).toMatchObject({
      path: "/etc/sudoers.d/repmgr-main",
      owner: "root:root",
      mode: "0440",
      check: 'visudo -cqf "$1"',
    });
  });
});

test("a standby that the primary does not know is told whom to follow without repmgr, which does not know it either", () => {
  const unregistered = facts.rows().filter(({ id }) => id !== 2);
  const nodes = (rows: typeof unregistered): InstanceFacts[] => [
    facts.primary({ repmgr: { nodes: rows } }),
    facts.standby(2, 1, receiver({ slot: "repmgr_slot_7" })),
    facts.standby(3),
  ];
  const enters = /alter system set primary_conninfo = .*application_name=n2.*primary_slot_name = .*repmgr_slot_2/;
  expect(facts.shell(planOf({ self: 2, nodes: nodes(unregistered) }))).toMatch(enters);
  expect(facts.shell(planOf({ self: 2, nodes: nodes(facts.rows()) }))).toContain("standby follow --upstream-node-id=1");
});

describe("a node leaves", () => {
  const leave = (c: Case): ReturnType<typeof plan> => {
    const inputs = facts.nodeInputs(c.self, c.want);
    return repmgrNodeKind.planDelete(facts.nodeFacts(inputs, facts.view(c.nodes, c.witness)), inputs, []);
  };
  const failedOver = facts
    .rows(2)
    .map((row) => (row.id === 1 ? { ...row, type: "primary" as const, active: false } : row));
  const slots = [slot(2)];

  test.each<[string, Case, string[]]>([
    [
      "a standby of a cluster that stays",
      { self: 2, nodes: [facts.primary({}, { slots }), facts.standby(2), facts.standby(3)] },
      [
        "pg2: main/n2 is no longer managed: stop its PostgreSQL",
        "pg1: the slot of n2 would keep WAL for ever: drop it, its node is stopped and leaves the cluster",
        "pg1: n2 leaves the cluster: unregister it",
        "pg2: main/n2 is no longer managed: remove repmgr's files",
      ],
    ],
    [
      "a standby that followed another standby: its slot is there",
      {
        self: 3,
        nodes: [facts.primary({}, { slots: [] }), facts.standby(2, 1, { slots: [slot(3)] }), facts.standby(3, 2)],
      },
      [
        "pg3: main/n3 is no longer managed: stop its PostgreSQL",
        "pg2: the slot of n3 would keep WAL for ever: drop it, its node is stopped and leaves the cluster",
        "pg1: n3 leaves the cluster: unregister it",
        "pg3: main/n3 is no longer managed: remove repmgr's files",
      ],
    ],
    [
      "a slot that is not of a registered node stays",
      {
        self: 2,
        nodes: [
          facts.primary({ repmgr: { nodes: facts.rows().filter(({ id }) => id !== 2) } }, { slots }),
          facts.standby(2),
          facts.standby(3),
        ],
      },
      [
        "pg2: main/n2 is no longer managed: stop its PostgreSQL",
        "pg2: main/n2 is no longer managed: remove repmgr's files",
      ],
    ],
    [
      "the primary, when nobody is registered any more",
      { self: 1, nodes: [facts.primary({ repmgr: { nodes: [] } }), facts.stoppedStandby(), facts.stoppedStandby()] },
      [
        "pg1: main/n1 is no longer managed: stop its PostgreSQL",
        "pg1: main/n1 is no longer managed: remove repmgr's files",
      ],
    ],
    [
      "a stopped former primary, whose row says primary",
      {
        self: 1,
        nodes: [
          facts.formerPrimary(1),
          facts.primary({ repmgr: { nodes: failedOver } }, { timeline: 2, slots: [] }),
          facts.standby(3, 2),
        ],
      },
      [
        "pg2: n1 leaves the cluster: unregister it, a primary that is no longer active",
        "pg1: main/n1 is no longer managed: remove repmgr's files",
      ],
    ],
    [
      "a stopped node of a stopped cluster",
      { self: 2, nodes: [facts.formerPrimary(), facts.stoppedStandby(), facts.stoppedStandby()] },
      ["pg2: main/n2 is no longer managed: remove repmgr's files"],
    ],
  ])("%s", (_, c, expected) => expect(facts.whys(leave(c))).toEqual(expected));

  test("the command is the one for the row's type", () => {
    const nodes = [facts.formerPrimary(1), facts.primary({ repmgr: { nodes: failedOver } }), facts.standby(3, 2)];
    expect(facts.shell(leave({ self: 1, nodes }))).toContain("primary unregister --node-id=1");
    expect(facts.shell(leave({ self: 3, nodes }))).toContain("standby unregister --node-id=3");
  });

  test.each<[string, Case, RegExp]>([
    [
      "a node, while two take writes",
      { self: 3, nodes: [facts.primary(), primary2(), facts.standby(3)] },
      /both take writes/,
    ],
    [
      "the primary of a cluster that stays",
      { self: 1, nodes: [facts.primary(), facts.standby(2), facts.standby(3)] },
      /n1 on pg1 is the primary and n2, n3 depend on it.*systemctl stop postgresql-main" on pg1.*run "pulumi up" with n1 back in the inventory/,
    ],
    [
      "a primary that lets nobody ask who depends on it",
      { self: 1, nodes: [facts.refusing(false), facts.standby(2), facts.standby(3)] },
      /n1 on pg1 .*refuses connections.*too many clients.*systemctl stop postgresql-main/,
    ],
  ])("refused: %s", (_, c, message) => {
    expect(() => leave(c)).toThrow(Refused);
    expect(() => leave(c)).toThrow(message);
  });
});

test("what it projects is exactly its inputs when healthy", () => {
  for (const id of [1, 2, 3]) {
    const inputs = facts.nodeInputs(id);
    expect(repmgrNodeKind.project(inputs, facts.nodeFacts(inputs, facts.healthy())).inputs).toEqual(inputs);
  }
});
