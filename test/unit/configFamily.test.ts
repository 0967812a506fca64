import { edited, inventoryOf, problemsOf, runCases } from "./configFixture";

const DEFAULTS = "ssh: { user: admin }";
const KEY = `"-----BEGIN PGP PUBLIC KEY BLOCK-----"`;
const repository = (more = ""): string =>
  `repository: { name: pgdg, uri: "https://yum.example/17", ${more}key: ${KEY} }`;
const REDHAT = `${DEFAULTS}\n  family: redhat`;
const APT = "suite: trixie-pgdg, components: [main], ";

test("a cluster of the RedHat family has the layout of the PostgreSQL project's packages", () => {
  const { clusters, hosts } = inventoryOf(edited([DEFAULTS, `${REDHAT}\n  ${repository()}`]));
  expect(clusters[0]).toMatchObject({ family: "redhat", dataDirectory: "/var/lib/pgsql/17/main/data" });
  expect(hosts.get("h1")?.repository).toEqual({
    name: "pgdg",
    uri: "https://yum.example/17",
    key: "-----BEGIN PGP PUBLIC KEY BLOCK-----",
  });
});

test("hosts of both families may be in one inventory, each with a repository of its kind", () => {
  const own = (n: number): [string, string] => [
    `h${n}: { address: 192.0.2.${n} }`,
    `h${n}: { address: 192.0.2.${n}, family: redhat, ${repository()} }`,
  ];
  const mixed = edited([DEFAULTS, `${DEFAULTS}\n  ${repository(APT)}`], own(1), own(2), own(3));
  expect(problemsOf(mixed)).toEqual([""]);
});

runCases([
  [
    "a cluster on hosts of two families",
    [["h2: { address: 192.0.2.2 }", "h2: { address: 192.0.2.2, family: redhat }"]],
    [
      "13: postgresql_clusters.main.nodes.n2.host: 'h2' is of the family redhat, 'h1' of debian; a cluster has hosts of one family",
    ],
  ],
  [
    "a repository of apt for dnf, said once for all hosts",
    [[DEFAULTS, `${REDHAT}\n  ${repository(APT)}`]],
    ["components", "suite"].map(
      (key) =>
        `4: defaults.repository.${key}: 'h1' gets packages from it with dnf, which knows no ${key}; remove it, or give the host a repository of its own`,
    ),
  ],
  [
    "a repository of dnf for apt",
    [["h3: { address: 192.0.2.3 }", `h3: { address: 192.0.2.3, ${repository("components: [main], ")} }`]],
    ["6: hosts.h3.repository: 'suite' is missing: 'h3' gets packages from it with apt"],
  ],
]);
