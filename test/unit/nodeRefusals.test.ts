import { Refused } from "../../providers/kind";
import * as facts from "../support/facts";
import { primary2, type Case, planOf, orphan, GONE, MANUAL } from "./nodePlanFixture";

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
