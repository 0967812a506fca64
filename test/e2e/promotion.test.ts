import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, runChild } from "../../scripts/childProcess";
import { projectRoot } from "../../scripts/projectRoot";
import { LocalStack } from "../../scripts/stack";
import { seconds } from "./support/deadlines";
import { type InventoryFile, OUTSIDER, yaml } from "./support/inventory";
import { DATA } from "./support/layout";
import { sh, sql, systemIdentifier } from "./support/oracle";
import { CANARIES, SECRETS } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

type Tree = Record<string, unknown>;

/** A host for a third environment, which no other suite has. */
const LAST = "pg5";
const LAB_OF_ALL = 5;
const SLOW = "show log_min_duration_statement";

suite(
  "dev, staging and prod are three stacks over one common inventory",
  async () => {
    const world = await World.deployed();
    await world.lab.up(LAB_OF_ALL);
    return world;
  },
  ({ test }) => {
    let staging: LocalStack;
    let prod: LocalStack;
    const requirements: Tree = { promoted: true };

    /** Types the command as a person with both stacks would. */
    const promoteBetween = (from: LocalStack, to: LocalStack, ...more: string[]): Promise<Finished> =>
      runChild({
        what: "npm run promote",
        command: "npm",
        args: [
          ...["run", "--silent", "promote", "--", from.name, to.name, ...more],
          ...["--from-config-file", from.configFile, "--config-file", to.configFile],
        ],
        cwd: projectRoot(),
        env: { ...process.env, ...from.environment },
        deadlineMs: seconds(120),
      });
    const promote = ({ stack }: World, ...more: string[]): Promise<Finished> => promoteBetween(stack, staging, ...more);

    const open = ({ cli, state }: World, name: string): Promise<LocalStack> => {
      const inventory = join(state, `${name}.yml`);
      return LocalStack.open({ cli, project: projectRoot(), state, name, inventory, secrets: SECRETS });
    };

    /** The cluster as the suites know it, in two files. */
    const writeDev = (world: World, slow: string): void => {
      const { defaults, hosts, postgresql_clusters } = structuredClone(world.inventory);
      const { nodes, clients, settings, ...shared } = postgresql_clusters.main as Tree;
      const common = { ...shared, settings: { ...(settings as Tree), log_min_duration_statement: slow } };
      put(world, "common.yml", { postgresql_clusters: { main: common } });
      put(world, "inventory.yml", {
        extends: "common.yml",
        defaults,
        hosts,
        postgresql_clusters: { main: { nodes, clients } },
      });
    };

    /** An environment of one host. */
    const writeSmall = (world: World, name: string, host: string, require: Tree): void =>
      put(world, `${name}.yml`, {
        extends: "common.yml",
        require,
        defaults: world.inventory.defaults,
        hosts: { [host]: { address: world.lab.host(host).address } },
        postgresql_clusters: { main: { failover: "manual", nodes: { n1: { id: 1, host, role: "primary" } } } },
      });
    const writeStaging = (world: World): void => writeSmall(world, "staging", OUTSIDER, requirements);

    const put = ({ state }: World, name: string, inventory: Tree): void =>
      writeFileSync(join(state, name), yaml(inventory as unknown as InventoryFile));

    const commit = async ({ state }: World): Promise<string> => {
      const git = (...args: string[]): Promise<Finished> =>
        runChild({ what: "git", command: "git", args: ["-C", state, ...args], deadlineMs: seconds(30) }).then(must);
      await git("init", "-q");
      await git("add", "common.yml");
      await git("-c", "user.name=dev", "-c", "user.email=dev@example.org", "commit", "-q", "-m", "common");
      return (await git("rev-parse", "HEAD")).stdout.trim();
    };

    const recorded = (of = staging): boolean => readFileSync(of.configFile, "utf8").includes("promoted");
    const outputs = async (of = staging): Promise<Tree> => (await of.outputs()) as Tree;
    /** What each environment runs with, as its own server says. */
    const running = ({ lab }: World): Promise<string[]> =>
      Promise.all(["pg1", OUTSIDER, LAST].map((host) => sql(lab, host, SLOW)));

    test("the deployed cluster as dev: two files instead of one change nothing", async (world) => {
      writeDev(world, "1s");
      must(await world.preview(["--expect-no-changes"]));
      writeStaging(world);
      staging = await open(world, "staging");
      writeSmall(world, "prod", LAST, { promoted: true });
      prod = await open(world, "prod");
    });

    test("staging, which requires it, is not deployed before anything was promoted to it", async () => {
      const { code, output } = await staging.up();
      expect(code).not.toBe(0);
      expect(output).toMatch(/staging\.yml:\d+: require\.promoted: \S+common\.yml was never promoted to this stack/);
    });

    test("nothing is promoted that is not committed", async (world) => {
      const done = await promote(world, "--yes");
      expect(done).toMatchObject({ code: 2, output: expect.stringMatching(/git does not know the files/) });
      await commit(world);
      writeDev(world, "3s");
      const changed = await promote(world, "--yes");
      expect(changed).toMatchObject({ code: 2, output: expect.stringMatching(/common\.yml\nCommit it first/) });
      writeDev(world, "1s");
      expect(recorded()).toBe(false);
    });

    test("nor from a dev with drift, nor from one that cannot be looked at", async (world) => {
      await sh(
        world.lab,
        "pg3",
        `sed -i "s/^log_min_duration_statement = .*/log_min_duration_statement = '7s'/" ${DATA}/postgresql.conf`,
      );
      const drift = await promote(world, "--yes");
      expect(drift).toMatchObject({
        code: 2,
        output: expect.stringMatching(/settings\.log_min_duration_statement +7s +1s +drift/),
      });
      must(await world.up(["--skip-preview"]));
      await world.stack.must(["config", "set", "inventory", join(world.state, "nowhere.yml")]);
      const broken = await promote(world, "--yes");
      expect(broken).toMatchObject({ code: 2, output: expect.stringMatching(/share no inventory/) });
      await world.stack.must(["config", "set", "inventory", join(world.state, "inventory.yml")]);
      expect(recorded()).toBe(false);
    });

    test("nor into a staging that would lack what it requires", async (world) => {
      requirements.tls = true;
      writeStaging(world);
      const done = await promote(world, "--yes");
      expect(done).toMatchObject({
        code: 2,
        output: expect.stringMatching(/TLS is not on, and 'require' asks for tls/),
      });
      delete requirements.tls;
      writeStaging(world);
      expect(recorded()).toBe(false);
    });

    test("shown and not confirmed, nothing is recorded; confirmed, it is, and no host is changed", async (world) => {
      const logged = world.stack.actions().length;
      const shown = await promote(world);
      expect(shown).toMatchObject({ code: 2, output: expect.stringMatching(/nothing was recorded; to do it/) });
      expect(shown.output).toMatch(/postgresql_clusters\.main\.failover +\(not there\) +manual/);
      expect(shown.output).toMatch(/postgresql_clusters\.main\.nodes\.node 2\.host +host 2 +\(not there\)/);
      const addresses = [...HOSTS, OUTSIDER].map((host) => world.lab.host(host).address);
      expect(addresses.filter((address) => shown.output.includes(address))).toEqual([]);
      expect(CANARIES.filter((canary) => shown.output.includes(canary))).toEqual([]);
      expect(recorded()).toBe(false);
      must(await promote(world, "--yes"));
      expect(recorded()).toBe(true);
      expect(world.stack.actions()).toHaveLength(logged);
      expect(await promote(world, "--yes")).toMatchObject({ code: 0, output: expect.stringMatching(/nothing to do/) });
    });

    test("up of staging deploys it on a host of its own, and its outputs say what was promoted", async (world) => {
      must(await staging.up(undefined, ["--skip-preview"]));
      expect(await sql(world.lab, OUTSIDER, SLOW)).toBe("1s");
      expect((await outputs()).promoted).toEqual({
        from: "e2e",
        revision: expect.stringMatching(/^[0-9a-f]{40}$/),
        hash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        at: expect.stringMatching(/^20/),
        deployed: "as promoted",
      });
      must(await staging.preview(undefined, ["--expect-no-changes"]));
      expect(await world.stack.outputs()).not.toHaveProperty("promoted");
    });

    test("prod is deployed from staging on a third host; none of the three changes another", async (world) => {
      must(await promoteBetween(staging, prod, "--yes"));
      must(await prod.up(undefined, ["--skip-preview"]));
      expect((await outputs(prod)).promoted).toMatchObject({ from: "staging", deployed: "as promoted" });
      const identifiers = await Promise.all(["pg1", OUTSIDER, LAST].map((host) => systemIdentifier(world.lab, host)));
      expect(new Set(identifiers).size).toBe(3);
      const stacks = [world.stack, staging, prod];
      const reviews = await Promise.all(stacks.map((stack) => stack.preview(undefined, ["--expect-no-changes"])));
      reviews.forEach(must);
    });

    test("when the common inventory moves on, staging refuses it, or says so where it does not require it", async (world) => {
      writeDev(world, "2s");
      const refused = await staging.preview();
      expect(refused.code).not.toBe(0);
      expect(refused.output).toMatch(/require\.promoted: \S+common\.yml is not as it was promoted from e2e at /);
      requirements.promoted = false;
      writeStaging(world);
      const said = must(await staging.preview());
      expect(said.output).toMatch(/warning: \S+common\.yml is not as it was promoted from e2e at /);
      expect(said.output).toMatch(/log_min_duration_statement: "1s" => "2s"/);
      requirements.promoted = true;
      writeStaging(world);
    });

    test("it gets there by way of dev: refused while dev is not deployed with it, promoted once it is", async (world) => {
      const revision = await commit(world);
      const early = await promote(world, "--yes");
      expect(early).toMatchObject({ code: 2, output: expect.stringMatching(/Type "pulumi up --stack e2e" first/) });
      must(await world.up(["--skip-preview"]));
      const done = must(await promote(world, "--yes"));
      expect(done.output).toMatch(new RegExp(`what changes: git diff [0-9a-f]{40} ${revision} -- `));
      const tooFar = await promoteBetween(staging, prod, "--yes");
      expect(tooFar).toMatchObject({
        code: 2,
        output: expect.stringMatching(/Type "pulumi up --stack staging" first/),
      });
      must(await staging.up(undefined, ["--skip-preview"]));
      expect(await running(world)).toEqual(["2s", "2s", "1s"]);
      expect((await outputs()).promoted).toMatchObject({ revision, deployed: "as promoted" });
    });

    test("and from there to prod, which stays as it was until it is promoted and deployed", async (world) => {
      const early = await prod.up(undefined, ["--skip-preview"]);
      expect(early.code).not.toBe(0);
      expect(early.output).toMatch(/require\.promoted: \S+common\.yml is not as it was promoted from staging at /);
      must(await promoteBetween(staging, prod, "--yes"));
      expect(await running(world)).toEqual(["2s", "2s", "1s"]);
      must(await prod.up(undefined, ["--skip-preview"]));
      expect(await running(world)).toEqual(["2s", "2s", "2s"]);
      must(await prod.preview(undefined, ["--expect-no-changes"]));
    });
  },
);
