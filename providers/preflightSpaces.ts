import { spacesProbe } from "../facts/tablespaces";
import type { Ctx } from "./kind";
import type { PreflightInputs } from "./preflight";
import { spaceQuestion } from "./spaceDirectories";
import { cannotMove } from "./tablespaceContent";

/**
 * Tablespaces whose directory is another one in the inventory than in the state, and which are there: refused before a directory
 * is made. Asks the hosts only then.
 */
export async function spaceMoves(ctx: Ctx, inputs: PreflightInputs, before: PreflightInputs): Promise<string[]> {
  const moved = Object.entries(inputs.tablespaces ?? {}).flatMap(([name, { directory }]) => {
    const was = before.tablespaces?.[name]?.directory;
    return was === undefined || was === directory ? [] : [{ name, was, directory }];
  });
  if (moved.length === 0) return [];
  const probe = spacesProbe(
    spaceQuestion(
      before,
      moved.map(({ was }) => was),
    ),
  );
  const hosts = inputs.nodes.filter(({ isWitness }) => !isWitness).map(({ host }) => host);
  // Whoever cannot be asked is named by the look at the hosts.
  const seen = (await Promise.all(hosts.map((host) => ctx.ask(host, probe).catch(() => [])))).flat();
  return moved
    .filter(({ was }) => seen.some(({ directory, isLinked }) => directory === was && isLinked))
    .map(({ name, was, directory }) => `cluster ${inputs.cluster}: ${cannotMove(name, was, directory)}`);
}
