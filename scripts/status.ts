import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { ClusterSpec } from "../config/types";
import { type ClusterSession, runCommand, withClusterSession } from "./clusterSession";
import { Looker } from "./clusterLook";
import { type ClusterStatus, readStatus } from "./clusterStatus";
import { STACK_OPTIONS, stackChoice } from "./ownStack";
import { renderStatus } from "./statusTable";

const USAGE = `usage: npm run status [-- [CLUSTER] [--once] [--json] [--stack NAME] [--config-file FILE]]
Shows the nodes of one cluster, or of all, as they are now; at a terminal again every two seconds until Ctrl-C.
  --once              once, also at a terminal
  --json              once, as JSON (add --silent after "npm run", so that npm prints nothing)
  --stack NAME        instead of the selected one, as for pulumi preview
  --config-file FILE  instead of Pulumi.<stack>.yaml, as for pulumi preview
Exit status: 0 every node is as it should be, 2 one is not or cannot be asked, 1 the command failed.`;

const EVERY_MS = 2_000;
/** To the upper left corner, then erase what is below (ECMA-48, CUP and ED). */
const CLEAR = "\u001b[H\u001b[J";

async function main(args: readonly string[]): Promise<number> {
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...STACK_OPTIONS, once: flag, json: flag },
    allowPositionals: true,
  });
  const isLive = process.stdout.isTTY && !values.once && !values.json;
  return withClusterSession(stackChoice(values), async (session) => {
    const clusters =
      positionals.length === 0 ? session.inventory.clusters : positionals.map((name) => session.cluster(name));
    if (isLive) return watch(session, clusters);
    const seen = await readAll(session, new Looker(session), clusters);
    console.log(values.json ? JSON.stringify(seen, null, 2) : renderStatus(seen));
    return exitStatus(seen);
  });
}

async function watch(session: ClusterSession, clusters: readonly ClusterSpec[]): Promise<number> {
  const looker = new Looker(session);
  let seen: readonly ClusterStatus[] = [];
  while (!session.stop.aborted) {
    seen = await readAll(session, looker, clusters);
    process.stdout.write(`${CLEAR}${renderStatus(seen)}\n`);
    await sleep(EVERY_MS, undefined, { signal: session.stop }).catch(() => undefined);
  }
  return exitStatus(seen);
}

function readAll(session: ClusterSession, looker: Looker, clusters: readonly ClusterSpec[]): Promise<ClusterStatus[]> {
  return Promise.all(clusters.map((cluster) => readStatus(session, looker, cluster)));
}

function exitStatus(seen: readonly ClusterStatus[]): number {
  return seen.every(({ problems }) => problems.length === 0) ? 0 : 2;
}

runCommand("status", USAGE, main);
