import type { Json } from "../../providers/canonical";
import { promoteDifference } from "../../scripts/promoteDifference";

type Tree = { [key: string]: Json };

const CANARY = "Kanarienvogel";

/** An environment with a host and a node for each name; the cluster's other keys as given. */
function environment(names: string[], cluster: Tree = {}, top: Tree = {}): Json {
  const hosts = names.map((name, index): [string, Json] => [
    name,
    { address: `${name}.example.org`, ssh: { port: 22 + index } },
  ]);
  const nodes = names.map((name, index): [string, Json] => [name, { id: index + 1, host: name }]);
  return {
    ...top,
    hosts: Object.fromEntries(hosts),
    postgresql_clusters: { main: { version: 17, nodes: Object.fromEntries(nodes), ...cluster } },
  };
}

const DEV = ["dev1", "dev2"];
const PROD = ["prod1", "prod2"];
const C = "postgresql_clusters.main";

describe("two environments differ", () => {
  test.each<[string, Json, Json, string[]]>([
    ["not in their hosts, nodes and the way to them", environment(DEV), environment(PROD), []],
    [
      "in a value, and in what only one has",
      environment(DEV, { settings: { work_mem: "8MB" } }),
      environment(PROD, { settings: { work_mem: "16MB" }, protect: true }),
      [`${C}.protect: - => true`, `${C}.settings.work_mem: 8MB => 16MB`],
    ],
    [
      "in a node more, which is shown by number",
      environment(DEV),
      environment([...PROD, "prod3"]),
      [
        "hosts.host 3.address: - => (address of host 3)",
        `${C}.nodes.node 3.host: - => host 3`,
        `${C}.nodes.node 3.id: - => 3`,
      ],
    ],
    [
      "not in whom a node follows, when it is the same one",
      environment(DEV, { preferred_primary: "dev2", hooks: { after_deploy: [{ run: "true", on: "dev1" }] } }),
      environment(PROD, { preferred_primary: "prod2", hooks: { after_deploy: [{ run: "true", on: "prod1" }] } }),
      [],
    ],
    [
      "in whom a node follows, when it is another one",
      environment(DEV, { preferred_primary: "dev2" }),
      environment(PROD, { preferred_primary: "prod1" }),
      [`${C}.preferred_primary: node 2 => node 1`],
    ],
    [
      "in networks, of which those that are a host are not shown",
      environment(DEV, { clients: ["192.0.2.0/24", "dev1.example.org"] }),
      environment(PROD, { clients: ["192.0.2.0/25", "prod1.example.org", "xprod1.example.org"] }),
      [`${C}.clients: ["192.0.2.0/24"] => ["192.0.2.0/25","xprod1.example.org"]`],
    ],
    [
      "in an empty part",
      environment(DEV, { roles: { app: {} } }),
      environment(PROD, { roles: { app: {}, reader: {} } }),
      [`${C}.roles.reader: - => {}`],
    ],
    [
      "in commands, of which nothing is shown",
      environment(DEV, { settings: { archive_command: "cp %p /a" }, events: { command: "true" } }),
      environment(PROD, { settings: { archive_command: `push --token ${CANARY}` }, events: { command: CANARY } }),
      [`${C}.events.command: (not shown) => (not shown)`, `${C}.settings.archive_command: (not shown) => (not shown)`],
    ],
    [
      "in what may hold a secret, inside lists, too; names of secrets are none",
      environment(
        DEV,
        { roles: { app: { password_secret: "app" } } },
        { defaults: { repository: { uri: "https://r/a" } } },
      ),
      environment(
        PROD,
        {
          roles: { app: { password_secret: "app_prod" } },
          settings: { "x.token": CANARY, dsn: `host=a password=${CANARY} b` },
          hooks: { after_deploy: [{ run: CANARY, on: "control" }] },
        },
        { defaults: { repository: { uri: `https://me:${CANARY}@r/a` } } },
      ),
      [
        "defaults.repository.uri: https://r/a => https://(not shown)@r/a",
        `${C}.hooks.after_deploy: - => [{"run":"(not shown)","on":"control"}]`,
        `${C}.roles.app.password_secret: app => app_prod`,
        `${C}.settings.dsn: - => host=a password=(not shown) b`,
        `${C}.settings.x.token: - => (not shown)`,
      ],
    ],
  ])("%s", (_what, from, to, rows) => {
    const text = (value?: Json): string =>
      value === undefined ? "-" : typeof value === "string" ? value : JSON.stringify(value);
    const found = promoteDifference(from, to).map((one) => `${one.property}: ${text(one.from)} => ${text(one.to)}`);
    expect(found).toEqual(rows);
    expect(found.join()).not.toMatch(/Kanarienvogel|(?<!x)(dev|prod)\d/);
  });
});
