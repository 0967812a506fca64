import { Refused } from "../../providers/kind";
import * as facts from "../support/facts";
import { absent, bare, type Case, planOf } from "./instancePlanFixture";

const withSlots = (isLogical: boolean) =>
  facts.primary(
    {},
    {
      settings: { wal_level: facts.setting("logical") },
      slots: [{ name: "warehouse", active: false, walStatus: "reserved", isLogical }],
    },
  );

describe("what it refuses to touch", () => {
  const healthy = [facts.primary(), facts.standby(2), facts.standby(3)];
  test.each<[string, Case, RegExp]>([
    [
      "files that are no PGDATA",
      { nodes: [facts.without("foreign"), absent, absent] },
      /pg1: \S+ holds files but no PG_VERSION/,
    ],
    [
      "another version",
      { nodes: [facts.formerPrimary(1, { majorVersion: 15 }), absent, absent] },
      /holds PostgreSQL 15, cluster main is version 17/,
    ],
    [
      "another cluster's data",
      { nodes: healthy, have: { postgresConf: facts.file("include_dir = 'conf.d'\ncluster_name = 'billing'\n") } },
      /belongs to the cluster billing, not to main/,
    ],
    [
      "another database than its peers have",
      {
        nodes: [
          facts.formerPrimary(1, { control: facts.control({ systemIdentifier: "42" }) }),
          facts.primary(),
          absent,
        ],
      },
      /has the system identifier 42, n2 on pg2 has 7711467505050316867.*Move the wrong one aside/,
    ],
    ["a standby when nobody has data", bare(2, [absent, absent, absent]), /n2 has nothing to be cloned from/],
    [
      "two primaries to clone from",
      bare(3, [facts.primary(), facts.primary({}, { timeline: 2 }), absent]),
      /n1 on pg1 .* and n2 on pg2 .* both take writes/,
    ],
    [
      "the live primary left the inventory: nobody's pg_hba.conf is written without it",
      {
        self: 2,
        want: { members: [2, 3].map((id) => facts.member(id)) },
        nodes: [absent, facts.standby(2), facts.standby(3)],
        have: { hbaConf: facts.file("local all postgres peer") },
      },
      /n2 and n3 stream from 198\.18\.0\.11, which is no node of this inventory/,
    ],
    [
      "two last primaries",
      bare(3, [facts.formerPrimary(2), facts.formerPrimary(2), absent]),
      /both stopped as primaries on timeline 2/,
    ],
    [
      "a wal_level with which it could not start again",
      { want: { settings: { wal_level: "replica" } }, nodes: [withSlots(true), facts.standby(2), facts.standby(3)] },
      /pg1: wal_level cannot go from logical to replica while n1 has the logical slots warehouse.*Write 'wal_level: logical'.*psql -p 5432 -c "select pg_drop_replication_slot\('warehouse'\)"/,
    ],
  ])("%s", (_, c, message) => {
    expect(() => planOf(c)).toThrow(Refused);
    expect(() => planOf(c)).toThrow(message);
  });

  test("a lower wal_level is none of its business where the slots are physical", () => {
    const want = { settings: { wal_level: "replica" } };
    expect(() => planOf({ want, nodes: [withSlots(false), facts.standby(2), facts.standby(3)] })).not.toThrow();
  });

  test("a witness has a system identifier of its own", () => {
    const other = facts.primary({ control: facts.control({ systemIdentifier: "42" }) });
    expect(planOf({ self: 3, witness: 3, nodes: [facts.primary(), facts.standby(2), other] })).toEqual([]);
    expect(planOf({ self: 1, witness: 3, nodes: [facts.primary(), facts.standby(2), other] })).toEqual([]);
  });
});
