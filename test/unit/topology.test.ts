import type { InstanceFacts } from "../../facts/instance";
import type { RegisteredNode } from "../../facts/running";
import { pgInstanceKind } from "../../providers/pgInstance";
import * as facts from "../support/facts";
import { type Case, planOf, shellOf, seenOf, slot, below, primary, cascade } from "./topologyFixture";

describe("a cascading standby", () => {
  test.each<[string, Case, string[]]>([
    ["follows its upstream", cascade(), []],
    [
      "is registered below another node: its siblings would be the wrong ones",
      cascade({ nodes: [primary(below(3, 1)), ...cascade().nodes.slice(1)] }),
      ["pg3: n3 is registered with upstream 1: register it as standby"],
    ],
    [
      "was moved to the primary by repmgrd while its upstream was down, and that is back",
      cascade({
        nodes: [
          primary(below(3, 1), [slot(2), slot(3)]),
          facts.standby(2, 1, { slots: [slot(3, false)] }),
          facts.standby(3),
        ],
      }),
      ["pg3: detached: it streams from 198.18.0.11:5432, not from n2: follow n2", "pg3: n3 streams from n2"],
    ],
    [
      "stays with the primary while its upstream is down",
      cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.stoppedStandby(), facts.standby(3)] }),
      [],
    ],
    [
      "follows its upstream, too, when that has become the primary",
      cascade({
        nodes: [facts.formerPrimary(1), primary(below(3, 2, facts.rows(2)), [slot(3)]), facts.standby(3, 2)],
      }),
      [],
    ],
    [
      "was promoted itself: it follows nobody",
      cascade({
        nodes: [facts.formerPrimary(1), facts.standby(2, 3), primary(facts.rows(3))],
      }),
      [],
    ],
  ])("%s", (_, c, expected) => expect(facts.whys(planOf(c))).toEqual(expected));

  test("is told by repmgr whom to follow, at once, and is registered below that node", () => {
    const moved = cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.standby(2), facts.standby(3)] });
    expect(shellOf(moved)).toMatch(/^setpriv .* standby follow --upstream-node-id=2$/m);
    const wrong = cascade({ nodes: [primary(below(3, 1)), ...cascade().nodes.slice(1)] });
    expect(shellOf(wrong)).toContain("standby register --force --upstream-node-id=2 --wait-sync=30");
  });

  test("is not registered below an upstream that is down", () => {
    const rows = facts.rows().slice(0, 2);
    const nodes = [primary(rows, [slot(3)]), facts.stoppedStandby(), facts.standby(3)];
    expect(shellOf(cascade({ nodes }))).toContain("standby register --wait-sync=30");
  });

  test("that its own database does not know yet gets its slot on the upstream before it is told without repmgr", () => {
    const late = facts.standby(3, 1, {}, { repmgr: { nodes: facts.rows().slice(0, 1) } });
    const shell = shellOf(cascade({ nodes: [primary(below(3, 1), [slot(3)]), facts.standby(2), late] }));
    expect(shell).toMatch(
      /pg_create_physical_replication_slot\('repmgr_slot_3'[\s\S]*alter system set primary_conninfo/,
    );
  });
});

describe("a slot that was left behind", () => {
  const DROP = "repmgr_slot_3 on n1 keeps WAL for nobody, n3 streams from 198.18.0.12: drop it";
  const left = (active: boolean, upstream: number): Case =>
    cascade({ nodes: [primary(below(3, upstream), [slot(2), slot(3, active)]), ...cascade().nodes.slice(1)] });

  test.each<[string, Case, string[]]>([
    ["is dropped by its owner", left(false, 2), [`pg1: ${DROP}`]],
    ["is dropped by its holder", { ...left(false, 2), self: 1, upstream: undefined }, [`pg1: ${DROP}`]],
    ["is no business of others", { ...left(false, 2), self: 2, upstream: undefined }, []],
    ["is kept while somebody reads it", left(true, 2), []],
    [
      "is kept while its owner is registered there",
      left(false, 1),
      ["pg3: n3 is registered with upstream 1: register it as standby"],
    ],
    [
      "is kept while its owner is down",
      {
        self: 1,
        nodes: [primary(below(3, 2), [slot(2), slot(3, false)]), facts.standby(2), facts.stoppedStandby()],
      },
      [],
    ],
    [
      "of the new primary is dropped on the old one",
      {
        self: 1,
        nodes: [
          facts.standby(1, 2, { slots: [slot(2, false)] }),
          primary(facts.rows(2), [slot(1), slot(3)]),
          facts.standby(3, 2),
        ],
      },
      ["pg1: repmgr_slot_2 on n1 keeps WAL for nobody, n2 is the primary: drop it"],
    ],
  ])("%s", (_, c, expected) => expect(facts.whys(planOf(c))).toEqual(expected));

  test("shows in the review", () => {
    expect(seenOf(left(false, 2)).slot).toBe("left over: repmgr_slot_3 on n1");
    expect(shellOf(left(false, 2))).toMatch(/slot_name = 'repmgr_slot_3' and not active/);
  });
});

describe("where a cascading standby is cloned from", () => {
  const clone = (upstream: InstanceFacts): string[] => {
    const inputs = facts.instanceInputs(3, { upstream: "n2" });
    const view = facts.view([facts.primary(), upstream, facts.without("absent")]);
    const nothing = { postgresConf: undefined, hbaConf: undefined };
    const actions = pgInstanceKind.plan(inputs, facts.instanceFacts(inputs, view, nothing));
    return [...facts.whys(actions), facts.shell(actions)].filter((line) => /clone n3|standby clone/.test(line));
  };

  test("its upstream, below which it stays", () => {
    const [why, shell] = clone(facts.standby(2));
    expect(why).toBe("pg3: clone n3 from n2, which n3 follows");
    expect(shell).toMatch(/-h '198\.18\.0\.12' .* --upstream-node-id=2/);
  });

  test.each<[string, InstanceFacts]>([
    ["is down", facts.stoppedStandby()],
    ["does not stream itself", facts.standby(2, 1, { walReceiver: null })],
    ["does not know itself yet", facts.standby(2, 1, {}, { repmgr: { nodes: facts.rows().slice(0, 1) } })],
  ])("the primary, while its upstream %s", (_, upstream) => {
    const [why, shell] = clone(upstream);
    expect(why).toBe("pg3: clone n3 from n1, which is the primary now");
    expect(shell).not.toContain("--upstream-node-id");
  });
});

test("a witness whose data were lost is registered again, although the primary still knows it", () => {
  const rows = facts.rows(1, 3);
  const empty = facts.primary({ repmgr: { nodes: [] } });
  const c: Case = { self: 3, witness: 3, nodes: [facts.primary({ repmgr: { nodes: rows } }), facts.standby(2), empty] };
  expect(facts.whys(planOf(c))).toEqual(["pg3: n3 is registered, but not in its own database: register it as witness"]);
  expect(shellOf(c)).toContain("witness register -h 198.18.0.11 -p 5432 -U repmgr -d repmgr --force");
  expect(seenOf(c).registration).toBe("registered, but not in its own database");
});

test("a witness that takes the primary for gone is registered again: its repmgrd would never find it", () => {
  const rows = facts.rows(1, 3);
  const stale = rows.map((row) =>
    row.id === 1 ? { ...row, active: false } : row.id === 2 ? { ...row, type: "primary" as const } : row,
  );
  const witness = (nodes: RegisteredNode[]): Case => ({
    ...{ self: 3, witness: 3 },
    nodes: [facts.primary({ repmgr: { nodes: rows } }), facts.standby(2), facts.primary({ repmgr: { nodes } })],
  });
  expect(seenOf(witness(rows)).registration).toBe("registered");
  expect(planOf(witness(rows))).toEqual([]);
  expect(seenOf(witness(stale)).registration).toBe("registered, but takes n1, the primary, for gone");
  expect(shellOf(witness(stale))).toContain("witness register -h 198.18.0.11 -p 5432 -U repmgr -d repmgr --force");
});
