import { formatProblems, loadInventory } from "../../config/loadInventory";
import { C, edited, type Edit, N2, N3, OPTION, problemsOf, RULE, SSH, VALID } from "./configFixture";

/** A second cluster on a host of the first, with a port of its own. */
const OTHER = `  other:
    version: 17
    port: 5433
    nodes: { m1: { id: 1, host: h1, role: primary } }
`;

test("the inventory that the cases start from is valid", () => {
  expect(problemsOf(VALID)).toEqual([""]);
});

describe("what is allowed when asked for by name", () => {
  test.each<[string, readonly Edit[]]>([
    ["world among clients", [["clients: [192.0.2.0/24]", "clients: [0.0.0.0/0]\n    open_to_world: true"]]],
    ["world in a rule", [[RULE, RULE.replace("192.0.2.0/24", "0.0.0.0/0, open_to_world: true")]]],
    ["trust in a rule", [[RULE, RULE.replace("reject", "trust, insecure: true")]]],
    [
      "two nodes, manual failover",
      [
        [`      ${N3}\n`, ""],
        ["    port: 5432", "    failover: manual"],
      ],
    ],
    ["two nodes and a witness", [[N3, "n3: { id: 3, host: h3, role: witness }"]]],
    ["a jump host by default, which is not reached through itself", [[SSH, "ssh: { user: admin, jump: h1 }"]]],
    [
      "two clusters on the same hosts with ports of their own",
      [["postgresql_clusters:\n", `postgresql_clusters:\n${OTHER}`]],
    ],
    ["one node alone", [[`      ${N2}\n      ${N3}\n`, ""]]],
  ])("%s", (_, edits) => {
    expect(problemsOf(edited(...edits))).toEqual([""]);
  });
});

test("missing secrets are each named once, with the command to type", () => {
  const text = edited([SSH, "ssh: { user: admin, key_secret: login_key }"]);
  expect(problemsOf(text, () => false)).toEqual([
    "i.yml:2: defaults.ssh.key_secret: the stack's configuration lacks the secret 'login_key'; set it with: pulumi config set --secret login_key",
    "i.yml:21: postgresql_clusters.main.roles.app.password_secret: the stack's configuration lacks the secret 'app_password'; set it with: pulumi config set --secret app_password",
    "i.yml:24: postgresql_clusters.main.repmgr.password_secret: the stack's configuration lacks the secret 'main_repmgr_password'; set it with: pulumi config set --secret main_repmgr_password",
  ]);
});

test("all problems come at once, and an unsound part brings no others that follow from it", () => {
  const text = edited(
    ["version: 17", "version: 9"],
    ["port: 5432", "port: none"],
    ["id: 2", "id: two"],
    ["host: h3", "host: hx"],
    ["settings:", "setings:"],
    ["reject", "trust"],
    ["owner: app", "owner: nobody"],
    [OPTION, "node_id: 1"],
  );
  expect(problemsOf(text, (name) => name !== "app_password")).toEqual(
    [
      `9: ${C}.version: unsupported version 9; supported are 13, 14, 15, 16, 17`,
      `10: ${C}.port: expected a number, found the text "none"`,
      `13: ${C}.nodes.n2.id: expected a number, found the text "two"`,
      `14: ${C}.nodes.n3.host: unknown host 'hx'; did you mean 'h1'?`,
      `15: ${C}.setings: unknown key 'setings'; did you mean 'settings'?`,
      `19: ${C}.hba[0].method: the method 'trust' is not safe; use scram-sha-256, or say 'insecure: true' beside it`,
      `21: ${C}.roles.app.password_secret: the stack's configuration lacks the secret 'app_password'; set it with: pulumi config set --secret app_password`,
      `23: ${C}.databases.app.owner: unknown role 'nobody'; known are app`,
      `25: ${C}.repmgr.options.node_id: the program manages 'node_id' itself: it follows from the topology`,
    ].map((problem) => `i.yml:${problem}`),
  );
});

test("a file that is not there", () => {
  const { problems } = loadInventory("/nonexistent/i.yml", { has: () => true });
  expect(formatProblems(problems)).toBe("/nonexistent/i.yml:1: cannot read /nonexistent/i.yml: there is no such file");
});
