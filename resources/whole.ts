import * as pulumi from "./sdk";

const LOOK_EVERY_MS = 1_000;

/**
 * Keeps the program alive until all it declares is registered. When Node finds nothing to wait for, the SDK tells the
 * engine that the program has ended well (cmd/run/index.js, beforeExit), and the engine takes what was not registered yet
 * for something that is no longer wanted. Seen once, on a machine with far too much to do: an up that ended with success
 * after the packages, because the connection to the engine alone did not count as something to wait for.
 * @param registered resolves when the last resource is; when it never will, the SDK says so in one of the ways watched here
 */
export function stayUntil(registered: pulumi.Output<unknown>): void {
  const release = (): void => clearInterval(alive);
  const alive = setInterval(() => {
    if (!pulumi.hasMonitor()) release();
  }, LOOK_EVERY_MS);
  process.once("unhandledRejection", release);
  process.once("uncaughtExceptionMonitor", release);
  registered.apply(release);
}
