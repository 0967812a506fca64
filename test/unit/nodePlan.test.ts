import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";
import { primary2, row1, receiver, slot, type Case, planOf, LET_IN, REJOIN, booted } from "./nodePlanFixture";

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
      [
        ...[1, 2, 3].map(
          (n) =>
            `pg${n}: repmgr's password changes: n${n} logs in with the new one from the moment on in which the role has it`,
        ),
        "pg1: repmgr's role is with another password: make role, database and extension as repmgr needs them",
        ...[1, 2, 3].map((n) => `pg${n}: n${n} logs in to n1 with repmgr's new password`),
      ],
    ],
    [
      "the primary, whose repmgr has another password while a node has no data and one is down",
      {
        self: 1,
        want: { repmgrPassword: "another" },
        nodes: [facts.primary(), facts.without("absent"), facts.stoppedStandby()],
      },
      [
        "pg1: repmgr's password changes: n1 logs in with the new one from the moment on in which the role has it",
        "pg3: repmgr's password changes: n3 logs in with the new one from the moment on in which the role has it",
        "pg1: repmgr's role is with another password: make role, database and extension as repmgr needs them",
        "pg1: n1 logs in to n1 with repmgr's new password",
      ],
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

test("a pass for the start guard never outlives the start it was made for", () => {
  const [start] = planOf({ self: 1, nodes: [facts.formerPrimary(), facts.stoppedStandby(), facts.stoppedStandby()] });
  const text = facts.shell(start === undefined ? [] : [start]);
  expect(text).toMatch(/trap 'rm -f .*main\.start-anyway/);
  expect(text.indexOf("trap")).toBeLessThan(text.indexOf("install"));
  const standby = planOf({ self: 2, nodes: [facts.primary(), facts.stoppedStandby(), facts.standby(3)] });
  expect(facts.shell(standby)).not.toContain("start-anyway");
});

test("what it projects is exactly its inputs when healthy", () => {
  for (const id of [1, 2, 3]) {
    const inputs = facts.nodeInputs(id);
    expect(repmgrNodeKind.project(inputs, facts.nodeFacts(inputs, facts.healthy())).inputs).toEqual(inputs);
  }
});
