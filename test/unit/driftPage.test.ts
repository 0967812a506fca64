import type { NodeReport } from "../../providers/clusterReport";
import { renderPage } from "../../scripts/driftPage";
import { drawTopology } from "../../scripts/driftTopology";
import { hostileReport, reportedNode as node } from "../support/driftReport";

const primary = node("n1", { role: "primary", follows: "none" });

/** The boxes of each row, from the top. */
function rows(nodes: readonly NodeReport[]): string[][] {
  const { boxes } = drawTopology(nodes);
  const heights = [...new Set(boxes.map(({ y }) => y))].sort((a, b) => a - b);
  return heights.map((height) => boxes.filter(({ y }) => y === height).map(({ lines }) => lines[0]?.text ?? ""));
}

describe("the topology", () => {
  test("has the primary on top, whoever streams below whom it streams from, and at the bottom who does neither", () => {
    const nodes = [node("w", { role: "witness", follows: "none" }), node("n3", { follows: "n2" }), node("n2"), primary];
    expect(rows([...nodes, node("n4", { role: "down", follows: "none" })])).toEqual([
      ["n1"],
      ["n2"],
      ["n3"],
      ["w", "n4"],
    ]);
  });

  test("has an arrow from a node to each that streams from it, with the lag where there is one", () => {
    const { arrows, boxes } = drawTopology([primary, node("n2"), node("n3", { lag: "7 WAL segments" })]);
    expect(arrows).toHaveLength(2);
    expect(arrows.map(({ label }) => label?.text)).toEqual([undefined, "7 WAL segments"]);
    for (const { y1, y2 } of arrows) expect(y2).toBeGreaterThan(y1);
    expect(new Set(boxes.map(({ x, y }) => `${x} ${y}`)).size).toBe(3);
  });

  test("stands two primaries, a circle and a stranger", () => {
    const odd = [
      primary,
      node("n2", { role: "primary", follows: "none" }),
      node("n3", { follows: "n4" }),
      node("n4", { follows: "n3" }),
    ];
    expect(
      rows([...odd, node("n5", { follows: "192.0.2.9:5432" })])
        .flat()
        .sort(),
    ).toEqual(["n1", "n2", "n3", "n4", "n5"]);
    expect(drawTopology([]).boxes).toEqual([]);
  });

  test("says in each box in words what the colour says, and keeps what is too long inside", () => {
    const { boxes } = drawTopology([node("n".repeat(80), { role: "down", timeline: 7, follows: "none" })]);
    expect(boxes[0]?.lines.map(({ text }) => text)).toEqual([
      `${"n".repeat(24)}…`,
      expect.stringMatching(/…$/),
      "DOWN, timeline 7",
    ]);
    expect(boxes[0]?.title).toContain("n".repeat(80));
  });
});

describe("the page", () => {
  test("is one file that asks for nothing and runs nothing, whatever the names and values are", () => {
    const page = renderPage(hostileReport());
    expect(page).toContain("&lt;script&gt;");
    expect(page).not.toMatch(/<script|<img|<link|<iframe|\ssrc=|\shref=|@import|url\((?!#)/i);
    expect(page).not.toMatch(/\son\w+="/);
    expect(page).toContain(`default-src 'none'`);
  });

  test("has the newest event first, and an event that failed says so", () => {
    const event = (at: string, name: string, successful = true) => ({
      at,
      node: "n1",
      event: name,
      successful,
      details: "",
    });
    const history = [
      event("2026-11-24T10:00:00Z", "primary_register"),
      event("2026-11-24T11:00:00Z", "repmgrd_promote_error", false),
    ];
    const cluster = {
      cluster: "main",
      notes: [],
      consequences: [],
      resources: [],
      state: { primary: "n1", timeline: 1, nodes: [primary], history },
    };
    const page = renderPage({ ...hostileReport(), result: "clean", errors: [], clusters: [cluster] });
    expect(page).toMatch(
      /2026-11-24 11:00:00<\/td><td>n1<\/td><td>repmgrd tried to promote it <b class="drift">\(failed\)<\/b>[^]*2026-11-24 10:00:00<\/td><td>n1<\/td><td>registered as primary</,
    );
    expect(page).toContain("None: every host is as the inventory says.");
  });

  test("of an error holds the error and claims nothing of the hosts", () => {
    const page = renderPage({ ...hostileReport(), result: "error", errors: ["pg3: no answer"], clusters: [] });
    expect(page).toMatch(/class="verdict error"/);
    expect(page).toContain("pg3: no answer");
    expect(page).not.toMatch(/None: every host/);
  });
});
