import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority, makeCertificate } from "../../actions/certificates";
import { certificatesOf, namesOf } from "../../config/certificate";
import { run } from "../../lab/run";
import { until } from "../../lab/wait";
import { Writer } from "../../lab/writer";
import { Application, type Login, LOGINS } from "./support/application";
import { run as npmRun } from "./support/command";
import { BY_TLS } from "./support/driftByTls";
import { driftGroup } from "./support/driftGroup";
import { seconds } from "./support/deadlines";
import { DATA } from "./support/layout";
import { awaitHealthy, awaitPrimary, awaitWrites, postmasters, rowArrives, sh, sql } from "./support/oracle";
import { changesOf, consequencesOf } from "./support/previewSteps";
import { ProcessSampler } from "./support/processSampler";
import { ROTATED, SECRETS } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const PEM = "/etc/repmgr/main/server.pem";

interface Outputs {
  readonly clusters: {
    readonly main: { readonly tls?: { readonly ca: string; readonly expires: Record<string, string> } };
  };
}

function setTls(world: World, tls: object | undefined): void {
  world.edit(({ postgresql_clusters: { main } }) => Object.assign(main ?? {}, { tls }));
}

const caFile = ({ state }: World): string => join(state, "main-ca.crt");
const receivers = ({ lab }: World): Promise<string> =>
  sql(lab, "pg1", "select string_agg(pid::text, ',' order by pid) from pg_stat_replication");

/** The application's own string, with the authority where this client keeps it. */
async function connection(world: World, file = caFile(world)): Promise<string> {
  const found = await world.connection();
  expect(found).toMatch(/&sslmode=verify-full&sslrootcert=main-ca\.crt$/);
  return found.replace("main-ca.crt", encodeURIComponent(file));
}

/** What a client of libpq is told. */
async function ask(world: World, url: string, query: string): Promise<string> {
  const env = { ...process.env, PGPASSFILE: world.passFile() };
  const { stdout, stderr } = await run(["psql", "-XAtc", query, `${url}&connect_timeout=5`], { env });
  return stdout.trim() || stderr.trim();
}

/** A piece of a private key that is found wherever it leaks, unlike what all keys of its kind begin with. */
function pieceOf(pem: string): string {
  return /-----BEGIN PRIVATE KEY-----\n.*\n(.*)\n/.exec(pem)?.[1] ?? "no key";
}

/** Rows that were acknowledged to an application and are not there, as a list. */
function missing({ lab }: World, host: string, logins: readonly Login[]): Promise<string> {
  const rows = logins.flatMap(({ row }) => row ?? []);
  expect(rows.length).toBeGreaterThan(10);
  const query = `select string_agg(id::text, ',') from unnest('{${rows.join()}}'::bigint[]) id where id not in (select id from login)`;
  return sql(lab, host, query, { database: "app" });
}

suite(
  "TLS",
  () => World.deployed(),
  ({ test }) => {
    let writer: Writer;
    let before: string[];
    const applications: Application[] = [];
    afterAll(() => [writer, ...applications].forEach((client) => client.stop()));

    function startApplication(url: string, password: string): Application {
      const started = new Application(url, password);
      applications.push(started);
      return started;
    }

    test("an inventory that asks for it is refused, with the command that makes the authority", async (world) => {
      setTls(world, { ca_file: "main-ca.crt" });
      const { code, output } = await world.preview();
      expect(code).not.toBe(0);
      expect(output).toMatch(
        /inventory\.yml:\d+: postgresql_clusters\.main\.tls\.ca_file: cannot read .*'npm run ca' makes one/,
      );
      expect(output).toMatch(/lacks the secret 'main_ca_key'; set it with: npm run ca -- main/);
      const made = await npmRun(world, "ca", "main");
      expect(made.output).not.toContain("PRIVATE KEY");
      expect(made.code).toBe(0);
      expect((await npmRun(world, "ca", "main")).code).toBe(1);
      // As a cut between the secret and the file leaves it.
      renameSync(caFile(world), `${caFile(world)}.away`);
      expect((await npmRun(world, "ca", "main")).output).toContain("pulumi config rm main_ca_key");
      renameSync(`${caFile(world)}.away`, caFile(world));
    });

    test("it is turned on while the application writes, by a reload: nobody restarts, nobody streams anew", async (world) => {
      const { stack, lab } = world;
      writer = new Writer(await world.connection(), world.passFile());
      writer.start();
      await awaitWrites(writer);
      before = await postmasters(world.lab, HOSTS);
      const streams = await receivers(world);
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout)[0]).toMatch(
        /^cluster main: pg1, pg2, pg3: load the configuration without a restart: ssl/,
      );
      const sampler = new ProcessSampler();
      sampler.start();
      const begun = Date.now();
      must(await world.up(["--skip-preview"]));
      sampler.stop();
      await awaitWrites(writer);
      expect(writer.longestGapMs(begun)).toBeLessThan(2_000);
      expect(await postmasters(world.lab, HOSTS)).toEqual(before);
      expect(await receivers(world)).toBe(streams);
      await awaitHealthy(lab, HOSTS);
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
      expect([...sampler.commandLines].join("\n")).not.toContain(pieceOf(await stack.secret("main_ca_key")));
    });

    test("the outputs hold the authority and until when each certificate counts; so does the drift report", async (world) => {
      const { tls } = ((await world.stack.outputs()) as Outputs).clusters.main;
      expect(tls?.ca).toBe(readFileSync(caFile(world), "utf8"));
      const days = Object.values(tls?.expires ?? {}).map((at) =>
        Math.round((Date.parse(at) - Date.now()) / 86_400_000),
      );
      expect(days).toEqual([365, 365, 365]);
      expect((await npmRun(world, "drift")).stdout).toMatch(
        /TLS: the first certificate to expire is that of n\d, on 20\d\d-/,
      );
    });

    test("a client that checks everything gets in at each node; without TLS nobody does", async (world) => {
      const url = await connection(world);
      const query = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()";
      expect(await ask(world, url, query)).toBe("t|TLSv1.3");
      for (const host of HOSTS) {
        const { address } = world.lab.host(host);
        const alone = url.replace(/@[^/]*\//, `@${address}:5432/`).replace(/target_session_attrs=read-write&?/, "");
        expect([host, await ask(world, alone, query)]).toEqual([host, "t|TLSv1.3"]);
        const [certificate] = certificatesOf(await sh(world.lab, host, `cat ${PEM}`));
        expect(certificate && namesOf(certificate).sort()).toEqual([address, host].sort());
      }
      expect(await ask(world, url.replace("verify-full", "disable"), query)).toMatch(
        /no pg_hba\.conf entry .*no encryption/,
      );
      const strange = join(world.lab.dir, "e2e", "strange.crt");
      writeFileSync(strange, (await makeAuthority("strange")).certificate);
      const other = await connection(world, strange);
      expect(await ask(world, other, query)).toMatch(/certificate verify failed/);
      const application = startApplication(other, SECRETS.app_password);
      expect(await application.failure()).toMatch(/unable to verify|self-signed certificate/);
      application.stop();
    });

    test("no private key is anywhere but in its file", async (world) => {
      const { stack, lab, state } = world;
      const keys = await Promise.all(HOSTS.map((host) => sh(lab, host, `cat ${PEM}`)));
      const pieces = [...keys, `${await stack.secret("main_ca_key")}\n`].map(pieceOf);
      expect(new Set(pieces).size).toBe(4);
      const kept = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const texts = kept.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), "utf8")] as const);
      for (const [name, text] of [...texts, ["export", await stack.exported()] as const]) {
        expect([name, pieces.filter((piece) => text.includes(piece))]).toEqual([name, []]);
        expect([name, text.includes("BEGIN PRIVATE KEY")]).toEqual([name, false]);
      }
      const search = `words=$(cat); grep -rlaF -e "$words" /etc /var/log ${DATA} /run /tmp /home /root 2>/dev/null
journalctl -q --no-pager -o export | grep -caF -e "$words" | sed -n '/^0$/!s/^/lines of the journal: /p'; true`;
      for (const host of HOSTS) {
        const { stdout } = await lab.exec(host, search, { stdin: pieces.join("\n"), deadlineMs: 120_000 });
        expect([host, stdout.trim()]).toEqual([host, PEM]);
        expect(await sh(lab, host, `stat -c '%U:%G %a' ${PEM}`)).toBe("postgres:postgres 600");
      }
    });

    test("a certificate that ends soon is shown; up renews it while an application logs in again and again", async (world) => {
      const { lab, stack } = world;
      const ours = {
        authorities: certificatesOf(readFileSync(caFile(world), "utf8")),
        authorityKey: await stack.secret("main_ca_key"),
      };
      // A certificate of two days is a third of its life old in sixteen hours; so its clock is set back by 40.
      const real = Date.now;
      Date.now = () => real() - 40 * 3_600_000;
      const names = [lab.host("pg1").address, "pg1"];
      const old = await makeCertificate({ ...ours, name: "n1", names, days: 2 }).finally(() => (Date.now = real));
      await lab.exec("pg1", `cat >${PEM}`, { stdin: old });
      const { stdout } = must(await world.preview(["--json"]));
      const endsSoon = /^is valid until \S+, and less than a third of its life is left$/;
      expect(changesOf(stdout).map(({ resource, property, found }) => [resource, property, found])).toEqual([
        ["PgInstance pg1/5432", "certificate", expect.stringMatching(endsSoon)],
      ]);
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /nobody notices: .*pg1: the certificate of n1 is valid until \S+, and less than a third of its life is left: make one for/,
      );
      await sql(lab, "pg1", LOGINS, { database: "app" });
      const application = startApplication(await connection(world), SECRETS.app_password);
      await application.awaitLogins(0);
      const now = await postmasters(world.lab, HOSTS);
      must(await world.up(["--skip-preview"]));
      await application.awaitLogins(Date.now(), 10);
      application.stop();
      expect(application.failures()).toEqual([]);
      expect(await postmasters(world.lab, HOSTS)).toEqual(now);
      must(await world.preview(["--expect-no-changes"]));
      // What the server presents is what was written.
      const client = ["openssl", "s_client", "-starttls", "postgres", "-connect", `${names[0]}:5432`];
      const [presented] = certificatesOf((await run(client, { stdin: "" })).stdout);
      const [written] = certificatesOf(await sh(lab, "pg1", `cat ${PEM}`));
      expect(presented?.fingerprint256).toBe(written?.fingerprint256);
    });

    driftGroup(test, `drift, ${BY_TLS.length} things at once`, BY_TLS, HOSTS);

    test("an application's password is rotated: the old one counts until the new one does, and that from then on", async (world) => {
      const url = await connection(world);
      const former = startApplication(url, SECRETS.app_password);
      const latter = startApplication(url, ROTATED.app_password);
      await former.awaitLogins(0, 10);
      await world.stack.setSecret("app_password", ROTATED.app_password);
      must(await world.up(["--skip-preview"]));
      const over = Date.now();
      const { node } = await latter.awaitLogins(over, 20);
      former.stop();
      latter.stop();
      expect(node).toBe(world.lab.host("pg1").address);
      expect(latter.failures(over)).toEqual([]);
      const refused = former.failures();
      const early = latter.failures();
      expect(Math.min(refused.length, early.length)).toBeGreaterThan(10);
      for (const { error } of [...refused, ...early])
        expect(error).toMatch(/password authentication failed|takes no writes/);
      // Had there been a moment without either, the old one would have been refused before the last refusal of the new one began.
      const gone = Math.min(...refused.map(({ endedAt }) => endedAt));
      expect(gone).toBeGreaterThan(Math.max(...early.map(({ begunAt }) => begunAt)));
    });

    test("nodes that shall check each other before they have what is looked at are refused, with what to do first", async (world) => {
      const begun = world.stack.actions().length;
      setTls(world, { ca_file: "main-ca.crt", nodes: "verify-full" });
      await sh(world.lab, "pg3", `mv ${PEM} ${PEM}.away`);
      const { code, output } = await world.preview();
      expect(code).not.toBe(0);
      expect(output).toMatch(
        /n3 on pg3 has no certificate yet\. First run "pulumi up" with "nodes: unverified" under 'tls'/,
      );
      await sh(world.lab, "pg3", `mv ${PEM}.away ${PEM}`);
      expect(world.stack.actions().slice(begun)).toEqual([]);
    });

    test("then they do: standbys stream anew, and nobody restarts", async (world) => {
      const { lab } = world;
      const { stdout } = must(await world.preview(["--json"]));
      expect(consequencesOf(stdout).join("\n")).toMatch(
        /pg2, pg3: it streams from n1 without looking at its certificate: follow n1/,
      );
      const now = await postmasters(lab, HOSTS);
      const begun = Date.now();
      must(await world.up(["--skip-preview"]));
      await awaitWrites(writer);
      expect(writer.longestGapMs(begun)).toBeLessThan(2_000);
      expect(await postmasters(lab, HOSTS)).toEqual(now);
      await awaitHealthy(lab, HOSTS);
      const rows =
        "select count(*) from repmgr.nodes where conninfo ~ 'sslmode=verify-full sslrootcert=/etc/repmgr/main/ca.crt'";
      expect(await sql(lab, "pg3", rows, { database: "repmgr" })).toBe("3");
      for (const host of ["pg2", "pg3"])
        expect(await sql(lab, host, "show primary_conninfo")).toMatch(/sslmode='?verify-full/);
      must(await world.preview(["--expect-no-changes"]));
      const checks = "grep -l PGSSLMODE=verify-full /etc/repmgr/main/* | wc -l";
      for (const host of HOSTS) expect(await sh(lab, host, checks)).toBe("3");
    });

    test("a node that presents what another authority has signed is nobody to the others, until up puts it right", async (world) => {
      const { lab } = world;
      const { certificate, key } = await makeAuthority("strange");
      const names = [lab.host("pg3").address, "pg3"];
      const strange = { authorities: certificatesOf(certificate), authorityKey: key, name: "n3", names, days: 365 };
      await lab.exec("pg3", `cat >${PEM}`, { stdin: await makeCertificate(strange) });
      await sql(lab, "pg3", "select pg_reload_conf()");
      const knock =
        'psql -XAtqw -d "$(sed -n "s/^conninfo *= *\'\\(.*\\)\'$/\\1/p" /etc/repmgr/main/repmgr.conf | sed "s/host=[^ ]*/host=HOST/")" -c \'select 1\' 2>&1';
      const asked = knock.replace("HOST", lab.host("pg3").address);
      await until(
        "the others see it",
        seconds(30),
        async () =>
          (await lab.exec("pg2", asked, { user: "postgres" })).stdout.includes("certificate verify failed") ||
          "they let it in",
      );
      must(await world.up(["--skip-preview"]));
      expect((await lab.exec("pg2", asked, { user: "postgres" })).stdout.trim()).toBe("1");
      await awaitHealthy(lab, HOSTS);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a standby whose data are gone is cloned from a primary that it checks", async (world) => {
      const { lab } = world;
      await sh(lab, "pg3", `systemctl stop repmgrd-main postgresql-main && rm -rf ${DATA}`);
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      expect(await sql(lab, "pg3", "show primary_conninfo")).toMatch(/sslmode='?verify-full/);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("applications that check everything survive a failover; the old primary comes back, all with TLS", async (world) => {
      const { lab } = world;
      const url = await connection(world);
      writer.stop();
      writer = new Writer(url, world.passFile(ROTATED.app_password));
      writer.start();
      const application = startApplication(url, ROTATED.app_password);
      await application.awaitLogins(0, 10);
      await awaitWrites(writer);
      expect(application.failures()).toEqual([]);
      const cut = Date.now();
      await lab.poweroff("pg1");
      const primary = await awaitPrimary(lab, ["pg2", "pg3"]);
      await awaitWrites(writer);
      const back = await application.awaitLogins(Date.now());
      expect(back.node).toBe(lab.host(primary).address);
      await lab.poweron("pg1");
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      await awaitWrites(writer);
      await application.awaitLogins(Date.now(), 10);
      application.stop();
      expect(application.failures(cut)).not.toEqual([]);
      expect(application.failures(back.endedAt)).toEqual([]);
      const since = application.logins.filter(({ begunAt }) => begunAt >= back.begunAt);
      expect(await missing(world, primary, since)).toBe("");
      const query = "select bool_and(ssl), count(*) from pg_stat_replication join pg_stat_ssl using (pid)";
      expect(await sql(lab, primary, query)).toBe("t|2");
      must(await world.preview(["--expect-no-changes"]));
    });

    test("it is not turned off while the nodes ask for it; without that it goes while the application writes", async (world) => {
      const { lab } = world;
      const now = await postmasters(world.lab, HOSTS);
      const primary = await awaitPrimary(lab, HOSTS);
      for (const host of HOSTS.filter((other) => other !== primary))
        expect(await sql(lab, host, "show primary_conninfo")).toMatch(/sslmode='?verify-full/);
      setTls(world, undefined);
      const { code, output } = await world.preview();
      expect(code).not.toBe(0);
      expect(output).toMatch(/TLS cannot go in the same change\. Set "nodes: unverified" under 'tls'/);
      setTls(world, { ca_file: "main-ca.crt" });
      must(await world.up(["--skip-preview"]));
      await awaitHealthy(lab, HOSTS);
      must(await world.preview(["--expect-no-changes"]));
      writer.stop();
      setTls(world, undefined);
      must(await world.up(["--skip-preview"]));
      writer = new Writer(await world.connection(), world.passFile(ROTATED.app_password));
      writer.start();
      await awaitWrites(writer);
      expect(await postmasters(world.lab, HOSTS)).toEqual(now);
      for (const host of HOSTS) {
        expect(await sh(lab, host, "ls /etc/repmgr/main")).not.toMatch(/server\.pem|ca\.crt/);
        expect(await sql(lab, host, "show ssl")).toBe("off");
      }
      await awaitHealthy(lab, HOSTS);
      must(await world.preview(["--expect-no-changes"]));
    });
  },
);
