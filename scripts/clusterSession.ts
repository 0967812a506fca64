import { Stopped } from "../actions/stop";
import { formatProblems, loadInventory } from "../config/loadInventory";
import type { ClusterSpec, Inventory, NodeSpec } from "../config/types";
import { type Ctx, Refused } from "../providers/kind";
import { openSession, type Session } from "../providers/session";
import { reachOf } from "../resources/inputs";
import { endChildren } from "./childProcess";
import { CommandError, type StackChoice } from "./ownStack";
import { stackSettings } from "./stackSettings";

/** Hosts and inventory of a stack, for a command that acts beside Pulumi with the same facts, plans and executor. */
export interface ClusterSession {
  readonly inventory: Inventory;
  readonly world: Session;
  /** Aborted at Ctrl-C; then nothing new is begun. */
  readonly stop: AbortSignal;
  /** @throws CommandError naming the clusters there are */
  readonly cluster: (name: string) => ClusterSpec;
  /** @throws CommandError when the stack does not have it */
  readonly secret: (name: string) => string;
  /** Asks the hosts of a cluster anew at every question. */
  readonly hostsOf: (cluster: ClusterSpec) => Ctx;
}

/** Runs a command of the command line: its exit status, or 2 and the reasons when it is refused, or 1 and the error. */
export function runCommand(name: string, usage: string, main: (args: readonly string[]) => Promise<number>): void {
  const args = process.argv.slice(2);
  if (args.includes("--help")) {
    console.log(usage);
    return;
  }
  main(args).then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      const said = error instanceof Error ? error.message : String(error);
      const isUsage = error instanceof TypeError && "code" in error;
      console.error(`${name}: ${said}${isUsage ? `\n${usage}` : ""}`);
      process.exitCode = error instanceof Refused ? 2 : 1;
    },
  );
}

/** @throws CommandError naming the nodes there are */
export function nodeNamed({ name: cluster, nodes }: ClusterSpec, node: string): NodeSpec {
  const found = nodes.find(({ name }) => name === node);
  if (found !== undefined) return found;
  throw new CommandError(
    `cluster ${cluster} has no node ${node}; its nodes are ${nodes.map(({ name }) => name).join(", ")}`,
  );
}

/**
 * Opens the user's own stack: inventory and secrets are those that `pulumi up` would use; its state is neither read nor
 * locked. Closed whatever `work` does; Ctrl-C stops between two actions, and what a bracket owes is still done.
 * @throws Error with what pulumi or the inventory's check said
 */
export async function withClusterSession<T>(
  choice: StackChoice,
  work: (session: ClusterSession) => Promise<T>,
): Promise<T> {
  const settings = await stackSettings(choice, "shown");
  const secret = (name: string): string | undefined => settings.get(name);
  const path = settings.get("inventory");
  if (path === undefined)
    throw new CommandError('the stack names no inventory: type "pulumi config set inventory FILE"');
  const { inventory, problems } = loadInventory(path, settings);
  if (inventory === undefined) {
    throw new CommandError(
      `the inventory has problems; nothing was looked at or changed:\n${formatProblems(problems)}`,
    );
  }
  const stop = interruption();
  const world = openSession({ inventory: path, secret, stop });
  try {
    return await work(sessionOf(inventory, world, secret, stop));
  } finally {
    await world.close();
  }
}

function sessionOf(
  inventory: Inventory,
  world: Session,
  secret: (name: string) => string | undefined,
  stop: AbortSignal,
): ClusterSession {
  return {
    inventory,
    world,
    stop,
    cluster(name) {
      const found = inventory.clusters.find((cluster) => cluster.name === name);
      if (found !== undefined) return found;
      const known = inventory.clusters.map((cluster) => cluster.name).join(", ");
      throw new CommandError(`the inventory has no cluster ${name}; its clusters are ${known}`);
    },
    secret(name) {
      const value = secret(name);
      if (value === undefined) throw new CommandError(`no secret ${name}: type "pulumi config set --secret ${name}"`);
      return value;
    },
    hostsOf: ({ nodes }) => world.fresh(reachOf(inventory, [...new Set(nodes.map(({ host }) => host))])),
  };
}

/** Ctrl-C and its like, once: the second one ends the process at once. */
function interruption(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      endChildren(signal);
      stopping.abort(new Stopped(`it was told to end (${signal})`));
    });
  }
  return stopping.signal;
}
