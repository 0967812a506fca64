import { planPause } from "../../providers/pause";
import { statusOf } from "../../scripts/clusterStatus";
import { bytes, renderStatus } from "../../scripts/statusTable";
import * as facts from "../support/facts";

const AT = new Date("2026-11-24T03:00:00Z");
const wants = [1, 2, 3].map((id) => facts.nodeInputs(id));
const events = [
  { at: "2026-11-24T02:59:00Z", nodeId: 1, event: "primary_register", successful: true, details: "" },
  { at: "2026-11-24T02:59:59Z", nodeId: 2, event: "standby_promote", successful: false, details: "" },
];
const primary = facts.primary({ repmgr: { nodes: facts.rows(), paused: false, events } }, { walBytes: 64 * 1024 ** 2 });

describe("the status of a cluster", () => {
  test("healthy", () => {
    const behind = facts.standby(2, 1, { walBytes: 48 * 1024 ** 2 });
    const status = statusOf(wants, [primary, behind, facts.standby(3, 1, { walBytes: 65 * 1024 ** 2 })], AT);
    expect(status).toMatchObject({ cluster: "main", primary: "n1", problems: [] });
    expect(status.nodes.map(({ role, lagBytes, slot }) => [role, lagBytes, slot])).toEqual([
      ["primary", 0, ""],
      ["standby", 16 * 1024 ** 2, "active"],
      ["standby", 0, "active"],
    ]);
    expect(status.nodes.map(({ lastEvent }) => lastEvent)).toEqual([
      "2026-11-24T02:59:00Z primary_register",
      "2026-11-24T02:59:59Z standby_promote (failed)",
      "",
    ]);
  });

  test("every problem is told with its node", () => {
    const paused = facts.standby(2, 1, { walReceiver: null }, { repmgr: { nodes: facts.rows(), paused: true } });
    const { problems, nodes } = statusOf(wants, [primary, paused, new Error("pg3: no answer\nmore")], AT);
    expect(problems).toEqual([
      "n2 is detached: it does not stream from n1",
      "repmgrd of n2 is paused: it takes no part in a failover",
      "n3 cannot be asked: pg3: no answer",
    ]);
    expect(nodes[2]).toMatchObject({ role: "unreachable", lagBytes: null, repmgrd: "unknown" });
  });

  test("two primaries, and none", () => {
    const second = facts.primary({}, { timeline: 2 });
    expect(statusOf(wants, [primary, second, facts.standby(3)], AT)).toMatchObject({ primary: "none" });
    expect(statusOf(wants, [primary, second, facts.standby(3)], AT).problems[0]).toBe("n1 and n2 both take writes");
    const orphan = facts.standby(2, 1, { walReceiver: null });
    const none = statusOf(wants, [facts.formerPrimary(), orphan, orphan], AT);
    expect(none.problems[0]).toBe("no node takes writes");
  });

  test("the table names the next thing to type, and obeys no value", () => {
    const text = renderStatus([statusOf(wants, [primary, new Error("\u001b[31mred"), facts.standby(3)], AT)]);
    expect(text).toContain("n2 cannot be asked: \\u{1b}[31mred");
    expect(text).not.toContain("\u001b");
    expect(text).toContain('"pulumi preview"');
    expect([0, 1023, 1024, 1_310_720].map(bytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.3 MiB"]);
  });
});

test("pause reaches the nodes that are not paused, unpause the others; the second run has nothing to do", () => {
  const paused = facts.standby(2, 1, {}, { repmgr: { nodes: facts.rows(), paused: true } });
  const view = facts.view([primary, paused, facts.stoppedStandby()]);
  const hosts = (shall: "pause" | "unpause"): string[] =>
    planPause(facts.clusterInputs(), view, shall).map(({ host }) => host);
  expect(hosts("pause")).toEqual(["pg1"]);
  expect(hosts("unpause")).toEqual(["pg2"]);
});
