import { randomBytes } from "node:crypto";
import { loadavg } from "node:os";
import { join } from "node:path";
import { besidesMain, CLUSTERS } from "./clusters";
import { writeInventory } from "./hosts";
import { LIMITS, RUNS } from "./limits";
import { describe, judge, summarize } from "./measure";
import { dir, onLab, openStacks, say } from "./onLab";
import { timePreview, timeUp } from "./stacks";

/** Five clusters of two versions on three hosts: what their review takes, beside that of a program without resources. */
onLab("npm run bench:many", async (lab) => {
  const [main_repmgr_password, app_password] = [0, 1].map(() => randomBytes(18).toString("base64url")) as [
    string,
    string,
  ];
  const stacks = await openStacks({ main_repmgr_password, app_password });
  writeInventory(lab, join(dir, "inventory.yml"), besidesMain());
  const [ours, empty] = [await stacks.fresh(), await stacks.empty()];
  say(
    `first pulumi up of ${Object.keys(CLUSTERS).length} clusters: ${((await timeUp(ours, false)) / 1000).toFixed(1)} s`,
  );
  const times = { ours: [] as number[], empty: [] as number[] };
  // One look before the clock starts, so that both find warm files; then in turns, so that what else the machine does falls on both.
  for (const stack of [empty, ours]) await timePreview(stack);
  for (let run = 1; run <= RUNS.preview; run++) {
    times.empty.push(await timePreview(empty));
    times.ours.push(await timePreview(ours));
  }
  const [five, least] = [summarize(times.ours), summarize(times.empty)];
  const { line, holds } = judge("preview of five clusters / empty program", five.median / least.median, LIMITS.many);
  console.log(`
load ${loadavg()[0]?.toFixed(1)}; medians                                           least .. most
${describe("preview of an empty program", least)}
${describe("preview of five clusters, nothing changed", five)}

${line}`);
  return holds;
});
