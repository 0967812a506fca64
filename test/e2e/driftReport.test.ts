import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../lab/wait";
import { type Finished, runChild } from "../../scripts/childProcess";
import { renderPage } from "../../scripts/driftPage";
import type { DriftReport } from "../../scripts/driftReport";
import { projectRoot } from "../../scripts/projectRoot";
import { hostileReport } from "../support/driftReport";
import { distinctLines, domOf, ensureBrowser, screenshot } from "./support/browser";
import { seconds } from "./support/deadlines";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, sh, sql } from "./support/oracle";
import { CANARIES } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

/** Types `npm run drift` as a person with this stack would. */
function drift({ stack }: World, more: readonly string[]): Promise<Finished> {
  return runChild({
    what: "npm run drift",
    command: "npm",
    args: ["run", "--silent", "drift", "--", "--stack", "e2e", "--config-file", stack.configFile, ...more],
    cwd: projectRoot(),
    env: { ...process.env, ...stack.environment },
    deadlineMs: seconds(120),
  });
}

/** Where pictures are kept for whoever wants to look at them. */
function pictures(): string {
  const dir = join(process.env.REPMGR_PULUMI_LOGS ?? join(projectRoot(), "logs", "e2e"), "driftReport");
  mkdirSync(dir, { recursive: true });
  return dir;
}

suite(
  "driftReport",
  () => World.deployed(),
  ({ test }) => {
    let heir = "";
    let report: DriftReport;
    let page = "";

    test("a cluster as it was deployed is clean: exit status 0", async (world) => {
      const { code, output } = await drift(world, []);
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(output).toMatch(/^stack e2e, \S+: clean: /);
      expect(output).toMatch(
        /^cluster main: n1 is primary on timeline 1\n {2}n1 primary; n2 standby of n1; n3 standby of n1$/m,
      );
    });

    test("after a failover and some work by hand: exit status 2, and nothing on a host was changed", async (world) => {
      const { lab } = world;
      await sh(lab, "pg1", "systemctl stop postgresql-main");
      heir = await awaitPrimary(lab, ["pg2", "pg3"]);
      await until("repmgrd has written down that it promoted", seconds(30), async () => {
        const event = "select count(*) from repmgr.events where event = 'repmgrd_failover_promote'";
        return (await sql(lab, heir, event, { database: "repmgr" })) !== "0" || "no such event";
      });
      await sh(
        lab,
        heir,
        `sed -i "s/^log_min_duration_statement = .*/log_min_duration_statement = '7s'/" ${DATA}/postgresql.conf`,
      );
      await sh(
        lab,
        heir,
        "firewall-cmd -q --add-rich-rule='rule family=ipv4 source address=203.0.113.0/24 port port=5432 protocol=tcp accept'",
      );
      const logged = world.stack.actions().length;
      page = join(world.state, "drift.html");
      const { code, stdout, output } = await drift(world, ["--json", "--html", page]);
      expect({ code, output }).toMatchObject({ code: 2 });
      report = JSON.parse(stdout) as DriftReport;
      expect(world.stack.actions()).toHaveLength(logged);
    });

    test("the report names exactly what was done, on the resource it was done to", () => {
      expect(report).toMatchObject({ stack: "e2e", result: "drift", errors: [] });
      const [main] = report.clusters.filter(({ cluster }) => cluster === "main");
      const found = new Map(main?.resources.map(({ kind, id, differences }) => [`${kind} ${id}`, differences]));
      expect(found.get(`PgInstance ${heir}/5432`)).toContainEqual({
        ...{ property: "settings.log_min_duration_statement", found: "7s", wanted: "1s", cause: "drift" },
      });
      expect(found.get(`FirewallRule ${heir}/main/postgresql`)).toContainEqual({
        ...{ property: "runtimeOnly", found: ["203.0.113.0/24"], wanted: [], cause: "drift" },
      });
      expect(found.get("RepmgrNode pg1/main")).toContainEqual(
        expect.objectContaining({
          property: "state",
          found: expect.stringMatching(/^down: was primary on timeline 1/),
        }),
      );
      const causes = main?.resources.flatMap(({ differences }) => differences.map(({ cause }) => cause));
      expect(new Set(causes)).toEqual(new Set(["drift"]));
      return Promise.resolve();
    });

    test("it tells who is primary now, that this has moved, and the history of primaries", () => {
      const main = report.clusters.find(({ cluster }) => cluster === "main");
      const name = heir.replace("pg", "n");
      expect(main?.state).toMatchObject({ primary: name, timeline: 2 });
      expect(main?.notes).toEqual([`the primary has moved: n1 when it was last deployed, ${name} now, on timeline 2`]);
      const events = main?.state?.history.map(({ event, node }) => `${event} ${node}`);
      expect(events?.[0]).toBe("primary_register n1");
      expect(events).toContain(`repmgrd_failover_promote ${name}`);
      return Promise.resolve();
    });

    test("no secret is in the report or on the page", () => {
      const text = JSON.stringify(report) + readFileSync(page, "utf8");
      expect(CANARIES.filter((canary) => text.includes(canary))).toEqual([]);
      return Promise.resolve();
    });

    test("the page shows it in a browser, in light and dark", async () => {
      await ensureBrowser();
      const dom = await domOf(page);
      expect(dom).toMatch(/<svg [^]*<title>n1, on pg1, DOWN, timeline 1<\/title>/);
      expect(dom).toMatch(/repmgrd promoted it in a failover/);
      expect(dom).toMatch(/settings\.log_min_duration_statement/);
      for (const look of ["light", "dark"] as const) {
        const picture = join(pictures(), `drift-${look}.png`);
        await screenshot(page, picture, look);
        expect(distinctLines(picture)).toBeGreaterThan(200);
      }
    });

    test("names and values that would act in a page are only shown there", async (world) => {
      const hostile = join(world.state, "hostile.html");
      writeFileSync(hostile, renderPage(hostileReport()));
      const dom = await domOf(hostile);
      expect(dom).not.toMatch(/<script|<img/i);
      expect(dom).toMatch(/<title>drift: "'&gt;&lt;\/text&gt;/);
    });

    test("after up it is clean again", async (world) => {
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(world.lab, HOSTS);
      const { code, stdout } = await drift(world, ["--json"]);
      expect({ code, stdout }).toMatchObject({ code: 0 });
      expect(JSON.parse(stdout)).toMatchObject({ result: "clean", differences: 0 });
    });

    test("a secret that was changed is planned, and is not shown", async (world) => {
      const { stack } = world;
      await stack.setSecret("app_password", "Zilpzalp");
      const { code, output } = await drift(world, []);
      expect({ code, output }).toMatchObject({ code: 2 });
      expect(output).toMatch(/^ {4}rolePasswords +a secret, not shown +another secret, not shown +planned: /m);
      expect(output).not.toMatch(/Zilpzalp|Kanarienvogel/);
      expect(output).not.toMatch(/ drift: the host/);
    });

    test("a host that is off is an error: exit status 1, and the page says so", async (world) => {
      await world.lab.poweroff("pg3");
      const { code, output } = await drift(world, ["--html", page]);
      expect({ code, output }).toMatchObject({ code: 1 });
      expect(output).toMatch(/^error: pg3 \(admin@/m);
      expect(readFileSync(page, "utf8")).toMatch(/class="verdict error"[^]*pg3 \(admin@/);
    });

    test("so is a stack that there is not, and an option that there is not", async (world) => {
      const missing = await drift(world, ["--stack", "nobodys"]);
      expect(missing).toMatchObject({ code: 1, output: expect.stringMatching(/no stack named 'nobodys' found/) });
      const wrong = await drift(world, ["--jsn"]);
      expect(wrong).toMatchObject({ code: 1, output: expect.stringMatching(/--jsn[^]*usage: npm run drift/) });
    });
  },
);
