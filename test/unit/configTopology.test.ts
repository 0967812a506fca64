import { C, type Case, type Edit, edited, N2, N3, problemsOf, runCases } from "./configFixture";

const DIRECTORY =
  "no good directory: an absolute path of letters, digits, . _ and -, at least two levels deep, not below a system directory";

function quorum(node: string): string {
  return (
    `automatic failover would split the brain: '${node}' is the only standby that follows the primary directly and ` +
    "there is no witness, so when it merely loses sight of the primary it wins the election alone and two nodes take " +
    "writes. Three ways out: add a node with 'role: witness' on another host, add a third data node that follows the " +
    "primary, or set 'failover: manual'"
  );
}

const NO_CANDIDATE =
  "automatic failover would never happen: no standby follows the primary directly with a priority above 0. " +
  "Give one a priority and no delay and no upstream, or set 'failover: manual'";
const NO_NEIGHBOUR =
  "automatic failover would never happen: besides the primary no node that votes is in its location 'a', and a site " +
  "that sees nobody there takes it for cut off. Add a standby or a witness in 'a', leave the locations out, or set 'failover: manual'";
const DELAY = "expected a whole number with s, min, h or d, such as 1h, 24d at most, found";
const N1 = "n1: { id: 1, host: h1, role: primary }";
const delayed = (delay: string): Edit => [N3, `n3: { id: 3, host: h3, delay: ${delay} }`];

const OTHER = `  other:
    version: 17
    nodes: { m1: { id: 1, host: h1, role: primary } }
`;
const other = (from: string, to: string): Edit => [
  "postgresql_clusters:\n",
  `postgresql_clusters:\n${OTHER.replace(from, to)}`,
];

const topology: Case[] = [
  ["node id twice", [["id: 3", "id: 2"]], [`14: ${C}.nodes.n3.id: id 2 already belongs to the node 'n2'`]],
  ["unknown host", [["host: h3", "host: h33"]], [`14: ${C}.nodes.n3.host: unknown host 'h33'; did you mean 'h3'?`]],
  [
    "two nodes on a host",
    [["host: h3", "host: h2"]],
    [`14: ${C}.nodes.n3.host: host 'h2' already holds the node 'n2' of this cluster; one host, one node`],
  ],
  [
    "witness on a data node's host",
    [[N3, "n3: { id: 3, host: h1, role: witness }"]],
    [`14: ${C}.nodes.n3.host: host 'h1' already holds the node 'n1' of this cluster; one host, one node`],
  ],
  [
    "no primary",
    [[", role: primary", ""]],
    [`11: ${C}.nodes: no node has 'role: primary'; one must, it starts the cluster's life`],
  ],
  [
    "two primaries",
    [
      [N2, "n2: { id: 2, host: h2, role: primary }"],
      [N3, "n3: { id: 3, host: h3, role: witness }"],
    ],
    [`13: ${C}.nodes.n2.role: 'n1' is the initial primary already; exactly one node has 'role: primary'`],
  ],
  [
    "unknown upstream",
    [["host: h3 }", "host: h3, upstream: n9 }"]],
    [`8: ${C}.failover: ${quorum("n2")}`, `14: ${C}.nodes.n3.upstream: unknown node 'n9'; did you mean 'n1'?`],
  ],
  [
    "circle of upstreams",
    [
      ["host: h2 }", "host: h2, upstream: n3 }"],
      ["host: h3 }", "host: h3, upstream: n2 }"],
    ],
    [
      `8: ${C}.failover: ${NO_CANDIDATE}`,
      `13: ${C}.nodes.n2.upstream: the upstreams go in a circle: n2 -> n3 -> n2`,
      `14: ${C}.nodes.n3.upstream: the upstreams go in a circle: n3 -> n2 -> n3`,
    ],
  ],
  [
    "primary with an upstream",
    [["role: primary }", "role: primary, upstream: n2 }"]],
    [`12: ${C}.nodes.n1.upstream: only a standby follows an upstream`],
  ],
  [
    "witness elsewhere",
    [[N3, "n3: { id: 3, host: h3, role: witness, location: b }"]],
    [`14: ${C}.nodes.n3.location: a witness stands in the location of the primary, 'default'`],
  ],
  [
    "nobody beside the primary in its location",
    [
      [N1, "n1: { id: 1, host: h1, role: primary, location: a }"],
      [N2, "n2: { id: 2, host: h2, location: b }"],
      [N3, "n3: { id: 3, host: h3, location: b }"],
    ],
    [`8: ${C}.failover: ${NO_NEIGHBOUR}`],
  ],
  [
    "priority 0 wherever somebody could be promoted",
    [
      [N2, "n2: { id: 2, host: h2, priority: 0 }"],
      [N3, "n3: { id: 3, host: h3, delay: 1h }"],
    ],
    [`8: ${C}.failover: ${NO_CANDIDATE}`],
  ],
  ["a delay of nothing", [delayed("0h")], [`14: ${C}.nodes.n3.delay: ${DELAY} "0h"`]],
  ["a delay without a unit", [delayed("60")], [`14: ${C}.nodes.n3.delay: expected text, found 60`]],
  ["a delay in another unit", [delayed("1hour")], [`14: ${C}.nodes.n3.delay: ${DELAY} "1hour"`]],
  ["a delay beyond what PostgreSQL counts", [delayed("25d")], [`14: ${C}.nodes.n3.delay: ${DELAY} "25d"`]],
  [
    "a delayed primary, and a delayed standby that shall be promoted",
    [
      [N1, "n1: { id: 1, host: h1, role: primary, delay: 1h }"],
      [N3, "n3: { id: 3, host: h3, delay: 1h, priority: 50 }"],
    ],
    [
      `12: ${C}.nodes.n1.delay: only a standby can stay behind`,
      `14: ${C}.nodes.n3.priority: a standby with a delay is never promoted; leave 'priority' out or set it to 0`,
    ],
  ],
  [
    "a delay for all nodes",
    [
      ["work_mem: 8MB", "recovery_min_apply_delay: 1h"],
      ["reconnect_attempts: 3", "recovery_min_apply_delay: 1h"],
    ],
    [
      `16: ${C}.settings.recovery_min_apply_delay: the program manages 'recovery_min_apply_delay' itself: set 'delay' of the node`,
      `25: ${C}.repmgr.options.recovery_min_apply_delay: the program manages 'recovery_min_apply_delay' itself: set 'delay' of the node`,
    ],
  ],
  [
    "two witnesses",
    [
      [N2, "n2: { id: 2, host: h2, role: witness }"],
      [N3, "n3: { id: 3, host: h3, role: witness }"],
    ],
    [`14: ${C}.nodes.n3.role: 'n2' is the witness already; a cluster has one at most`],
  ],
  ["two nodes with automatic failover", [[`      ${N3}\n`, ""]], [`8: ${C}.failover: ${quorum("n2")}`]],
  [
    "cascade that leaves one voter",
    [["host: h3 }", "host: h3, upstream: n2 }"]],
    [`8: ${C}.failover: ${quorum("n2")}`],
  ],
  [
    "port clash",
    [other("", "")],
    ["13: postgresql_clusters.main.port: port 5432 on host 'h1' clashes with the port of the cluster 'other'"],
  ],
  [
    "directory clash",
    [other("nodes:", "port: 5433\n    data_directory: /var/lib/postgresql/17/main/\n    nodes:")],
    [
      "13: postgresql_clusters.main.data_directory: directory /var/lib/postgresql/17/main on host 'h1' clashes with the directory of the cluster 'other'",
    ],
  ],
  [
    "nested directories",
    [other("nodes:", "port: 5433\n    data_directory: /var/lib/postgresql/17\n    nodes:")],
    [
      "13: postgresql_clusters.main.data_directory: directory /var/lib/postgresql/17/main on host 'h1' clashes with the directory /var/lib/postgresql/17 of the cluster 'other'",
    ],
  ],
  [
    "system directory",
    [["    port: 5432", "    data_directory: /etc/pg"]],
    [`10: ${C}.data_directory: ${DIRECTORY}; found "/etc/pg"`],
  ],
  [
    "directory with ..",
    [["    port: 5432", "    data_directory: /srv/../etc"]],
    [`10: ${C}.data_directory: ${DIRECTORY}; found "/srv/../etc"`],
  ],
  [
    "mistyped address",
    [["192.0.2.3 ", "192.0.2.333 "]],
    ['6: hosts.h3.address: neither an IP address nor a name that could resolve: "192.0.2.333"'],
  ],
  [
    "node address with a space",
    [["host: h3 }", 'host: h3, address: "a b" }']],
    [`14: ${C}.nodes.n3.address: neither an IP address nor a name that could resolve: "a b"`],
  ],
];

describe("topology", () => runCases(topology));

const wish = (name: string): Edit => ["    nodes:\n", `    preferred_primary: ${name}\n    nodes:\n`];
const pin = (version: string): Edit => ["    port: 5432\n", `    port: 5432\n    package_version: "${version}"\n`];

describe("who shall be primary, and which version", () =>
  runCases([
    ["an unknown node", [wish("n22")], [`11: ${C}.preferred_primary: unknown node 'n22'; did you mean 'n2'?`]],
    [
      "a witness",
      [wish("n3"), [N3, "n3: { id: 3, host: h3, role: witness }"]],
      [`11: ${C}.preferred_primary: 'n3' is a witness, it holds no data`],
    ],
    [
      "one that is never promoted",
      [wish("n3"), [N3, "n3: { id: 3, host: h3, priority: 0 }"]],
      [`11: ${C}.preferred_primary: 'n3' has the priority 0, so it is never to be primary`],
    ],
    [
      "one that stays behind",
      [wish("n3"), delayed("1h")],
      [`11: ${C}.preferred_primary: 'n3' stays behind on purpose, so it is never to be primary`],
    ],
    [
      "one that follows a standby",
      [wish("n3"), [N3, "n3: { id: 3, host: h3, upstream: n2 }"], ["    port: 5432\n", "    failover: manual\n"]],
      [`11: ${C}.preferred_primary: 'n3' follows 'n2', and only who follows the primary can take over from it`],
    ],
    [
      "a version of another major version",
      [pin("16.9-1")],
      [`11: ${C}.package_version: 16.9-1 is no version of PostgreSQL 17`],
    ],
    [
      "two versions on one host",
      [pin("17.6-1"), other("version: 17", 'version: 17\n    package_version: "17.5-1"\n    port: 5433')],
      [`16: ${C}.package_version: the cluster 'other' has 17.5-1 on the same host 'h1'`],
    ],
    [
      "a text that is none",
      [pin("newest")],
      [
        `11: ${C}.package_version: no version of a package, such as 17.6-1.pgdg13+1 or 17.6-1PGDG.rhel9; found the text "newest"`,
      ],
    ],
  ]));

/** Everything that the inventory says of who stands where and votes, and that is right. */
describe("topologies that are accepted", () => {
  test.each<[string, Edit[]]>([
    [
      "a witness beside the primary, which takes over its location",
      [
        [N1, "n1: { id: 1, host: h1, role: primary, location: a }"],
        [N2, "n2: { id: 2, host: h2, location: b }"],
        [N3, "n3: { id: 3, host: h3, role: witness }"],
      ],
    ],
    [
      "two locations with a standby in each",
      [
        [N1, "n1: { id: 1, host: h1, role: primary, location: a }"],
        [N2, "n2: { id: 2, host: h2, location: a }"],
        [N3, "n3: { id: 3, host: h3, location: b }"],
      ],
    ],
    ["a wish and a version", [wish("n2"), pin("17.6-1.pgdg13+1")]],
    ["a delayed standby with its priority said", [[N3, "n3: { id: 3, host: h3, delay: 24d, priority: 0 }"]]],
    [
      "a primary alone",
      [
        [`      ${N2}\n`, ""],
        [`      ${N3}\n`, ""],
      ],
    ],
  ])("%s", (_name, edits) => {
    expect(problemsOf(edited(...edits))).toEqual([""]);
  });
});
