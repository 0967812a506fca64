import { parseArgs } from "node:util";
import { isLive, livePrimaries } from "../providers/cluster";
import { planPause } from "../providers/pause";
import { answered, clusterInputs, Looker } from "./clusterLook";
import { type ClusterSession, runCommand, withClusterSession } from "./clusterSession";
import { CommandError, STACK_OPTIONS, stackChoice } from "./ownStack";

const USAGE = `usage: npm run pause -- CLUSTER [--stack NAME] [--config-file FILE]
       npm run unpause -- CLUSTER [--stack NAME] [--config-file FILE]
Tells the repmgrd of every node to do nothing on a failure, or to act again. The next "pulumi up" unpauses, too.
Exit status: 0 every node is as told, 2 a node could not be told, 1 the command failed.`;

async function main([shall, ...args]: readonly string[]): Promise<number> {
  if (shall !== "pause" && shall !== "unpause") throw new CommandError(`"pause" or "unpause", not "${shall ?? ""}"`);
  const { values, positionals } = parseArgs({ args, options: STACK_OPTIONS, allowPositionals: true });
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) throw new CommandError(`name one cluster\n${USAGE}`);
  return withClusterSession(stackChoice(values), (session) => tell(session, name, shall));
}

async function tell(session: ClusterSession, name: string, shall: "pause" | "unpause"): Promise<number> {
  const spec = session.cluster(name);
  const inputs = clusterInputs(session, spec);
  const looker = new Looker(session);
  const actions = planPause(inputs, answered(inputs, await looker.look(spec)), shall);
  for (const { host, why } of actions) console.log(`${host}: ${why}`);
  await session.world.apply(`${shall} ${name}`, inputs.reach, actions);
  const looks = await looker.look(spec);
  const view = answered(inputs, looks);
  const told = view.filter((m) => isLive(m) && (m.facts.repmgr?.paused === true) === (shall === "pause"));
  const untold = inputs.members.filter(({ node }) => !told.some(({ member }) => member.node === node));
  console.log(
    `cluster ${name}: repmgrd is ${shall}d on ${told.map(({ member }) => member.node).join(", ") || "no node"}`,
  );
  for (const { node, host } of untold) {
    console.log(
      `${host}: ${node} does not answer SQL and was not told; type "npm run ${shall} -- ${name}" when it does`,
    );
  }
  // repmgr documentation, "Pausing the repmgrd service": what failed meanwhile is not made up for.
  if (shall === "unpause" && livePrimaries(view).length === 0)
    console.log(
      'no node takes writes, and repmgrd does not make up for a failover it has missed; type "pulumi preview"',
    );
  return untold.length === 0 ? 0 : 2;
}

runCommand(process.argv[2] ?? "pause", USAGE, main);
