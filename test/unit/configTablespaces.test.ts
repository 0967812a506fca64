import { C, type Case, edited, inventoryOf, problemsOf, runCases } from "./configFixture";

const spaces = (flow: string) => ["    databases:", `    tablespaces: ${flow}\n    databases:`] as const;
const app = (more: string) => ["owner: app }", `owner: app, ${more} }`] as const;
const RULE = "an absolute path of letters, digits, . _ and -, at least two levels deep, not below a system directory";
const NEEDS = "a tablespace needs one of its own";

const tablespaces: Case[] = [
  ["directory missing", [spaces("{ fast: {} }")], [`22: ${C}.tablespaces.fast: 'directory' is missing`]],
  [
    "directory where none may be",
    [spaces("{ fast: { directory: srv/fast }, run: { directory: /run/x } }")],
    [
      `22: ${C}.tablespaces.fast.directory: no good directory: ${RULE}; found "srv/fast"`,
      `22: ${C}.tablespaces.run.directory: no good directory: ${RULE}; found "/run/x"`,
    ],
  ],
  [
    "a name of PostgreSQL's own, and one that is none",
    [spaces("{ pg_fast: { directory: /srv/a }, Fast: { directory: /srv/b } }")],
    [
      `22: ${C}.tablespaces.Fast: no good name: a lower-case letter or _, then lower-case letters, digits and _, 63 at most`,
      `22: ${C}.tablespaces.pg_fast: 'pg_fast' is a name that PostgreSQL keeps for its own; choose another`,
    ],
  ],
  [
    "an owner and an option that nobody knows, and a cost that is none",
    [spaces("{ fast: { directory: /srv/fast, owner: apq, options: { seq_page_cost: -1, page_cost: 1 } } }")],
    [
      `22: ${C}.tablespaces.fast.options.page_cost: unknown key 'page_cost'; known are seq_page_cost, random_page_cost, effective_io_concurrency, maintenance_io_concurrency`,
      `22: ${C}.tablespaces.fast.options.seq_page_cost: must be at least 0, found -1`,
      `22: ${C}.tablespaces.fast.owner: unknown role 'apq'; did you mean 'app'?`,
    ],
  ],
  [
    "a database in one that is not there, or goes",
    [spaces("{ fast: { removed: true } }"), app("tablespace: fats")],
    [
      `22: ${C}.tablespaces.fast.removed: it drops only with 'allow_drop: true' of the cluster`,
      `24: ${C}.databases.app.tablespace: unknown tablespace 'fats'; known are pg_default`,
    ],
  ],
  [
    "two in one directory, and one in the data",
    [spaces("{ a: { directory: /srv/a }, b: { directory: /srv/a/b/ }, c: { directory: /var/lib/postgresql/17 } }")],
    [
      `22: ${C}.tablespaces.b.directory: /srv/a/b, on host 'h1', lies in /srv/a, the directory of the tablespace 'a' of the cluster 'main' (i.yml:22); ${NEEDS}`,
      `22: ${C}.tablespaces.c.directory: /var/lib/postgresql/17, on host 'h1', holds /var/lib/postgresql/17/main, the directory of the cluster 'main' (i.yml:8); ${NEEDS}`,
    ],
  ],
];

describe("tablespaces", () => runCases(tablespaces));

const OTHER = (nodes: string, directory: string): string =>
  `${edited(spaces("{ fast: { directory: /srv/fast } }"))}  other:
    version: 17
    port: 5433
    failover: manual
    repmgr: { password_secret: x }
    nodes: { ${nodes} }
    tablespaces: { theirs: { directory: ${directory} } }
`;

test("two clusters of one host share none: both are named, with file and line", () => {
  expect(problemsOf(OTHER("o1: { id: 1, host: h2, role: primary }", "/srv/fast"))).toEqual([
    `i.yml:36: postgresql_clusters.other.tablespaces.theirs.directory: /srv/fast, on host 'h2', is the directory of the tablespace 'fast' of the cluster 'main' (i.yml:22); ${NEEDS}`,
  ]);
});

test("on a host with nothing but the other's witness there is nothing to share", () => {
  const text = OTHER("o1: { id: 1, host: h4, role: primary }, o2: { id: 2, host: h1, role: witness }", "/srv/fast");
  const fourth = text.replace("  h3:", "  h4: { address: 192.0.2.4 }\n  h3:");
  expect(inventoryOf(fourth).clusters[1]?.tablespaces).toEqual([{ name: "theirs", directory: "/srv/fast" }]);
});

test("what is derived: plain directories, options as text, nothing that nobody wrote", () => {
  const text = edited(
    spaces(
      "{ fast: { directory: /srv//fast/, owner: postgres, options: { random_page_cost: 1.10 } }, plain: { directory: /srv/p } }",
    ),
    app("tablespace: fast"),
  );
  const [cluster] = inventoryOf(text).clusters;
  expect(cluster?.tablespaces).toEqual([
    { name: "fast", directory: "/srv/fast", owner: "postgres", options: { random_page_cost: "1.1" } },
    { name: "plain", directory: "/srv/p" },
  ]);
  expect(cluster?.databases).toEqual([{ name: "app", owner: "app", tablespace: "fast", extensions: [] }]);
});
