import { rootOnly } from "../../actions/action";
import type { InstanceFacts } from "../../facts/instance";
import { repmgrNodeKind } from "../../providers/repmgrNode";
import * as facts from "../support/facts";
import { plan, receiver, planOf } from "./nodePlanFixture";

describe("its files", () => {
  const healthy = facts.healthy();
  const inputs = facts.nodeInputs(2);

  test.each<[string, Parameters<typeof facts.nodeFacts>[2], string[]]>([
    ["repmgr.conf missing", { repmgrConf: undefined }, ["putFile: repmgr needs its configuration"]],
    [
      "repmgr.conf edited by hand",
      { repmgrConf: facts.file("node_id='2'\npriority=1\n", { mode: "0640" }) },
      [
        "putFile: repmgr.conf differs in conninfo, priority, location",
        "run: restart repmgrd, which reads its configuration when it starts; PostgreSQL goes on",
      ],
    ],
    [
      "sudoers with another mode",
      {
        sudoers: facts.file("postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start postgresql-main\n", {
          owner: "root:root",
          mode: "0640",
        }),
      },
      ["putFile: repmgr starts and stops PostgreSQL through systemd with 1 exact commands"],
    ],
    [
      "sudoers with one command more",
      {
        sudoers: facts.file(
          "postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start postgresql-main\npostgres ALL=(root) NOPASSWD: ALL\n",
          { owner: "root:root", mode: "0440" },
        ),
      },
      ["putFile: repmgr starts and stops PostgreSQL through systemd with 1 exact commands"],
    ],
  ])("%s", (_, over, expected) => {
    const actions = plan(inputs, facts.nodeFacts(inputs, healthy, over));
    expect(actions.map((a) => `${a.do}: ${a.why}`)).toEqual(expected);
  });

  test.each<[string, readonly string[], string[], string[]]>([
    ["all of the file", ["/usr/bin/systemctl start postgresql-main"], [], ["/usr/bin/systemctl start postgresql-main"]],
    [
      "more than that",
      ["/usr/bin/id", "/usr/bin/systemctl start postgresql-main"],
      [],
      ["/usr/bin/systemctl start postgresql-main"],
    ],
    ["nothing", [], ["repmgr starts and stops PostgreSQL through systemd with 1 exact commands"], []],
  ])("where sudoers cannot be read, sudo lists %s", (_, sudoList, whys, shown) => {
    const have = facts.nodeFacts(inputs, healthy, { sudoers: undefined, sudoList });
    const actions = plan(inputs, have);
    expect(actions.map(({ why }) => why)).toEqual(whys);
    expect(rootOnly(actions, () => true)).toEqual(actions);
    expect(repmgrNodeKind.project(inputs, have).inputs).toMatchObject({ sudoCommands: shown, files: "as wanted" });
    expect(repmgrNodeKind.unseen?.(inputs, have)).toEqual([
      "what else /etc/sudoers.d/repmgr-main allows, its owner and mode",
    ]);
    expect(repmgrNodeKind.isAbsent({ ...have, repmgrConf: undefined })).toBe(false);
  });

  test("repmgrd is restarted for a new repmgr.conf only where its unit exists", () => {
    const actions = plan(
      inputs,
      facts.nodeFacts(inputs, healthy, { repmgrConf: facts.file("node_id='2'\n", { mode: "0640" }) }),
    );
    expect(facts.shell(actions)).toMatch(/if systemctl cat repmgrd-main\.service .*; then systemctl try-restart/);
  });

  test("a sudoers file is only put in place when visudo accepts it", () => {
    const [put] = plan(inputs, facts.nodeFacts(inputs, healthy, { sudoers: undefined }));
    expect(put).toMatchObject({
      path: "/etc/sudoers.d/repmgr-main",
      owner: "root:root",
      mode: "0440",
      check: 'visudo -cqf "$1"',
    });
  });
});

test("a standby that the primary does not know is told whom to follow without repmgr, which does not know it either", () => {
  const unregistered = facts.rows().filter(({ id }) => id !== 2);
  const nodes = (rows: typeof unregistered): InstanceFacts[] => [
    facts.primary({ repmgr: { nodes: rows } }),
    facts.standby(2, 1, receiver({ slot: "repmgr_slot_7" })),
    facts.standby(3),
  ];
  const enters = /alter system set primary_conninfo = .*application_name=n2.*primary_slot_name = .*repmgr_slot_2/;
  expect(facts.shell(planOf({ self: 2, nodes: nodes(unregistered) }))).toMatch(enters);
  expect(facts.shell(planOf({ self: 2, nodes: nodes(facts.rows()) }))).toContain("standby follow --upstream-node-id=1");
});
