import { C, type Case, type Edit, N2, N3, runCases } from "./configFixture";

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
