import type { Action, Effect } from "../../actions/action";
import { consequences, type Foreseen } from "../../providers/forecast";
import { pgClusterKind } from "../../providers/pgCluster";
import * as facts from "../support/facts";

const act = (host: string, why: string, effect?: Effect): Action => ({ do: "run", host, why, script: ":", effect });
const of = (kind: string, host: string, actions: Action[], refusal?: string): Foreseen => ({
  kind,
  host,
  actions,
  refusal,
});
const failed = (kind: string, host: string, failure: string): Foreseen => ({ kind, host, actions: [], failure });
const NOW = "n1 is primary on timeline 1";

describe("what a preview says of a cluster", () => {
  test.each<[string, Foreseen[], string[]]>([
    ["nothing", [of("PgInstance", "pg1", []), of("PgCluster", "", [])], [`nothing to do; ${NOW}`]],
    [
      "the same on three hosts is one line, and what weighs most comes first",
      [
        ...["pg1", "pg2", "pg3"].map((host) =>
          of("PgInstance", host, [act(host, "settings: work_mem"), act(host, "load: work_mem", "reload")]),
        ),
        of("PgCluster", "", [act("pg1", "rolling restart of n2, then n1, because x needs a restart", "restart")]),
      ],
      [
        "pg1: rolling restart of n2, then n1, because x needs a restart",
        "pg1, pg2, pg3: load: work_mem",
        "nobody notices: pg1, pg2, pg3: settings: work_mem",
      ],
    ],
    [
      "a refusal, once",
      [of("RepmgrNode", "pg1", [], "two take writes"), of("PgCluster", "", [], "two take writes")],
      ["refused: two take writes"],
    ],
    [
      "what could not be found out is no refusal",
      [
        of("PgInstance", "pg1", [act("pg1", "initdb", "initdb")]),
        failed("PgPackages", "pg2", "pg2: no answer"),
        of("PgCluster", "", [], "no node takes writes"),
      ],
      ["not known what up would do: pg2: no answer", "it is new and begins on pg1"],
    ],
    [
      "an answer that is missing for several, once, and nothing that says there is nothing to do",
      [failed("RepmgrNode", "pg2", "pg2: no answer"), failed("PgCluster", "", "pg2: no answer")],
      ["not known what up would do: pg2: no answer"],
    ],
    [
      "a cluster that begins: who waits for its data is not refused",
      [
        of("PgInstance", "pg1", [act("pg1", "initdb", "initdb")]),
        of("RepmgrNode", "pg1", [], "no data"),
        of("PgInstance", "pg2", [], "nothing to be cloned from"),
        of("RepmgrNode", "pg2", [], "no data"),
        of("PgCluster", "", [], "no node takes writes"),
      ],
      ["it is new and begins on pg1, from which pg2 will be cloned"],
    ],
    [
      "a cluster that begins with a witness, whose host is looked at first",
      [
        of("PgInstance", "pg1", [act("pg1", "initdb", "witness")]),
        of("PgInstance", "pg2", [], "nothing to be cloned from"),
        of("PgInstance", "pg3", [act("pg3", "initdb", "initdb")]),
        of("PgCluster", "", [], "no node takes writes"),
      ],
      ["it is new and begins on pg3, from which pg2 will be cloned; pg1 gets the witness"],
    ],
    [
      "a cluster that begins, with a firewall in its way and another that is its owner's business",
      [
        of("PgInstance", "pg1", [act("pg1", "initdb", "initdb")]),
        of("FirewallRule", "pg1", [], "pg1: a rule comes first"),
        { ...of("FirewallRule", "pg2", []), remarks: ["pg2 runs nftables"] },
        of("PgCluster", "", [], "no node takes writes"),
      ],
      ["it is new and begins on pg1", "refused: pg1: a rule comes first", "pg2 runs nftables"],
    ],
    [
      "what its owner has to see to is no work for up",
      [{ ...of("FirewallRule", "pg2", []), remarks: ["pg2 runs nftables"] }, of("PgCluster", "", [])],
      [`nothing to do; ${NOW}`, "pg2 runs nftables"],
    ],
    [
      "a node that is added",
      [
        of("PgInstance", "pg4", [act("pg4", "clone n4 from n1", "clone")]),
        of("RepmgrNode", "pg4", [], "no data"),
        of("PgCluster", "", []),
      ],
      ["pg4: clone n4 from n1"],
    ],
    [
      "a witness that is added beside a refusal: the refusal stays",
      [of("PgInstance", "pg4", [act("pg4", "initdb", "witness")]), of("RepmgrNode", "pg2", [], "it diverged")],
      ["refused: it diverged", "pg4: initdb"],
    ],
    [
      "much that nobody notices is told in short",
      [
        of(
          "PgCluster",
          "",
          ["a", "b", "c", "d", "e", "f", "g", "h"].map((why) => act("pg1", why)),
        ),
      ],
      ["nobody notices: pg1: a; pg1: b; pg1: c; pg1: d; pg1: e; pg1: f; and 2 more"],
    ],
  ])("%s", (_, foreseen, lines) => expect(consequences(foreseen, NOW)).toEqual(lines));
});

test("a limit that the inventory raises is a rolling restart before anything is written", () => {
  const live = { settings: { max_connections: facts.setting("100", { context: "postmaster" }) } };
  const seen = facts.view([facts.primary({}, live), facts.standby(2, 1, live), facts.standby(3, 1, live)]);
  const want = facts.pgClusterInputs({ settings: { max_connections: "200" } });
  const [restart, ...others] = pgClusterKind.foresee?.(want, facts.clusterFacts(seen)) ?? [];
  expect(others).toEqual([]);
  expect(restart).toMatchObject({
    effect: "restart",
    why: "rolling restart of n2, n3, then switchover to n2, then n1 (because max_connections needs a restart)",
  });
  expect(pgClusterKind.plan(want, facts.clusterFacts(seen))).toEqual([]);
});
