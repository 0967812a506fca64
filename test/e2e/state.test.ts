import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { STAMP, STATE_VERSION, withoutStamp } from "../../providers/state";
import type { Properties } from "../../providers/lifecycle";
import { keepState, keptStateFile, readKeptState } from "../support/keptState";
import { awaitHealthy } from "./support/oracle";
import { SECRETS } from "./support/secrets";
import { suite } from "./support/suite";
import { HOSTS, must, World } from "./support/world";

interface Exported {
  deployment: { resources: { urn: string; outputs?: Properties }[] };
}

const isOurs = ({ urn }: { urn: string }): boolean => urn.includes("pulumi-nodejs:dynamic/pg:");

/** Changes the state as another version of this program would have left it. */
async function rewriteState({ stack, state }: World, change: (outputs: Properties) => Properties): Promise<void> {
  const exported = JSON.parse(await stack.exported()) as Exported;
  const ours = exported.deployment.resources.filter(isOurs);
  expect(ours.length).toBeGreaterThanOrEqual(20);
  for (const resource of ours) resource.outputs = change(resource.outputs ?? {});
  const file = join(state, "rewritten.json");
  writeFileSync(file, JSON.stringify(exported));
  await stack.must(["stack", "import", "--file", file]);
}

async function stampsOf({ stack }: World): Promise<unknown[]> {
  const { deployment } = JSON.parse(await stack.exported()) as Exported;
  return deployment.resources
    .filter(isOurs)
    .map(({ outputs }) => ({ stateVersion: outputs?.stateVersion, stateSince: outputs?.stateSince }));
}

/** The names of everything in a value, for a comparison of shapes. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (value === null || typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
}

suite(
  "state",
  () => World.deployed(),
  ({ test }) => {
    test("every resource says the version of its state", async (world) => {
      const stamps = await stampsOf(world);
      expect(new Set(stamps.map((stamp) => JSON.stringify(stamp)))).toEqual(new Set([JSON.stringify(STAMP)]));
    });

    test("the kept state of this version is what this program writes (REPMGR_PULUMI_RECORD=1 keeps it anew)", async ({
      stack,
      inventory,
    }) => {
      const exported = (await stack.must(["stack", "export", "--show-secrets"])).stdout;
      const ssh = { user: "admin", agent: true, known_hosts: "/dev/null" };
      const { key_file: _, ...repository } = inventory.defaults.repository;
      const hosts = Object.fromEntries(
        Object.entries(inventory.hosts).map(([name, { address }]) => [name, { address }]),
      );
      const kept = keepState(
        exported,
        { ...inventory, defaults: { family: "debian", ssh, repository }, hosts },
        SECRETS,
      );
      if (process.env.REPMGR_PULUMI_RECORD === "1") {
        writeFileSync(keptStateFile(STATE_VERSION), `${JSON.stringify(kept, null, 1)}\n`);
      }
      expect(shape(kept.resources)).toEqual(shape(readKeptState(STATE_VERSION).resources));
    });

    test("a state of before there were versions differs in nothing, and up gives it its version", async (world) => {
      await rewriteState(world, withoutStamp);
      must(await world.preview(["--expect-no-changes"]));
      const logged = world.stack.actions().length;
      must(await world.up());
      expect(world.stack.actions()).toHaveLength(logged);
      expect(await stampsOf(world)).toEqual((await stampsOf(world)).map(() => ({ ...STAMP })));
    });

    test("a state of a newer version is refused by preview, up and destroy, with the release to install", async (world) => {
      const newer = { stateVersion: STATE_VERSION + 1, stateSince: "0.9.0" };
      await rewriteState(world, (outputs) => ({ ...outputs, ...newer }));
      const before = await world.stack.exported();
      const logged = world.stack.actions().length;
      for (const command of ["preview", "up", "destroy"] as const) {
        const { code, output } = await world[command]();
        expect([command, code]).not.toEqual([command, 0]);
        expect(output).toMatch(
          new RegExp(
            `the state of \\w+ \\S+ has version ${STATE_VERSION + 1}, and this program, repmgr-pulumi \\d+\\.\\d+\\.\\d+, understands versions up to ${STATE_VERSION}`,
          ),
        );
        expect(output).toMatch(/Use repmgr-pulumi 0\.9\.0 or later: git checkout v0\.9\.0/);
      }
      expect(world.stack.actions()).toHaveLength(logged);
      expect(JSON.parse(await world.stack.exported())).toMatchObject({
        deployment: { resources: resourcesOf(before) },
      });
      await awaitHealthy(world.lab, HOSTS);
    });
  },
);

function resourcesOf(exported: string): unknown {
  return (JSON.parse(exported) as Exported).deployment.resources.map(({ urn, outputs }) => ({ urn, outputs }));
}
