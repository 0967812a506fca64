import { Refused } from "../../providers/kind";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";
import { plan, primary2, slot, type Case } from "./nodePlanFixture";

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
