import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must as mustRun, run } from "../../lab/run";
import { leftovers } from "./support/leftovers";
import { awaitHealthy, awaitPrimary, postmasters, roles, rowArrives, sh, sql } from "./support/oracle";
import { type Change, changesOf } from "./support/previewSteps";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

const DATA = "/var/lib/pgsql/17/main/data";
const PACKAGES = ["postgresql17-server", "postgresql17-contrib", "repmgr_17"];
const INSTALLED = `rpm -q --qf '%{NAME}\\n' ${PACKAGES.join(" ")} | grep -xF -e ${PACKAGES.join(" -e ")} || true`;
const REPOSITORY = "/etc/yum.repos.d/repmgr-pulumi-lab.repo";

/** What is done by hand on pg2, and what the review shows of PgPackages. */
const BY_HAND: readonly { how: string; shows: string; found: RegExp }[] = [
  {
    how: "dnf -y -q module enable postgresql:16",
    shows: "module",
    found: /^postgresql 16 is enabled$/,
  },
  {
    how: `sed -i 's/^gpgcheck=1/gpgcheck=0/' ${REPOSITORY}`,
    shows: "repository.uri",
    found: /has other lines, too/,
  },
  // Its files stay: without repmgr's library no look at the database would be possible.
  { how: "rpm -e --justdb --nodeps repmgr_17", shows: "packages", found: /^postgresql17-server,postgresql17-contrib$/ },
];

/** A public key that nothing in the lab is signed with. */
async function strangersKey(): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), "stranger-"));
  const gpg = ["gpg", "--homedir", home, "--batch", "--quiet"];
  try {
    await mustRun([
      ...gpg,
      "--passphrase",
      "",
      "--quick-generate-key",
      "stranger@localhost",
      "rsa2048",
      "sign",
      "never",
    ]);
    return await mustRun([...gpg, "--armor", "--export"]);
  } finally {
    await run(["gpgconf", "--homedir", home, "--kill", "all"]);
    rmSync(home, { recursive: true, force: true });
  }
}

suite(
  "the RedHat family",
  () => World.fresh(undefined, "redhat"),
  ({ test }) => {
    test("packages that the given key has not signed are not installed", async (world) => {
      const { repository } = world.inventory.defaults;
      const right = repository.key_file;
      const wrong = join(world.state, "stranger.asc");
      writeFileSync(wrong, await strangersKey());
      world.edit(() => (repository.key_file = wrong));
      const { code, output } = await world.up();
      expect(code).not.toBe(0);
      expect(output).toMatch(/GPG check FAILED|not correct for this package|is not trusted/i);
      for (const host of HOSTS) expect(await sh(world.lab, host, INSTALLED)).toBe("");
      world.edit(() => (repository.key_file = right));
    });

    test("up makes three hosts one cluster, in the layout of the PostgreSQL project's packages", async (world) => {
      const { lab } = world;
      must(await world.up());
      await awaitHealthy(lab, HOSTS);
      expect(await roles(lab, HOSTS)).toEqual({ pg1: "primary", pg2: "standby", pg3: "standby" });
      await rowArrives(lab, "pg1", ["pg2", "pg3"], { database: "app" });
      for (const host of HOSTS) {
        expect(await sql(lab, host, "show data_directory")).toBe(DATA);
        await sh(lab, host, `pgrep -x -u postgres -f '/usr/pgsql-17/bin/postgres -D ${DATA}'`);
        await sh(lab, host, "pgrep -u postgres -f '^/usr/pgsql-17/bin/repmgrd -f /etc/repmgr/main/repmgr.conf '");
        expect(await sh(lab, host, "grep ^gpgcheck /etc/yum.repos.d/*.repo | grep -v '=1$' || true")).toBe("");
        expect(await sh(lab, host, "grep ^state= /etc/dnf/modules.d/postgresql.module")).toBe("state=disabled");
      }
    });

    test("the packages' own units and files are as they came, and none of these units runs or will", async ({
      lab,
    }) => {
      for (const host of HOSTS) {
        expect(await sh(lab, host, `rpm -V ${PACKAGES.join(" ")}`)).toBe("");
        for (const unit of ["postgresql-17", "repmgr-17"]) {
          const asked = await lab.exec(host, `systemctl is-enabled ${unit}; systemctl is-active ${unit}`);
          expect([host, unit, asked.stdout]).toEqual([host, unit, "disabled\ninactive\n"]);
        }
      }
    });

    test("a second up and a preview have nothing to do", async (world) => {
      const before = world.stack.actions().length;
      must(await world.up());
      expect(world.stack.actions().slice(before)).toEqual([]);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("what is done by hand to packages and repository is shown, and up repairs exactly that", async (world) => {
      const { lab, stack } = world;
      const started = await postmasters(lab, HOSTS);
      for (const { how } of BY_HAND) await sh(lab, "pg2", how);
      const { stdout } = must(await world.preview(["--json"]));
      const changes = changesOf(stdout);
      const shown = (property: string): Change | undefined => changes.find((change) => change.property === property);
      expect(changes.map(({ resource, property }) => `${resource} ${property}`).sort()).toEqual(
        BY_HAND.map(({ shows }) => `PgPackages pg2/postgresql-17 ${shows}`).sort(),
      );
      for (const { shows, found } of BY_HAND) expect(String(shown(shows)?.found)).toMatch(found);
      const logged = stack.actions().length;
      must(await world.up(["--skip-preview"]));
      const acted = new Set(
        stack
          .actions()
          .slice(logged)
          .map(({ host, resource }) => `${host} ${resource}`),
      );
      expect([...acted]).toEqual(["pg2 PgPackages pg2/postgresql-17"]);
      await sh(lab, "pg2", `rpm -V ${PACKAGES.join(" ")} && grep -qx gpgcheck=1 ${REPOSITORY}`);
      expect(await postmasters(lab, HOSTS)).toEqual(started);
      must(await world.preview(["--expect-no-changes"]));
    });

    test("a failover, and up brings the old primary back", async (world) => {
      const { lab } = world;
      await sh(lab, "pg1", `kill -9 $(head -n 1 ${DATA}/postmaster.pid)`);
      const heir = await awaitPrimary(lab, ["pg2", "pg3"]);
      must(await world.up());
      await awaitHealthy(lab, HOSTS);
      const standbys = HOSTS.filter((host) => host !== heir);
      expect(await roles(lab, HOSTS)).toMatchObject({ [heir]: "primary", pg1: "standby" });
      await rowArrives(lab, heir, standbys, { database: "app" });
      must(await world.preview(["--expect-no-changes"]));
    });

    test("destroy leaves nothing of ours but the data, and the packages", async (world) => {
      const { lab } = world;
      must(await world.destroy());
      for (const host of HOSTS) {
        expect(await sh(lab, host, leftovers("main", 5432))).toBe("");
        expect(await sh(lab, host, `ls ${REPOSITORY} /etc/pki/rpm-gpg/*repmgr* 2>/dev/null || true`)).toBe("");
        expect(await sh(lab, host, `cat ${DATA}/PG_VERSION`)).toBe("17");
        expect((await sh(lab, host, INSTALLED)).split("\n")).toEqual(PACKAGES);
      }
    });
  },
);
