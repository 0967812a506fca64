import type { Obstacles } from "../facts/obstacles";
import { clusterPaths, shortUnit } from "../families";
import {
  type FormerNode,
  formerPrimaries,
  hasFormer,
  isDue,
  isThere,
  type UpgradeNode,
  type UpgradeView,
} from "./majorUpgrade";
import type { PreflightInputs } from "./preflight";
import { directoriesOf } from "./spaceDirectories";

/** What a clone needs beside the data themselves: WAL while it is made, and some. */
const CLONE_ROOM_BYTES = 1024 ** 3;

/**
 * Every reason why a cluster cannot be taken to the wanted major version now; asked in previews, too. What only
 * pg_upgrade can say, it says in the upgrade's first step, before anything is stopped.
 * @param free by host: bytes left where the new data will be
 */
export function upgradeProblems(
  inputs: PreflightInputs,
  view: UpgradeView,
  free: Readonly<Record<string, number>>,
): string[] {
  const problems = [...markProblems(inputs, view), ...(isDue(inputs, view) ? dueProblems(inputs, view, free) : [])];
  return problems.map((problem) => `cluster ${inputs.cluster}: ${problem}`);
}

/** What an upgrade that was cut has left, under an inventory that may not be the one it was begun with. */
function markProblems(inputs: PreflightInputs, view: UpgradeView): string[] {
  return view.flatMap((seen) => {
    const { mark } = seen.facts;
    if (mark === undefined || (mark.to === inputs.version && (mark.phase === "begun" || isThere(inputs, seen))))
      return [];
    if (mark.phase === "begun" && mark.from === inputs.version) return [];
    return [
      `${seen.node.host}: the upgrade from ${mark.from} to ${mark.to} has started PostgreSQL ${mark.to} on ${mark.dataDirectory}, which has written to the files ` +
        `that both versions share: the data of ${mark.from} cannot be used any more. Set version: ${mark.to} and run "pulumi up"`,
    ];
  });
}

function dueProblems(inputs: PreflightInputs, view: UpgradeView, free: Readonly<Record<string, number>>): string[] {
  const primaries = formerPrimaries(view);
  const [primary] = primaries;
  if (primary === undefined || primaries.length > 1) {
    const names = primaries.map(({ node }) => `${node.node} on ${node.host}`).join(" and ");
    return [
      `the upgrade to ${inputs.version} needs one primary, and ${primaries.length === 0 ? "no node is one" : `${names} both are`}. ` +
        `Set the old version, run "pulumi up" until the cluster is healthy, then upgrade`,
    ];
  }
  const { former, mark, device } = primary.facts;
  const about = `cannot be upgraded from ${former.version} to ${inputs.version}`;
  // Cut half way, the primary is down; it was healthy when it began.
  const isResumed = mark !== undefined;
  const nodes = isResumed ? [] : view.flatMap((seen) => nodeProblems(inputs, seen, primary));
  const place =
    former.device === device
      ? []
      : [
          `${former.dataDirectory} and ${inputs.dataDirectory} are on different file systems, and hard links are made from the one to the other. Choose a data_directory beside the old one`,
        ];
  const obstacles = primary.due?.obstacles;
  return [
    ...nodes,
    ...place,
    ...(obstacles === undefined
      ? []
      : [...obstacleProblems(inputs, obstacles), ...roomProblems(view, obstacles, free)]),
  ].map((problem) => `${about}: ${problem}`);
}

function nodeProblems(inputs: PreflightInputs, seen: UpgradeNode, primary: FormerNode): string[] {
  const { node, host, isWitness } = seen.node;
  const where = `${node} on ${host}`;
  if (!hasFormer(seen) || seen.facts.former.version !== primary.facts.former.version) {
    return [`${where} has no data of ${primary.facts.former.version}. Add a node before the upgrade or after it`];
  }
  const running = seen.due?.old.running;
  const log = `To look: sudo journalctl -u ${shortUnit(clusterPaths(inputs).postgresqlUnit)}`;
  if (running === undefined) {
    const why = seen.due?.old.refusal ?? "";
    return [
      `${where} does not run${why === "" ? "" : ` (${why})`}; its copy is what is left when an upgrade fails. ${log}`,
    ];
  }
  if (isWitness || seen === primary || running.walReceiver?.status === "streaming") return [];
  return [`${where} does not stream from ${primary.node.node}; its copy is what is left when an upgrade fails. ${log}`];
}

function obstacleProblems({ port, tablespaces: named }: PreflightInputs, found: Obstacles): string[] {
  const { preparedTransactions, foreignSlots } = found;
  const directories = directoriesOf(named);
  const tablespaces = found.tablespaces.filter(({ directory }) => !directories.includes(directory));
  const psql = `sudo -u postgres psql -p ${port}`;
  return [
    ...(tablespaces.length === 0
      ? []
      : [
          `the inventory does not name its tablespaces ${tablespaces.map(({ name, directory }) => `${name} in ${directory}`).join(", ")}, so nobody has looked at their ` +
            `directories on its hosts. Write them under 'tablespaces', run "pulumi up" with the old version, then upgrade`,
        ]),
    ...(preparedTransactions === 0
      ? []
      : [
          `${preparedTransactions} prepared transactions wait for their end. Commit or roll them back; to look: ${psql} -c "table pg_prepared_xacts"`,
        ]),
    ...(foreignSlots.length === 0
      ? []
      : [
          `pg_upgrade leaves replication slots behind, and ${foreignSlots.join(", ")} belong to others, who would miss what is written meanwhile. ` +
            `Let them come to their end and drop them: ${psql} -c "select pg_drop_replication_slot('${foreignSlots[0] ?? ""}')"`,
        ]),
  ];
}

/** Every standby gets a new copy beside its old one, on each of the file systems that it has. */
function roomProblems(view: UpgradeView, obstacles: Obstacles, free: Readonly<Record<string, number>>): string[] {
  const gib = (n: number): string => `${(n / 1024 ** 3).toFixed(1)} GiB`;
  return view
    .filter(({ node, facts }) => !node.isWitness && facts.former?.isStandby === true)
    .flatMap((seen) => {
      const { host } = seen.node;
      return filesOf(seen, obstacles, free[host] ?? 0)
        .filter((files) => files.free < files.need)
        .map(
          (files) =>
            `${host} has ${gib(files.free)} free for a new copy beside the old one${files.where}, wanted are ${gib(files.need)}. To look: df -h`,
        );
    });
}

interface Files {
  readonly device: string;
  readonly where: string;
  readonly need: number;
  readonly free: number;
}

/** What a copy needs, by file system; that of the data comes first. */
function filesOf({ facts, due }: UpgradeNode, { bytes, tablespaces }: Obstacles, free: number): Files[] {
  const systems = new Map<string, Files>();
  systems.set(facts.device, { device: facts.device, where: "", need: bytes + CLONE_ROOM_BYTES, free });
  for (const space of tablespaces) {
    const room = due?.rooms?.[space.directory];
    if (room === undefined) continue;
    const { device, freeBytes } = room;
    const before = systems.get(device) ?? { device, where: ` of ${space.directory}`, need: 0, free: freeBytes };
    systems.set(device, { ...before, need: before.need + space.bytes });
  }
  return [...systems.values()];
}
