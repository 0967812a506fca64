import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "../../scripts/childProcess";
import { projectRoot } from "../../scripts/projectRoot";
import { sh } from "./support/oracle";
import { suite } from "./support/suite";
import { seconds } from "./support/deadlines";
import { must, World } from "./support/world";

const PLUGIN = join(projectRoot(), "..", "shared", "plugins", "pulumi-resource-command-v1.2.1-linux-amd64.tar.gz");
const hasPlugin = existsSync(PLUGIN) && process.arch === "x64";
if (!hasPlugin) {
  // On stderr, which scripts/test.ts shows; jest's stdout is only kept.
  process.stderr.write(
    `hooks are skipped: the plugin of @pulumi/command can be had from no package registry, and ${PLUGIN} is not there\n`,
  );
}

/** As a person installs it who has the file. */
async function installPlugin({ cli }: World): Promise<void> {
  const done = await runChild({
    what: "pulumi plugin install",
    command: cli.bin,
    args: ["plugin", "install", "resource", "command", "1.2.1", "--file", PLUGIN],
    env: { ...process.env, ...cli.env },
    deadlineMs: seconds(60),
  });
  must(done);
}

(hasPlugin ? describe : describe.skip)("the plugin of @pulumi/command", () => {
  suite(
    "hooks",
    () => World.deployed(),
    ({ test }) => {
      const marks = (world: World): string => join(world.lab.dir, "e2e", "hooks");
      const lines = (world: World): number =>
        readFileSync(join(marks(world), "control"), "utf8").split("\n").length - 1;

      test("after_deploy runs on the control machine and on a node", async (world) => {
        await installPlugin(world);
        rmSync(marks(world), { recursive: true, force: true });
        mkdirSync(marks(world), { recursive: true });
        world.edit((inventory) => {
          (inventory.postgresql_clusters.main as Record<string, unknown>).hooks = {
            after_deploy: [
              { run: `echo deployed >>${join(marks(world), "control")}` },
              { run: "hostname >>/tmp/after-deploy; id -un >>/tmp/after-deploy", on: "n3" },
            ],
          };
        });
        must(await world.up(["--skip-preview"]));
        expect(lines(world)).toBe(1);
        expect(await sh(world.lab, "pg3", "cat /tmp/after-deploy")).toBe("pg3\nadmin");
      });

      test("not again when nothing changed", async (world) => {
        must(await world.up(["--expect-no-changes"]));
        expect(lines(world)).toBe(1);
      });

      test("again when the cluster's configuration changed", async (world) => {
        world.edit((inventory) => {
          (inventory.postgresql_clusters.main as { settings: Record<string, string> }).settings.work_mem = "7MB";
        });
        must(await world.up(["--skip-preview"]));
        expect(lines(world)).toBe(2);
        expect(await sh(world.lab, "pg3", "wc -l </tmp/after-deploy")).toBe("4");
      });

      test("a private key is in the state only as a secret", async (world) => {
        const key = readFileSync(world.lab.keyFile, "utf8").split("\n")[2] ?? "no key";
        expect(await world.stack.exported()).not.toContain(key);
        expect(readFileSync(world.pulumiLog, "utf8")).not.toContain(key);
      });

      test("a hook that fails fails the up, and is tried again by the next", async (world) => {
        const hooks = (inventory: World["inventory"], run: string): void => {
          (inventory.postgresql_clusters.main as Record<string, unknown>).hooks = { after_deploy: [{ run }] };
        };
        world.edit((inventory) => hooks(inventory, "echo no such thing >&2; exit 3"));
        const failed = await world.up(["--skip-preview"]);
        expect(failed.code).not.toBe(0);
        expect(failed.output).toMatch(/no such thing[^]*exit status 3|exit status 3[^]*no such thing/);
        world.edit((inventory) => hooks(inventory, `echo repaired >>${join(marks(world), "control")}`));
        must(await world.up(["--skip-preview"]));
        expect(lines(world)).toBe(3);
      });
    },
  );
});
