import type { Finished } from "../../../scripts/childProcess";
import { HOSTS, must, type World } from "./world";
import { POSTGRES_HOME } from "./layout";
import { awaitHealthy, awaitPrimary, roles, rowArrives } from "./oracle";
import { CANARIES } from "./secrets";

/** Asserts that a run failed and that its reader is told these things, without a stack trace and without a secret. */
export function tells({ code, output }: Finished, ...fragments: readonly RegExp[]): void {
  expect(code).not.toBe(0);
  for (const fragment of fragments) expect(output).toMatch(fragment);
  expect(output).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect(CANARIES.filter((canary) => output.includes(canary))).toEqual([]);
}

/** What has to be true once a fault is gone: a plain up, one primary, a row that arrives everywhere, nothing left to do. */
export async function converges(
  world: World,
  hosts: readonly string[] = HOSTS,
  may: { readonly move?: boolean } = {},
): Promise<void> {
  must(await world.up(["--skip-preview"]));
  await awaitHealthy(world.lab, hosts);
  const [first = ""] = hosts;
  // A rolling restart hands over; nothing else here may move the primary.
  const primary = may.move === true ? await awaitPrimary(world.lab, hosts) : first;
  const standbys = hosts.filter((host) => host !== primary);
  expect(await roles(world.lab, hosts)).toEqual({
    [primary]: "primary",
    ...Object.fromEntries(standbys.map((host) => [host, "standby"])),
  });
  await rowArrives(world.lab, primary, standbys, { database: "app" });
  must(await world.preview(["--expect-no-changes"]));
}

/** Files that a cut may leave on a host, and must not: beside what is written, and in /run. */
export const LEFTOVERS = `find /etc ${POSTGRES_HOME} /run -xdev \\( -name '*.repmgr-pulumi' -o -name '*.repmgr-pulumi-old' -o -path '/run/repmgr-*.*' -o -path '/run/repmgr-clone*' \\) 2>/dev/null`;

export function setting(world: World, name: string, value: string | number): void {
  world.edit((inventory) => {
    const { settings } = inventory.postgresql_clusters.main as { settings: Record<string, unknown> };
    settings[name] = value;
  });
}
