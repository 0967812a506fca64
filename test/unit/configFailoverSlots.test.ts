import { C, type Case, edited, inventoryOf, N2, N3, OPTION, runCases, SETTING } from "./configFixture";

const LOGICAL = [SETTING, "wal_level: logical"] as const;
const SLOT = ["owner: app }", "owner: app, slots: { s: { failover: true }, t: {} } }"] as const;
const MANUAL = ["port: 5432", "failover: manual"] as const;
const FAILOVER = `23: ${C}.databases.app.slots.s.failover`;

const cases: Case[] = [
  [
    "before 17",
    [["version: 17", "version: 16"], LOGICAL, SLOT],
    [`${FAILOVER}: slots fail over from PostgreSQL 17 on, this is 16; remove it`],
  ],
  [
    "settings that are the program's then",
    [
      [
        "settings:\n      work_mem: 8MB",
        "settings: { wal_level: logical, sync_replication_slots: true, hot_standby_feedback: 'off' }\n",
      ],
      SLOT,
    ],
    [
      `15: ${C}.settings.hot_standby_feedback: the slots with 'failover' need it on, found off; remove it`,
      `15: ${C}.settings.sync_replication_slots: the program sets 'sync_replication_slots' for the slots with 'failover'; remove it`,
    ],
  ],
  [
    "without the program's script",
    [LOGICAL, SLOT, [OPTION, "event_notifications: standby_promote"]],
    [
      `25: ${C}.repmgr.options.event_notifications: slots fail over by what the program's own script does at repmgr's events; remove 'event_notifications'`,
    ],
  ],
  [
    "a node that may be promoted and copies nothing",
    [LOGICAL, SLOT, MANUAL, [N3, "n3: { id: 3, host: h3, upstream: n2 }"]],
    [
      `14: ${C}.nodes.n3.upstream: a standby copies slots from the primary alone, so 'n3' would be promoted without those with 'failover'; set 'priority: 0'`,
    ],
  ],
  [
    "nobody to take over",
    [LOGICAL, SLOT, MANUAL, [N2, "n2: { id: 2, host: h2, priority: 0 }"], [N3, "n3: { id: 3, host: h3, priority: 0 }"]],
    [`${FAILOVER}: nobody keeps copies of it: it needs two nodes that may be primary; remove it`],
  ],
];

describe("a slot that fails over", () => {
  runCases(cases);

  const nodesWith = (...more: (readonly [string, string])[]) => {
    const [cluster] = inventoryOf(edited(LOGICAL, SLOT, ...more)).clusters;
    return { slots: cluster?.failoverSlots, settings: cluster?.nodes.map(({ settings }) => settings) };
  };
  const COPIES = { sync_replication_slots: "on", hot_standby_feedback: "on" };

  test("every node copies it, and lets no reader get ahead of the others", () => {
    expect(nodesWith()).toEqual({
      slots: ["s"],
      settings: [
        { ...COPIES, synchronized_standby_slots: "repmgr_slot_2,repmgr_slot_3" },
        { ...COPIES, synchronized_standby_slots: "repmgr_slot_1,repmgr_slot_3" },
        { ...COPIES, synchronized_standby_slots: "repmgr_slot_1,repmgr_slot_2" },
      ],
    });
  });

  test("who stays behind on purpose copies nothing, and no reader waits for who is never promoted", () => {
    expect(nodesWith([N3, "n3: { id: 3, host: h3, delay: 1h }"]).settings).toEqual([
      { ...COPIES, synchronized_standby_slots: "repmgr_slot_2" },
      { ...COPIES, synchronized_standby_slots: "repmgr_slot_1" },
      { recovery_min_apply_delay: "1h", synchronized_standby_slots: "repmgr_slot_1,repmgr_slot_2" },
    ]);
  });

  test("a standby that follows another copies nothing, and is never promoted", () => {
    const [, , third] = nodesWith(MANUAL, [N3, "n3: { id: 3, host: h3, upstream: n2, priority: 0 }"]).settings ?? [];
    expect(third).toEqual({ synchronized_standby_slots: "repmgr_slot_1,repmgr_slot_2" });
  });

  test("its settings stay as long as the copies of one that is to go, and nobody else has them", () => {
    const going = edited(
      LOGICAL,
      ["owner: app }", "owner: app, slots: { s: { failover: true, removed: true } } }"],
      ["version: 17", "version: 17\n    allow_drop: true"],
    );
    expect(inventoryOf(going).clusters[0]?.nodes[0]?.settings).toMatchObject(COPIES);
    const [without] = inventoryOf(edited()).clusters;
    expect([without?.failoverSlots, without?.nodes[0]?.settings]).toEqual([undefined, {}]);
  });
});
