import type { ClusterLayout } from "../../config/types";
import { parseUnit } from "../../facts/unit";
import { pgInstanceKind, type PgInstanceFacts, type PgInstanceInputs } from "../../providers/pgInstance";
import { repmgrNodeKind, type RepmgrNodeFacts, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import { systemdUnitKind, type SystemdUnitFacts, type SystemdUnitInputs } from "../../providers/systemdUnit";
import * as facts from "../support/facts";

/** A cluster that others have built: nothing of theirs is changed but what the inventory says, and where it lies. */
const layout: ClusterLayout = {
  configFile: "/etc/postgresql/17/main/postgresql.conf",
  hbaFile: "/etc/postgresql/17/main/pg_hba.conf",
  postgresqlUnit: "postgresql@17-main.service",
  repmgrConf: "/etc/repmgr.conf",
  repmgrdUnit: "repmgrd.service",
  passFile: "/var/lib/postgresql/.pgpass",
  socketDirectory: "/tmp",
  logDirectory: "/var/log/postgresql",
};
const SETTINGS = { cluster_name: "17/main", work_mem: "8MB" };
const CONF = "cluster_name = '17/main' # theirs\nwork_mem = 8MB\ninclude_dir = 'conf.d'\n";
const THEIRS = { owner: "root:root", mode: "0644" };

const want = facts.instanceInputs(1, { layout, settings: SETTINGS, wantsChecksums: false });
const have = (over: Partial<PgInstanceFacts> = {}, self = facts.primary()): PgInstanceFacts =>
  facts.instanceFacts(want, facts.view([self, facts.standby(2), facts.standby(3)]), {
    postgresConf: facts.file(CONF, THEIRS),
    hbaConf: facts.file(
      "# theirs\nlocal  all postgres peer\nhost repmgr repmgr 198.18.0.11/32 scram-sha-256\n",
      THEIRS,
    ),
    passFile: facts.file(`*:*:*:repmgr:${facts.PASSWORD}\n*:*:app:app:other\n`),
    ...over,
  });
const planned = (facts: PgInstanceFacts, inputs: PgInstanceInputs = want) => pgInstanceKind.plan(inputs, facts);

describe("their instance", () => {
  test("as it is, nothing is done and nothing differs", () => {
    const open = facts.primary({ ownership: "postgres:postgres 0750", hasConfD: false });
    expect(planned(have({}, open))).toEqual([]);
    expect(pgInstanceKind.project(want, have({}, open)).inputs).toEqual(want);
  });

  test("a setting that another file overrides is theirs, unless the inventory names it", () => {
    const altered = (sourceFile: string) =>
      facts.primary({}, { fileSettings: { max_wal_size: { setting: "2GB", sourceFile } } });
    const more = facts.file(`${CONF}max_wal_size = 1GB\n`, THEIRS);
    for (const file of ["/etc/postgresql/17/main/conf.d/a.conf", "/var/lib/postgresql/17/main/postgresql.auto.conf"]) {
      expect(planned(have({ postgresConf: more }, altered(file)))).toEqual([]);
    }
    const named = { ...want, settings: { ...SETTINGS, max_wal_size: "1GB" } };
    const auto = altered("/var/lib/postgresql/17/main/postgresql.auto.conf");
    expect(facts.whys(planned(have({ postgresConf: more }, auto), named))).toEqual([
      "pg1: ALTER SYSTEM overrides max_wal_size",
      "pg1: load the configuration without a restart: max_wal_size",
    ]);
    expect(facts.whys(planned(have({ postgresConf: more }, altered(layout.configFile))))).toEqual([
      "pg1: settings: max_wal_size: 1GB => (not managed)",
      "pg1: load the configuration without a restart: max_wal_size",
    ]);
  });

  test("what is changed is changed in their file, which goes on belonging to them", () => {
    const [put] = planned(have(), { ...want, settings: { ...SETTINGS, work_mem: "9MB" } });
    expect(put).toMatchObject({
      do: "putFile",
      path: layout.configFile,
      content: CONF.replace("8MB", "'9MB'"),
      ...THEIRS,
    });
  });

  test("a password file that does not open every door gets our lines before theirs", () => {
    const theirs = "*:*:app:app:other\n";
    const [put] = planned(have({ passFile: facts.file(theirs) }));
    expect(put).toMatchObject({ do: "putFile", path: layout.passFile });
    const { content } = put as { content: string };
    expect(content.endsWith(theirs)).toBe(true);
    expect(content).toContain(`198.18.0.13:5432:replication:repmgr:${facts.PASSWORD}\n`);
  });

  test("a node without data is not built", () => {
    expect(() => planned(have({}, facts.without("absent")))).toThrow(/is not built by this program\. Clone it the way/);
  });

  test("its end leaves their password file, and data are never removed", () => {
    const gone = have({}, facts.stoppedStandby());
    expect(pgInstanceKind.planDelete(gone, want, [])).toEqual([]);
  });
});

describe("their node", () => {
  const conf = { node_id: "1", node_name: "n1", conninfo: facts.member(1).conninfo };
  const node = (over: Partial<RepmgrNodeInputs> = {}) =>
    facts.nodeInputs(2, {
      layout,
      repmgrConf: { ...conf, node_id: "2", conninfo: facts.member(2).conninfo },
      sudoCommands: [],
      ...over,
    });
  const at = (inputs: RepmgrNodeInputs, nodes = facts.healthy()): RepmgrNodeFacts =>
    facts.nodeFacts(inputs, nodes, {
      repmgrConf: facts.file(
        `# theirs\n${Object.entries(inputs.repmgrConf)
          .map(([k, v]) => `${k}='${v}'\n`)
          .join("")}`,
        THEIRS,
      ),
      sudoers: undefined,
    });
  const noSlot = (slots: boolean) => {
    const walReceiver = { status: "streaming", senderHost: facts.member(1).address, senderPort: 5432, slot: null };
    return facts.view([
      facts.primary({}, slots ? {} : { slots: [] }),
      facts.standby(2, 1, { walReceiver }),
      facts.standby(3),
    ]);
  };

  test("as it is, without slots, sudoers file or the attribute replication, nothing is done and nothing differs", () => {
    const inputs = node();
    const roles = [facts.repmgrRole({ replication: false })];
    const [first, ...others] = noSlot(false);
    if (first?.facts.running === undefined) throw new Error("no primary");
    const running = { ...first.facts.running, roles };
    const seen = at(inputs, [{ ...first, facts: { ...first.facts, running } }, ...others]);
    expect(repmgrNodeKind.plan(inputs, seen)).toEqual([]);
    expect(repmgrNodeKind.project(inputs, seen).inputs).toEqual(inputs);
  });

  test("with slots in its repmgr.conf it streams through its own", () => {
    const inputs = node({ repmgrConf: { ...node().repmgrConf, use_replication_slots: "yes" } });
    expect(facts.whys(repmgrNodeKind.plan(inputs, at(inputs, noSlot(true))))).toEqual([
      "pg2: detached: it streams without its slot repmgr_slot_2: follow n1",
      "pg2: n2 streams from n1",
    ]);
  });

  test("a former primary is not rejoined where repmgr would start it outside of its unit", () => {
    const inputs = node();
    const rewind = {
      rewind: "possible",
      reason: "",
      sizeKib: 1,
      freeKib: 2,
      device: "1",
      spaces: [],
      stamp: "x",
    } as const;
    const seen = {
      ...at(inputs, facts.view([facts.primary({}, { timeline: 2 }), facts.formerPrimary(), facts.standby(3)])),
      rewind,
    };
    expect(() => repmgrNodeKind.plan(inputs, seen)).toThrow(
      /names no service_start_command, so repmgr would start PostgreSQL outside/,
    );
  });

  test("its end leaves their repmgr.conf", () => {
    const inputs = node();
    const scripts = repmgrNodeKind
      .planDelete(at(inputs), inputs, [])
      .map((action) => ("script" in action ? action.script : ""));
    expect(scripts.join("\n")).toContain("systemctl stop postgresql@17-main.service");
    expect(scripts.join("\n")).not.toContain("rm -f");
  });
});

describe("their unit", () => {
  const unit = {
    kind: "SystemdUnit",
    reach: {},
    pending: [],
    host: "pg1",
    cluster: "main",
    node: "n1",
    unit: "repmgrd.service",
  };
  const inputs: SystemdUnitInputs = { ...unit, files: [], state: "enabled", dropIns: [], running: true };
  const seen = (active: string, sub: string): SystemdUnitFacts => {
    const said = {
      UnitFileState: "generated",
      ActiveState: active,
      SubState: sub,
      MainPID: "0",
      NRestarts: "0",
      NeedDaemonReload: "no",
    };
    const text = Object.entries({
      ...said,
      ExecMainStartTimestamp: "",
      DropInPaths: "/etc/systemd/system/repmgrd.service.d/a.conf",
    });
    return {
      file: undefined,
      files: [],
      unit: parseUnit("repmgrd.service", text.map((pair) => pair.join("=")).join("\n"), false),
    };
  };

  test("is left alone while it runs, however it is written and enabled", () => {
    expect(systemdUnitKind.plan(inputs, seen("active", "running"))).toEqual([]);
    expect(systemdUnitKind.project(inputs, seen("active", "running")).inputs).toEqual(inputs);
    expect(systemdUnitKind.validate(inputs)).toEqual([]);
  });

  test.each([
    ["inactive", "dead"],
    ["active", "exited"],
  ])("is started when it is %s (%s)", (active, sub) => {
    expect(systemdUnitKind.plan(inputs, seen(active, sub))[0]).toMatchObject({
      script: "systemctl restart 'repmgrd.service'",
    });
    expect(systemdUnitKind.project(inputs, seen(active, sub)).inputs).toMatchObject({ running: false });
  });

  test("is stopped and stays when the cluster is no longer managed", () => {
    const [stop, ...rest] = systemdUnitKind.planDelete(seen("active", "running"), inputs, []);
    expect(stop).toMatchObject({ do: "run", script: "systemctl stop 'repmgrd.service'" });
    expect(rest).toEqual([]);
    expect(systemdUnitKind.planDelete(seen("inactive", "dead"), inputs, [])).toEqual([]);
  });
});
