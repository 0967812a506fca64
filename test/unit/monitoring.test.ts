import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterSpec, NodeSpec } from "../../config/types";
import type { Probe } from "../../facts/probe";
import type { FileFact } from "../../facts/file";
import { unitProbe } from "../../facts/unit";
import { anticipateReviews } from "../../providers/anticipation";
import type { Ctx } from "../../providers/kind";
import type { PreflightInputs } from "../../providers/preflight";
import { systemdUnitKind, type SystemdUnitFacts, type SystemdUnitInputs } from "../../providers/systemdUnit";
import { wantedText } from "../../providers/unitScript";
import { checkInputs, METRICS } from "../../resources/monitoring";
import { C, edited, type Edit, inventoryOf, problemsOf, runCases } from "./configFixture";
import { file, outline, parsed, scripts } from "./kindFixture";

const monitored = (text: string): Edit => ["    port: 5432", `    port: 5432\n    monitoring: ${text}`];

describe("monitoring in the inventory", () => {
  test("is off unless it is asked for, and its thresholds have defaults", () => {
    const of = (...edits: Edit[]) => inventoryOf(edited(...edits)).clusters[0]?.monitoring;
    expect(of()).toBeUndefined();
    const thresholds = "{ thresholds: { disk_percent: { critical: 95 } } }";
    expect(of(monitored(thresholds), ["work_mem: 8MB", "ssl_cert_file: server.crt"])).toMatchObject({
      textfileDirectory: "/var/lib/prometheus/node-exporter",
      certificates: ["/var/lib/postgresql/17/main/server.crt"],
      thresholds: { disk_percent: { warning: 80, critical: 95 }, lag_seconds: { warning: 60, critical: 600 } },
    });
    expect(of(monitored("{}"))?.certificates).toEqual([]);
  });

  runCases([
    [
      "thresholds that contradict each other",
      [monitored("{ thresholds: { lag_seconds: { warning: 700 }, certificate_days: { critical: 30 } } }")],
      [
        `11: ${C}.monitoring.thresholds.certificate_days: 'critical' has to be less than 'warning'`,
        `11: ${C}.monitoring.thresholds.lag_seconds: 'critical' has to be no less than 'warning'`,
      ],
    ],
    [
      "paths that are none",
      [monitored("{ textfile_directory: metrics, backup_stamp: /srv/$x }")],
      [
        `11: ${C}.monitoring.backup_stamp: expected an absolute path without a dollar sign; found the text "/srv/$x"`,
        `11: ${C}.monitoring.textfile_directory: expected an absolute path without a dollar sign; found the text "metrics"`,
      ],
    ],
  ]);

  test("a cluster that others have built gets none", () => {
    const layout =
      "layout: { config_file: /c, hba_file: /h, postgresql_unit: p.service, repmgr_conf: /r, repmgrd_unit: r.service, pass_file: /p, socket_directory: /s, log_directory: /l }";
    const problems = problemsOf(edited(["    port: 5432", `    port: 5432\n    monitoring: {}\n    ${layout}`]));
    expect(problems.join("\n")).toMatch(/monitoring: a cluster with a layout gets no units from this program/);
  });
});

describe("the timer of a node's check", () => {
  const inventory = inventoryOf(edited(monitored("{}")));
  const [spec] = inventory.clusters as [ClusterSpec];
  if (spec.monitoring === undefined) throw new Error("the inventory asks for no monitoring");
  const node = spec.nodes[0] as NodeSpec;
  const inputs: SystemdUnitInputs = {
    kind: "SystemdUnit",
    pending: [],
    ...checkInputs(spec, inventory, node, spec.monitoring),
  };
  const shown = (active: string, at = "Sun 2026-11-29 03:00:00.500000 UTC"): string =>
    `UnitFileState=enabled\nActiveState=${active}\nSubState=waiting\nActiveEnterTimestamp=${at}\nNeedDaemonReload=no\nDropInPaths=\n`;
  const unit = parsed(unitProbe(inputs.unit), shown("active"));
  const files = inputs.files.map((script) => file(wantedText(script, inputs.sources ?? {}), { mode: script.mode }));
  const converged: SystemdUnitFacts = { file: file(inputs.content ?? ""), files, unit };
  const RESTART = ["systemctl daemon-reload", `systemctl restart 'repmgr-check-main.timer'`];

  test("is converged when it waits; nothing of it is a daemon's", () => {
    expect(systemdUnitKind.validate(inputs)).toEqual([]);
    expect(unit).toMatchObject({ isReady: true, restarts: 0, startedAt: Date.UTC(2026, 10, 29, 3) / 1000 + 0.5 });
    expect(systemdUnitKind.plan(inputs, converged)).toEqual([]);
    expect(systemdUnitKind.project(inputs, converged).inputs).toEqual(inputs);
  });

  test("is made: script and service first, then the timer", () => {
    const unmade = { ...unit, state: "absent" as const, active: "inactive", isReady: false, startedAt: 0 };
    const bare: SystemdUnitFacts = { file: undefined, files: [undefined, undefined], unit: unmade };
    const actions = systemdUnitKind.plan(inputs, bare);
    expect(outline(actions)).toEqual([
      "putFile /etc/repmgr/main/check",
      "putFile /etc/systemd/system/repmgr-check-main.service",
      "putFile /etc/systemd/system/repmgr-check-main.timer",
      ...["run", "run", "waitFor"],
    ]);
    expect(scripts(actions).split("\n")).toEqual(["systemctl enable 'repmgr-check-main.timer'", ...RESTART]);
    expect(actions.every((action) => action.do === "waitFor" || action.effect === undefined)).toBe(true);
  });

  test.each<[string, Partial<SystemdUnitFacts>]>([
    ["it is stopped", { unit: parsed(unitProbe(inputs.unit), shown("inactive", "")) }],
    ["its script was edited", { files: [file("x", { mode: "0755" }), ...files.slice(1)] }],
    ["its service was edited", { files: [...files.slice(0, 1), file("x")] }],
    [
      "a run was cut after its service was written",
      { files: [...files.slice(0, 1), { ...(files[1] as FileFact), modifiedAt: unit.startedAt + 9 }] },
    ],
  ])("runs with what systemd has read when %s", (_what, over) => {
    const actions = systemdUnitKind.plan(inputs, { ...converged, ...over });
    expect(scripts(actions).split("\n").slice(-2)).toEqual(RESTART);
  });

  test("goes with everything that it leaves, once nothing writes any more", () => {
    const lines = scripts(systemdUnitKind.planDelete(converged, inputs, [])).split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "systemctl disable --now 'repmgr-check-main.timer'",
      "systemctl stop 'repmgr-check-main.service' 2>/dev/null || true",
      "'rm' '-f' '/var/lib/prometheus/node-exporter/repmgr_main.prom' '/var/lib/prometheus/node-exporter/repmgr_main.prom.repmgr-pulumi'",
      "'rm' '-f' '/etc/systemd/system/repmgr-check-main.timer' '/etc/repmgr/main/check' '/etc/systemd/system/repmgr-check-main.service'",
    ]);
  });

  test("is asked for with the first question of a review, and only where there is one", async () => {
    const asked = (over: Partial<PreflightInputs>): Set<string> => {
      const keys = new Set<string>();
      const ctx = {
        ask: (_host: string, probe: Probe<unknown>) => {
          keys.add(probe.key);
          return new Promise<never>(() => undefined);
        },
      } as Ctx;
      const { name, family, version, port, dataDirectory } = spec;
      const nodes = [{ node: "n1", id: 1, host: "h1", address: "192.0.2.1", isWitness: false }];
      anticipateReviews(ctx, {
        cluster: name,
        family,
        version,
        port,
        dataDirectory,
        packages: [],
        nodes,
        reach: {},
        ...over,
      } as never);
      return keys;
    };
    const [without, withIt] = [asked({}), asked({ monitored: true })];
    const needed = new Set<string>();
    void systemdUnitKind.observe(
      {
        ask: (_host, probe) => {
          needed.add(probe.key);
          return new Promise(() => undefined);
        },
      },
      inputs,
    );
    expect([...needed].filter((key) => !withIt.has(key))).toEqual([]);
    expect([...needed].filter((key) => without.has(key))).toEqual([]);
    expect(withIt.size - without.size).toBe(needed.size);
    return Promise.resolve();
  });
});

describe("alerts and dashboard", () => {
  const read = (name: string): string => readFileSync(join(__dirname, "..", "..", "monitoring", name), "utf8");
  const named = (text: string): string[] => [...new Set(text.match(/\brepmgr_[a-z_]+/g))].sort();

  test.each(["prometheus-rules.yml", "prometheus-rules.test.yml", "grafana-dashboard.json"])(
    "%s names only metrics that a check writes",
    (name) => {
      const found = named(read(name));
      expect(found.length).toBeGreaterThan(2);
      expect(found.filter((metric) => !(metric in METRICS))).toEqual([]);
    },
  );

  test("the dashboard's panels do not lie on each other, and each has a query", () => {
    const { panels } = JSON.parse(read("grafana-dashboard.json")) as {
      panels: { title: string; gridPos: { x: number; y: number; w: number; h: number }; targets: { expr: string }[] }[];
    };
    const taken = new Map<string, string>();
    for (const { title, gridPos, targets } of panels) {
      expect(targets.map(({ expr }) => expr.includes('cluster=~"$cluster"'))).toEqual(targets.map(() => true));
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, x < 24, taken.get(`${x},${y}`)]).toEqual([title, true, undefined]);
          taken.set(`${x},${y}`, title);
        }
      }
    }
    expect(panels.length).toBeGreaterThan(9);
  });
});
