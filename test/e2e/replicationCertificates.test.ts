import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority, makeLoginCertificate } from "../../actions/certificates";
import { certificatesOf } from "../../config/certificate";
import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { run as npmRun } from "./support/command";
import { seconds } from "./support/deadlines";
import { BY_LOGINS } from "./support/driftByLogins";
import { driftGroup } from "./support/driftGroup";
import { describeInFull } from "./support/fullOnly";
import type { InventoryFile } from "./support/inventory";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWrites, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const PEM = "/etc/repmgr/main/repmgr.pem";
const CA = "/etc/repmgr/main/ca.crt";
type How = "none" | "presented" | "required";

function setTls(world: World, how: How): void {
  const tls = {
    ca_file: "main-ca.crt",
    nodes: "verify-full",
    ...(how === "none" ? {} : { replication_certificates: how }),
  };
  world.edit(({ postgresql_clusters: { main } }) => Object.assign(main ?? {}, { tls }));
}

/** What the primary says of who streams from it: "n2 /CN=repmgr/OU=main n2, ...". */
async function streams({ lab }: World): Promise<string> {
  const query = `select string_agg(application_name || ' ' || coalesce(client_dn, 'none'), ', ' order by application_name)
    from pg_stat_replication join pg_stat_ssl using (pid)`;
  return sql(lab, await awaitPrimary(lab, HOSTS), query);
}

/** How many sessions of the role repmgr a node has from elsewhere, and how many of them show no certificate. */
const sessions = ({ lab }: World, host: string): Promise<string> =>
  sql(
    lab,
    host,
    "select count(*) > 0, count(*) filter (where client_dn is null) from pg_stat_activity join pg_stat_ssl using (pid) where usename = 'repmgr' and client_addr is not null",
  );

/** Lines of the servers' logs that turn somebody away, by host. */
async function refusals({ lab }: World): Promise<string[]> {
  const words = "authentication failed|no pg_hba.conf entry|requires a valid client certificate|could not accept SSL";
  return Promise.all(
    HOSTS.map((host) => sh(lab, host, `cat /var/log/postgresql/main/*.log | grep -Ec '${words}' || true`)),
  );
}

/** What a client on pg2 is told that logs in to pg1 as repmgr. */
async function knock({ lab }: World, more = ""): Promise<string> {
  const conninfo = `host=${lab.host("pg1").address} port=5432 user=repmgr dbname=repmgr sslmode=verify-full sslrootcert=${CA}${more}`;
  const { stdout } = await lab.exec("pg2", `psql -XAtqw -d '${conninfo}' -c 'select 1' 2>&1`, { user: "postgres" });
  return stdout.trim();
}
const shows = (file: string): string => ` sslcert=${file} sslkey=${file}`;

const COSTS = "it takes four minutes; topology deploys with them, fails over and repairs";

describeInFull("replicationCertificates", COSTS)("replication", () => {
  suite(
    "certificates for replication",
    () => World.fresh(),
    ({ test }) => {
      let writer: Writer;
      let before: string[];
      let turnedAway: string[];
      afterAll(() => writer.stop());

      const authority = async ({ state, stack }: World) => ({
        authorities: certificatesOf(readFileSync(join(state, "main-ca.crt"), "utf8")),
        authorityKey: await stack.secret("main_ca_key"),
      });
      const dn = (node: string): string => `${node} /CN=repmgr/OU=main ${node}`;

      /** An `up` that changes how the nodes log in, while the application writes. */
      async function change(world: World, how: How): Promise<void> {
        setTls(world, how);
        const begun = Date.now();
        must(await world.up(["--skip-preview"]));
        await awaitHealthy(world.lab, HOSTS);
        await awaitWrites(writer);
        expect(writer.longestGapMs(begun)).toBeLessThan(2_000);
        expect(await postmasters(world.lab, HOSTS)).toEqual(before);
        expect(await refusals(world)).toEqual(turnedAway);
        must(await world.preview(["--expect-no-changes"]));
      }

      /** @returns what is said of a change that is not made */
      async function refused(world: World, how: How): Promise<string> {
        const logged = world.stack.actions().length;
        setTls(world, how);
        const { code, output } = await world.preview();
        expect(code).not.toBe(0);
        expect(world.stack.actions()).toHaveLength(logged);
        return output;
      }

      test("a cluster is deployed with them: clones, registrations, streams", async (world) => {
        setTls(world, "required");
        expect((await npmRun(world, "ca", "main")).code).toBe(0);
        must(await world.firstUp());
        await awaitHealthy(world.lab, HOSTS);
        expect(await streams(world)).toBe(`${dn("n2")}, ${dn("n3")}`);
        expect(await sessions(world, "pg1")).toBe("t|0");
        await rowArrives(world.lab, "pg1", ["pg2", "pg3"], { database: "app" });
        for (const host of HOSTS)
          expect(await sh(world.lab, host, `stat -c '%U:%G %a' ${PEM}`)).toBe("postgres:postgres 600");
        must(await world.preview(["--expect-no-changes"]));
      });

      test("the password alone lets nobody in, nor does another certificate than one for the role", async (world) => {
        const { certificate, key } = await makeAuthority("strange");
        const ours = await authority(world);
        const strange = { authorities: certificatesOf(certificate), authorityKey: key };
        const about = { name: "repmgr", unit: "main n2", days: 2 };
        const files = {
          app: await makeLoginCertificate({ ...ours, ...about, name: "app" }),
          strange: await makeLoginCertificate({ ...strange, ...about }),
        };
        for (const [name, text] of Object.entries(files))
          await world.lab.exec("pg2", `umask 077; cat >/tmp/${name}.pem`, { stdin: text, user: "postgres" });
        const password = " passfile=/etc/repmgr/main/pgpass";
        expect(await knock(world, shows(PEM))).toBe("1");
        expect(await knock(world, password)).toMatch(/connection requires a valid client certificate/);
        expect(await knock(world, password + shows("/tmp/app.pem"))).toMatch(
          /certificate authentication failed for user "repmgr"/,
        );
        expect(await knock(world, password + shows("/tmp/strange.pem"))).toMatch(/unknown ca/);
        expect(await knock(world, password + shows("/etc/repmgr/main/server.pem"))).toMatch(/unsupported certificate/);
      });

      test("the primary dies where no node has the password: another is promoted", async (world) => {
        const { lab } = world;
        for (const host of HOSTS) await sh(lab, host, "rm /etc/repmgr/main/pgpass");
        await sh(lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
        const primary = await awaitPrimary(lab, ["pg2", "pg3"]);
        const [other = ""] = HOSTS.filter((host) => host !== primary && host !== "pg1");
        await until(`${other} streams from ${primary} by certificate`, seconds(60), async () => {
          const seen = await streams(world);
          return seen === dn(other.replace("pg", "n")) || seen;
        });
        await rowArrives(lab, primary, [other], { database: "app" });
      });

      test("up rejoins the old one by its certificate; the next preview is clean", async (world) => {
        must(await world.up(["--skip-preview"]));
        await awaitHealthy(world.lab, HOSTS);
        expect((await streams(world)).split(", ")).toContain(dn("n1"));
        must(await world.preview(["--expect-no-changes"]));
      });

      test("a planned switchover moves the primary back", async (world) => {
        const preferred = (inventory: InventoryFile): unknown =>
          Object.assign(inventory.postgresql_clusters.main ?? {}, { preferred_primary: "n1" });
        world.edit(preferred);
        must(await world.up(["--skip-preview"]));
        await awaitHealthy(world.lab, HOSTS);
        expect(await roles(world.lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
        expect(await streams(world)).toBe(`${dn("n2")}, ${dn("n3")}`);
      });

      driftGroup(test, `drift, ${BY_LOGINS.length} things at once`, BY_LOGINS, HOSTS);

      test("one that ends soon is shown; up makes another, and nobody streams anew", async (world) => {
        const { lab } = world;
        const ours = await authority(world);
        // A certificate of two days is a third of its life old in sixteen hours; so its clock is set back by 40.
        const real = Date.now;
        Date.now = () => real() - 40 * 3_600_000;
        const about = { name: "repmgr", unit: "main n2", days: 2 };
        const old = await makeLoginCertificate({ ...ours, ...about }).finally(() => (Date.now = real));
        await lab.exec("pg2", `cat >${PEM}`, { stdin: old });
        const receiver = await sql(lab, "pg2", "select pid from pg_stat_wal_receiver");
        const { stdout } = must(await world.preview(["--json"]));
        expect(changesOf(stdout).map(({ resource, property, found }) => [resource, property, found])).toEqual([
          [
            "PgInstance pg2/5432",
            "loginCertificate",
            expect.stringMatching(/^is valid until \S+, and less than a third of its life is left$/),
          ],
        ]);
        expect(consequencesOf(stdout).join("\n")).toMatch(
          /nobody notices: .*pg2: the certificate with which n2 logs in to the others is valid until \S+, .*: make one for the role repmgr/,
        );
        must(await world.up(["--skip-preview"]));
        expect(await sql(lab, "pg2", "select pid from pg_stat_wal_receiver")).toBe(receiver);
        expect(await knock(world, shows(PEM))).toBe("1");
        must(await world.preview(["--expect-no-changes"]));
      });

      test("they do not go in one step; presented between, nobody is turned away while the application writes", async (world) => {
        writer = new Writer(
          (await world.connection()).replace("main-ca.crt", encodeURIComponent(join(world.state, "main-ca.crt"))),
          world.passFile(),
        );
        writer.start();
        await awaitWrites(writer);
        before = await postmasters(world.lab, HOSTS);
        turnedAway = await refusals(world);
        expect(await refused(world, "none")).toMatch(
          /its nodes let each other in by certificate alone.*Set "replication_certificates: presented" under 'tls', run "pulumi up"/,
        );
        await change(world, "presented");
        expect(await streams(world)).toBe(`${dn("n2")}, ${dn("n3")}`);
        await change(world, "none");
        expect(await streams(world)).toBe("n2 none, n3 none");
        for (const host of HOSTS) {
          expect(await sh(world.lab, host, "ls /etc/repmgr/main")).not.toContain("repmgr.pem");
          expect(await sh(world.lab, host, "grep -l repmgr.pem /etc/repmgr/main/* || true")).toBe("");
        }
      });

      test("nor do they come in one step; presented first, nobody is turned away either", async (world) => {
        expect(await refused(world, "required")).toMatch(
          /its nodes shall let each other in by certificate, and n1 on pg1 has none yet\. First run "pulumi up" with "replication_certificates: presented"/,
        );
        await change(world, "presented");
        expect(await knock(world, " passfile=/etc/repmgr/main/pgpass")).toBe("1");
        await change(world, "required");
        expect(await streams(world)).toBe(`${dn("n2")}, ${dn("n3")}`);
        expect(await sessions(world, "pg1")).toBe("t|0");
        expect(await knock(world, " passfile=/etc/repmgr/main/pgpass")).toMatch(/requires a valid client certificate/);
        await rowArrives(world.lab, "pg1", ["pg2", "pg3"], { database: "app" });
      });
    },
  );
});
