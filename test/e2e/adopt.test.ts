import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../lab/wait";
import { isFull } from "./support/fullOnly";
import { seconds } from "./support/deadlines";
import { adopt, freeInventory, handMade, processes } from "./support/handMade";
import { awaitPrimary, rowArrives, sh, sql, type SqlOptions } from "./support/oracle";
import { CANARIES } from "./support/secrets";
import { type Suite, suite } from "./support/suite";
import { HOSTS, must } from "./support/world";

const SETTLED_MS = 2_000;
const FAST = "/srv/fast";

/** What holds for a taken over cluster, whoever has built it. */
function takesOver({ test }: Suite, files: readonly string[], at: SqlOptions = {}): void {
  let begun: string[] = [];
  const state = async (lab: Parameters<typeof processes>[0]): Promise<string[]> => [
    ...(await processes(lab, "postgres")),
    ...(await processes(lab, "repmgrd")),
    ...(await Promise.all(
      HOSTS.map((host) =>
        sh(lab, host, `stat -c '%n %Y %U %a' ${files.join(" ")}; ls /etc/systemd/system /etc/sudoers.d`),
      ),
    )),
  ];

  const seen = (lab: Parameters<typeof processes>[0]): Promise<string[]> =>
    state(lab).catch((error: unknown) => [String(error)]);

  test("adopt names what is missing, and writes nothing", async (world) => {
    // Debian's repmgrd forks itself into the background, and may be about to when it is seen.
    await until("one PostgreSQL and one repmgrd run on each host", seconds(30), async () => {
      const first = await seen(world.lab);
      await pause(SETTLED_MS);
      begun = await seen(world.lab);
      return (begun.length > 1 && begun.join() === first.join()) || `${first.join("; ")}\nthen ${begun.join("; ")}`;
    });
    const output = join(world.state, "two.yml");
    const refused = await adopt(world, output, HOSTS.slice(0, 2));
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(/node3 \(node 3, [^)]*\) is registered and none of these hosts/);
    expect(() => readFileSync(output)).toThrow("ENOENT");
  });

  test("adopt writes the inventory, without a secret, and says what to type", async (world) => {
    const output = freeInventory(world);
    const done = await adopt(world, output);
    expect(done.output).toContain("pulumi config set --secret main_repmgr_password");
    expect(done.code).toBe(0);
    for (const canary of CANARIES) expect(readFileSync(output, "utf8") + done.output).not.toContain(canary);
    const again = await adopt(world, output);
    expect(again.output).toContain("is there already and is not touched");
    expect(await state(world.lab)).toEqual(begun);
  });

  test("the first up changes nothing at all, and neither does anything after it", async (world) => {
    expect(must(await world.preview()).output).toMatch(/cluster main: nothing to do; /);
    must(await world.up());
    expect(world.stack.actions()).toEqual([]);
    must(await world.preview(["--expect-no-changes"]));
    expect(await state(world.lab)).toEqual(begun);
    await rowArrives(world.lab, "pg1", ["pg2", "pg3"], { ...at, database: "shop" });
  });
}

suite(
  "a cluster that a DBA has built on Debian",
  () => handMade("debian"),
  (debian) => {
    debian.test("they have made a tablespace, with a database in it", async ({ lab }) => {
      for (const host of HOSTS) await sh(lab, host, `install -d -o postgres -g postgres -m 0700 ${FAST}`);
      await sql(lab, "pg1", `create tablespace fast location '${FAST}' with (random_page_cost = 1.1)`);
      await sql(lab, "pg1", "create database quick tablespace fast");
    });
    takesOver(debian, ["/etc/postgresql/17/main/postgresql.conf", "/etc/repmgr.conf", "/var/lib/postgresql/.pgpass"]);
    const { test } = debian;

    test("the inventory names the tablespace, and the database in it", (world) => {
      const text = readFileSync(join(world.state, "inventory.yml"), "utf8");
      expect(text).toMatch(
        /^ {4}tablespaces:\n {6}fast:\n {8}directory: \/srv\/fast\n {8}options:\n {10}random_page_cost: 1\.1$/m,
      );
      expect(text).toMatch(/^ {6}quick:\n {8}tablespace: fast$/m);
      return Promise.resolve();
    });

    test("what is changed in the inventory is changed in the files as they are", async (world) => {
      const { lab } = world;
      const before = await processes(lab, "postgres");
      const inventory = join(world.state, "inventory.yml");
      const text = readFileSync(inventory, "utf8");
      await sh(
        lab,
        "pg2",
        "runuser -u postgres -- sed -i 's/^log_min_duration_statement = 2s/log_min_duration_statement = 9s/' /etc/postgresql/17/main/postgresql.conf",
      );
      const preview = must(await world.preview());
      expect(preview.output).toMatch(/log_min_duration_statement\s*: "9s" => "2s"/);
      world.write(text.replace("log_min_duration_statement: 2s", "log_min_duration_statement: 3s"));
      must(await world.up());
      for (const host of HOSTS) {
        expect(await sql(lab, host, "show log_min_duration_statement")).toBe("3s");
        const conf = await sh(lab, host, "cat /etc/postgresql/17/main/postgresql.conf");
        expect(conf).toContain("# Added by hand\n");
        expect(conf).toMatch(/^wal_keep_size = 512MB {3}# MB$/m);
        expect(await sql(lab, host, "show work_mem")).toBe("6MB");
      }
      expect(await processes(lab, "postgres")).toEqual(before);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("it still fails over, and the old primary comes back as a standby", async (world) => {
      const { lab } = world;
      await sh(lab, "pg1", "systemctl kill -s KILL postgresql@17-main; systemctl stop postgresql@17-main");
      const primary = await awaitPrimary(lab, ["pg2", "pg3"]);
      must(await world.up());
      await until("node1 streams", seconds(60), async () => {
        const seen = await sql(lab, "pg1", "select status from pg_stat_wal_receiver").catch((e: unknown) => String(e));
        return seen === "streaming" || seen;
      });
      await rowArrives(
        lab,
        primary,
        HOSTS.filter((host) => host !== primary),
        { database: "shop" },
      );
      expect(await sh(lab, "pg1", "systemctl is-active postgresql@17-main")).toBe("active");
      const whys = world.stack.actions().map(({ why }) => why);
      expect(whys.filter((why) => /rewound to where they parted$/.test(why))).toHaveLength(1);
      expect(whys.filter((why) => why.includes("keep its data"))).toEqual([]);
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);

// The budget of a plain run holds one cluster; the other differs in places, port, units, slots and what is set elsewhere.
if (isFull) {
  suite(
    "a cluster that a plain playbook has built",
    () => handMade("playbook"),
    (playbook) => {
      takesOver(
        playbook,
        ["/srv/postgres/shop/postgresql.conf", "/etc/repmgr/17/repmgr.conf", "/srv/postgres/pgpass"],
        {
          port: 5433,
          socket: "/tmp",
        },
      );
    },
  );
}
