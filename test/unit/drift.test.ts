import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UNKNOWN } from "../../providers/lifecycle";
import { differencesOf, unshared } from "../../scripts/driftDifferences";
import { driftReport } from "../../scripts/driftReport";
import { parseReview, type Reviewed, type Snapshot, type Values } from "../../scripts/driftSteps";
import { renderTable } from "../../scripts/driftTable";

const AT = new Date("2026-11-24T11:33:00Z");
/** What `pulumi preview --json --show-sames` of CLI 3.230.0 said of hosts on which somebody had been at work. */
const recorded = (name: string) =>
  parseReview(readFileSync(join(__dirname, "recorded", `preview-${name}.json`), "utf8"));

const snapshot = (inputs: Values): Snapshot => ({ inputs, outputs: {}, unfinished: [] });

/** A resource with one property "p", as deployed, found and wanted. */
function resource(deployed: unknown, found: unknown, wanted: unknown): Reviewed {
  const of = (p: unknown) => (p === undefined ? {} : { p }) as Values;
  return {
    ...{ kind: "PgInstance", name: "main-n1", id: "pg1/5432", operation: "update", changed: ["p"] },
    ...{ deployed: snapshot(of(deployed)), found: snapshot(of(found)), wanted: of(wanted) },
  };
}

describe("hosts that were changed by hand, while the inventory was changed, too", () => {
  const report = driftReport(recorded("drift"), AT);
  const [cluster] = report.clusters;
  const rows = new Map(cluster?.resources.map(({ kind, id, differences }) => [`${kind} ${id}`, differences]));

  test("are reported property by property: what was found, what is wanted, whose doing it is", () => {
    expect(report).toMatchObject({ stack: "dev", result: "drift", errors: [], messages: [] });
    expect(rows.get("PgInstance pg1/5432")).toEqual([
      { property: "configuration", found: "changed since it was last loaded", wanted: "loaded", cause: "drift" },
      { property: "hba", found: [], wanted: ["host app app 198.18.2.0/24 scram-sha-256"], cause: "drift" },
      { property: "settings.log_min_duration_statement", found: "7s", wanted: "1s", cause: "drift" },
      { property: "settings.shared_buffers", found: "128MB", wanted: "140MB", cause: "planned" },
    ]);
    expect(rows.get("FirewallRule pg2/main/postgresql")).toEqual([
      { property: "permanentOnly", found: ["198.18.2.13/32"], wanted: [], cause: "drift" },
      { property: "sources", found: [], wanted: ["198.18.2.13/32"], cause: "drift" },
    ]);
  });

  test("a long text is shown by the lines that differ", () => {
    expect(rows.get("SystemdUnit pg2/postgresql-main.service")).toEqual([
      { property: "content", found: ["TimeoutStopSec=1"], wanted: ["TimeoutStopSec=300"], cause: "drift" },
    ]);
  });

  test("what depends on another repair is said to follow from it", () => {
    expect(rows.get("PgCluster main")).toContainEqual({
      property: "nodeRoles",
      found: { n1: "primary", n2: "down", n3: "standby" },
      wanted: "known only after up",
      cause: "follows",
    });
  });

  test("what is as wanted is not mentioned; what up will do is", () => {
    expect([...rows.keys()]).not.toContain("FirewallRule pg1/main/postgresql");
    expect(cluster?.resources.find(({ kind }) => kind === "RepmgrNode")?.pending).toEqual([
      "pg2: start PostgreSQL of n2: it is a standby and n1 is primary",
      "pg2: n2 answers SQL",
    ]);
  });

  test("the table has all of it", () => {
    const text = renderTable(report);
    expect(text).toMatch(/^stack dev, 2026-11-24T11:33:00\.000Z: drift: .* \(\d+ differences\)$/m);
    expect(text).toMatch(/^cluster main: n1 is primary on timeline 1\n {2}n1 primary; n2 down; n3 standby of n1$/m);
    expect(text).toMatch(/^ {4}settings\.shared_buffers +128MB +140MB +planned: /m);
    expect(text).toMatch(/^ {4}up: pg2: start PostgreSQL of n2: it is a standby and n1 is primary$/m);
  });
});

test("the certificate that expires first is told, and is no drift", () => {
  const withExpiry = (node: string, certificateExpires: string): Reviewed => {
    const one = { inputs: { cluster: "main", node }, outputs: { certificateExpires }, unfinished: [] };
    const same = { kind: "PgInstance", name: node, id: node, operation: "same", changed: [] };
    return { ...same, deployed: one, found: one, wanted: one.inputs };
  };
  const resources = [withExpiry("n1", "2027-11-29T03:00:00.000Z"), withExpiry("n2", "2027-11-28T03:00:00.000Z")];
  const report = driftReport({ stack: "dev", resources, errors: [], messages: [] }, AT);
  expect(report.result).toBe("clean");
  expect(report.clusters[0]?.notes).toEqual(["TLS: the first certificate to expire is that of n2, on 2027-11-28"]);
});

test("a node replaced in the inventory is planned; a resource that is gone from its host is drift", () => {
  const { clusters } = driftReport(recorded("nodes"), AT);
  const all = clusters
    .flatMap(({ resources }) => resources)
    .map(({ id, operation, differences }) => [id, operation, ...differences]);
  expect(all).toContainEqual([
    "main-n4",
    "create",
    { property: "", found: "absent", wanted: "present", cause: "planned" },
  ]);
  expect(all).toContainEqual([
    "pg3/main/postgresql",
    "delete",
    { property: "", found: "present", wanted: "absent", cause: "planned" },
  ]);
  expect(all).toContainEqual([
    "pg1/main",
    "create",
    { property: "", found: "absent", wanted: "present", cause: "drift" },
  ]);
});

test("a host that cannot be reached is an error, said once, and nothing is said of the others", () => {
  const report = driftReport(recorded("unreachable"), AT);
  expect(report).toMatchObject({ result: "error", clusters: [] });
  expect(report.errors).toEqual([expect.stringMatching(/^pg3 \(admin@198\.18\.2\.13:22\): no answer within 5000 ms/)]);
  expect(renderTable(report)).toMatch(/^error: pg3 /m);
});

test.each([
  ["changed on the host", 1, 2, 1, [{ property: "p", found: 2, wanted: 1, cause: "drift" }]],
  ["changed in the inventory", 1, 1, 2, [{ property: "p", found: 1, wanted: 2, cause: "planned" }]],
  ["changed in both, differently", 1, 2, 3, [{ property: "p", found: 2, wanted: 3, cause: "both" }]],
  ["changed in both to the same", 1, 2, 2, []],
  ["removed on the host", { a: 1 }, {}, { a: 1 }, [{ property: "p.a", found: undefined, wanted: 1, cause: "drift" }]],
  ["added on the host", {}, { a: 1 }, {}, [{ property: "p.a", found: 1, wanted: undefined, cause: "drift" }]],
  [
    "one record of a list",
    [{ n: 1 }],
    [{ n: 2 }],
    [{ n: 1 }],
    [{ property: "p[0].n", found: 2, wanted: 1, cause: "drift" }],
  ],
  [
    "not yet known",
    { a: 1 },
    { a: 1 },
    { a: UNKNOWN },
    [{ property: "p", found: { a: 1 }, wanted: "known only after up", cause: "follows" }],
  ],
  ["another kind of value", "x", "x", ["x"], [{ property: "p", found: "x", wanted: ["x"], cause: "planned" }]],
])("a property that was %s", (_, deployed, found, wanted, expected) => {
  expect(differencesOf(resource(deployed, found, wanted))).toEqual(expected);
});

test("of a secret nothing is shown but that it differs", () => {
  const [row, ...more] = differencesOf(resource("[secret]", "[secret]", "[secret]"));
  expect(row).toEqual({
    property: "p",
    found: "a secret, not shown",
    wanted: "another secret, not shown",
    cause: "planned",
  });
  expect(more).toEqual([]);
});

test("what an interrupted run left undone is drift, with its reasons", () => {
  const one = resource(1, 1, 1);
  const cut = { ...one, changed: [], found: { ...snapshot({}), unfinished: ["n2 does not answer"] } };
  expect(differencesOf(cut)).toEqual([
    { property: "", found: "unfinished: n2 does not answer", wanted: "finished", cause: "drift" },
  ]);
});

test("of two lists only what they do not share is left, and an entry that moved is in both", () => {
  expect(unshared(["a", "b", "c", "d"], ["a", "c", "x", "d"])).toEqual([["b"], ["x"]]);
  expect(unshared(["a", "b"], ["b", "a"])).toEqual([["a"], ["a"]]);
  expect(unshared([], ["a"])).toEqual([[], ["a"]]);
});

test("a primary that has moved is a note and no drift", () => {
  const outputs = (primary: string, timeline: number) => ({
    ...snapshot({ cluster: "main" }),
    outputs: { primary, timeline, nodes: [], history: [] },
  });
  const moved: Reviewed = {
    ...{ kind: "PgCluster", name: "main", id: "main", operation: "same", changed: [], wanted: { cluster: "main" } },
    ...{ deployed: outputs("n1", 1), found: outputs("n2", 2) },
  };
  const report = driftReport({ stack: "s", resources: [moved], errors: [], messages: [] }, AT);
  expect(report).toMatchObject({ result: "clean", differences: 0 });
  expect(report.clusters[0]?.notes).toEqual([
    "the primary has moved: n1 when it was last deployed, n2 now, on timeline 2",
  ]);
});

test("the terminal is sent no control character of a value", () => {
  const report = driftReport(
    { stack: "s", resources: [resource("a", "\u001b[2Jb\u202e\n", "a")], errors: [], messages: ["\u0007"] },
    AT,
  );
  const text = renderTable(report);
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
  expect(text).toContain("\\u{1b}[2Jb\\u{202e}\\u{a}");
});

test("something else than a preview is refused", () => {
  expect(() => parseReview('{"steps": [{"op": 1}]}')).toThrow(/op/);
});
