import type { InstanceFacts } from "../facts/instance";
import { type ClusterInputs, type ClusterView, instanceOf } from "./cluster";
import type { Ctx } from "./kind";
import type { PreflightInputs, PreflightNode } from "./preflight";
import { removalProblems } from "./removal";

const AGAIN =
  `take the cluster out of the inventory (with allow_data_loss: false, deployed before) and run "pulumi up": it stops and keeps its data. ` +
  `Then put it back with the new value and run "pulumi up", which takes the data up again`;

/** A change of the inventory that would leave data behind, with the nodes whose data they are. */
interface Move {
  readonly nodes: readonly Pick<PreflightNode, "node">[];
  readonly problem: string;
}

/**
 * Why a cluster must not go from one inventory to the next: what is data now would be left behind and begun anew
 * elsewhere, or a node leaves that the others need. Asks the hosts only when something of that kind changes.
 * @param isUpgrade the data are of an older version and can be taken to the wanted one, or have been
 */
export async function changeProblems(
  ctx: Ctx,
  inputs: PreflightInputs,
  before: PreflightInputs,
  isUpgrade = false,
): Promise<string[]> {
  const moves = [...placeMoves(inputs, before, isUpgrade), ...nodeMoves(inputs, before)];
  const leaving = before.nodes.filter(({ node }) => !inputs.nodes.some((n) => n.node === node));
  if (moves.length + leaving.length === 0) return [];
  // The engine refuses it, too, but only once the other nodes have been told that this one is gone.
  if (before.protect && leaving.length > 0) {
    const names = leaving.map(({ node }) => node).join(" and ");
    return [
      `cluster ${inputs.cluster}: ${names} cannot be removed, the cluster is protected. Set "protect: false" with ${names} in the inventory, run "pulumi up", then remove it.`,
    ];
  }
  if (isUpgrade && before.version !== inputs.version && leaving.length > 0) {
    return [
      `cluster ${inputs.cluster}: a node cannot leave in the same change as the version goes from ${before.version} to ${inputs.version}. Do the one, then the other.`,
    ];
  }
  const found = await Promise.all(before.nodes.map((node) => look(ctx, before, node)));
  const mute = found.flatMap(({ failure }) => (failure === undefined ? [] : [`cluster ${inputs.cluster}: ${failure}`]));
  if (mute.length > 0) return mute;
  const hasData = ({ node }: Pick<PreflightNode, "node">): boolean =>
    found.some((f) => f.node.node === node && f.facts?.data === "present");
  const moved = moves
    .filter(({ nodes }) => nodes.some(hasData))
    .map(({ problem }) => `cluster ${inputs.cluster}: ${problem}.`);
  if (moved.length > 0) return moved;
  return needed(inputs, before, leaving, found);
}

interface Found {
  readonly node: PreflightNode;
  readonly facts?: InstanceFacts;
  readonly failure?: string;
}

function look(ctx: Ctx, before: PreflightInputs, node: PreflightNode): Promise<Found> {
  return ctx.ask(node.host, instanceOf(clusterOf(before))).then(
    (facts) => ({ node, facts }),
    (error: unknown) => ({ node, failure: error instanceof Error ? error.message : String(error) }),
  );
}

function clusterOf(inputs: PreflightInputs): ClusterInputs {
  const members = inputs.nodes.map(({ node, id, host, address, isWitness }) => {
    return { node, id, host, address, witness: isWitness, conninfo: "" };
  });
  return { ...inputs, members };
}

function needed(
  inputs: PreflightInputs,
  before: PreflightInputs,
  leaving: readonly PreflightNode[],
  found: readonly Found[],
): string[] {
  const { members } = clusterOf(before);
  const view: ClusterView = members.flatMap((member) => {
    const facts = found.find(({ node }) => node.node === member.node)?.facts;
    return facts === undefined ? [] : [{ member, facts }];
  });
  const joining = inputs.nodes.filter(({ node }) => !before.nodes.some((n) => n.node === node));
  return removalProblems(
    inputs,
    view,
    leaving.map(({ node }) => node),
    joining.length,
  );
}

/** What is one for the whole cluster. */
function placeMoves(inputs: PreflightInputs, before: PreflightInputs, isUpgrade: boolean): Move[] {
  const move = (what: string, from: unknown, to: unknown, way: string): Move[] =>
    from === to
      ? []
      : [
          {
            nodes: before.nodes,
            problem: `${what} cannot change from ${String(from)} to ${String(to)}, its data would be left behind. ${way}`,
          },
        ];
  const { dataDirectory: d, version } = before;
  const mv = `between the two runs move the data on every host: sudo mv ${d} ${inputs.dataDirectory}`;
  if (version !== inputs.version && !isUpgrade) {
    return move("version", version, inputs.version, versionWay(inputs, before));
  }
  return [
    ...move("port", before.port, inputs.port, `To change it: ${AGAIN}`),
    ...(isUpgrade ? [] : move("data_directory", d, inputs.dataDirectory, `To change it: ${AGAIN}; ${mv}`)),
  ];
}

function versionWay(inputs: PreflightInputs, before: PreflightInputs): string {
  if (inputs.version < before.version) {
    return `There is no way back to an older major version, but into a new cluster with a name and a port of its own: move the data with pg_dump or logical replication`;
  }
  if (inputs.layout !== undefined || before.layout !== undefined) {
    return `A cluster that others have built is upgraded with their means (pg_upgrade, then new clones); then write its new version and layout here`;
  }
  if (inputs.dataDirectory === before.dataDirectory) {
    return `The data of ${inputs.version} need a place of their own beside the old ones: give data_directory a new value in the same change, or leave it out`;
  }
  return `Where its data are is read from its repmgr.conf on every host, and none names data of ${before.version}: set version ${before.version}, run "pulumi up", then upgrade`;
}

/** What identifies a node to the others: name, id, host, and whether it is the witness. */
function nodeMoves(inputs: PreflightInputs, before: PreflightInputs): Move[] {
  return inputs.nodes.flatMap((now): Move[] => {
    const was = before.nodes.find(({ node }) => node === now.node);
    const problems = was === undefined ? taken(inputs, before, now) : differs(now, was);
    return problems;
  });
}

/** @param was as the state has it: of before there were versions, it does not say the id */
function differs(now: PreflightNode, was: Omit<PreflightNode, "id"> & { readonly id?: number }): Move[] {
  const { node, host, id = now.id } = was;
  const twice = `remove ${node} in one run and add it in the next`;
  const problems: string[] = [];
  if (now.host !== host) {
    problems.push(
      `${node} cannot move from ${host} to ${now.host}, its data would be left behind. Add a node with a name and an id of its own on ${now.host}, let it follow, then remove ${node}`,
    );
  }
  if (now.id !== id) {
    problems.push(
      `${node} on ${host} cannot change its id from ${id} to ${now.id}, its slot and its registration are named after it. Keep the id; or ${twice}, with its new id: its data are taken up again`,
    );
  }
  if (now.isWitness !== was.isWitness) {
    const [from, to] = was.isWitness ? ["witness", "data node"] : ["data node", "witness"];
    problems.push(
      `${node} on ${host} cannot change from a ${from} to a ${to}, they are different databases. To have it: ${twice}, with an id of its own and its old data moved away in between`,
    );
  }
  return problems.map((problem) => ({ nodes: [was], problem }));
}

/** A new node in the place of one that leaves: the same node under another name, for all that can be seen. */
function taken(inputs: PreflightInputs, before: PreflightInputs, now: PreflightNode): Move[] {
  const leaving = before.nodes.filter(({ node }) => !inputs.nodes.some((n) => n.node === node));
  return leaving.flatMap((was): Move[] => {
    if (was.host === now.host) {
      const problem = `${was.node} on ${was.host} cannot be called ${now.node}: it would be taken down under its new name. Keep its name; or remove ${was.node} in one run and add ${now.node} with an id of its own in the next: its data are taken up again`;
      return [{ nodes: [was], problem }];
    }
    if (was.id !== now.id) return [];
    const problem = `${now.node} on ${now.host} cannot have the id ${now.id}, which is that of ${was.node} on ${was.host} until that is removed. Give it an id that was never used in this cluster`;
    return [{ nodes: [was], problem }];
  });
}
