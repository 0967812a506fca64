import type { RepositorySpec } from "../config/types";
import { packagingOf } from "../facts/packaging";
import { clusterPaths, familiesOf, familyLayout } from "../families";
import type { HostFacts } from "../facts/host";
import { semanageMissing } from "./instanceLabels";
import { kernelProblems } from "./preflightKernel";
import { unpreparedProblems } from "./preflightRestricted";
import { memoryProblems } from "./preflightMemory";
import { spaceProblems } from "./spaceDirectories";
import type { Finding, NodeFacts, PreflightInputs, PreflightNode } from "./preflight";

/** What a new cluster needs at least: initdb, the first WAL segments and room to notice that more is needed. */
const LEAST_FREE_BYTES = 2 * 1024 ** 3;
/** Timelines are compared and failovers timed across hosts; more than this is a broken time service. */
const MOST_SKEW_MS = 2_000;

/**
 * Every reason not to touch the cluster's hosts, in order of node.
 * @param isNew true when state knows nothing of this cluster yet
 */
export function problemsOf(inputs: PreflightInputs, findings: readonly Finding[], isNew: boolean): string[] {
  const failed = new Set(findings.filter(({ facts }) => facts === undefined).map(({ node }) => node.address));
  const begins = findings.every(({ node, facts }) => node.isWitness || facts?.host.data !== "present");
  const each = findings.flatMap(({ node, facts, failure }) => {
    if (facts === undefined) return [`cluster ${inputs.cluster}: ${failure ?? "no answer"}`];
    const problems = [
      ...systemProblems(inputs, facts.host),
      ...unpreparedProblems(inputs, node, facts),
      ...neighbourProblems(inputs, facts, isNew),
      ...portProblems(inputs, facts),
      ...dataProblems(inputs, facts),
      ...directoryProblems(inputs, facts, begins),
      ...unitProblems(inputs, facts.host),
      ...clockProblems(facts),
      ...memoryProblems(inputs, node, facts),
      ...kernelProblems(inputs.kernels?.[node.host], facts.kernel, facts.tuned),
      ...ipcProblems(facts.host),
      ...labelProblems(inputs, facts),
      ...packageProblems(inputs, node, facts),
      ...pathProblems(inputs, facts.host, failed),
    ];
    return problems.map((problem) => `${node.host}: cluster ${inputs.cluster}: ${problem}`);
  });
  return [...each, ...identifierProblems(inputs, findings), ...witnessProblems(inputs, findings)];
}

function systemProblems({ family }: PreflightInputs, { os, release }: HostFacts): string[] {
  const families = familiesOf(release);
  if (families.includes(family)) return [];
  const found = `runs ${os} (${release}), which is not supported`;
  if (families.length > 0)
    return [`${found} as "family: ${family}". Set "family: ${families.join(" or ")}" for this host`];
  return [`${found}; supported: ${familyLayout(family).supported.join(", ")}`];
}

/** A cluster of ours holds its port and its directory while it is stopped, too: two of them would be one under two names. */
function neighbourProblems(inputs: PreflightInputs, { neighbours }: NodeFacts, isNew: boolean): string[] {
  const { cluster, port, dataDirectory: d } = inputs;
  const isNested = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  return neighbours.flatMap((other) => {
    const where = `(node ${other.node}, port ${other.port}, ${other.dataDirectory})`;
    if (other.cluster === cluster) {
      if (!isNew || (other.dataDirectory === d && other.port === port)) return [];
      return [
        `it is here already ${where}, wanted with port ${port} in ${d}. Put the old values into the inventory, so that it is taken over as it is`,
      ];
    }
    const held = [
      ...(other.port === port ? [`port ${port}`] : []),
      ...(isNested(other.dataDirectory, d) ? [`the directory ${d}`] : []),
    ];
    if (held.length === 0) return [];
    return [
      `${held.join(" and ")} belongs to the cluster "${other.cluster}" ${where}. Give this one values of its own. A cluster keeps its name: to rename one, take ` +
        `"${other.cluster}" out of the inventory (with allow_data_loss: false, deployed before) and run "pulumi up", which stops it and keeps its data; then add it as "${cluster}" with data_directory: ` +
        `${other.dataDirectory} and do what the next preview says`,
    ];
  });
}

function portProblems(
  { port, dataDirectory, cluster }: PreflightInputs,
  { host, neighbours, former }: NodeFacts,
): string[] {
  if (neighbours.some((other) => other.cluster !== cluster && other.port === port)) return [];
  const { listeners, postmasterPid } = host;
  const foreign = listeners.filter(({ pids }) => ![postmasterPid, former?.pid ?? 0].some((pid) => pids.includes(pid)));
  const [first] = foreign;
  if (first === undefined) return [];
  const who = first.process === "" ? "a process the kernel does not name" : `"${first.process}" (pid ${first.pids[0]})`;
  return [
    `port ${port} is taken by ${who} on ${foreign.map(({ address }) => address).join(", ")}, and not by the PostgreSQL of ` +
      `${dataDirectory}. Stop it or choose another port; to look: sudo ss -ltnp "sport = :${port}"`,
  ];
}

function dataProblems(inputs: PreflightInputs, { host, clusterName }: NodeFacts): string[] {
  const { dataDirectory: d, version, cluster } = inputs;
  const problems: string[] = [];
  if (host.isMountPoint) {
    problems.push(
      `${d} is a mount point itself, so it can never be put aside or replaced. Use a directory in it: ${d}/data`,
    );
  }
  if (host.data === "foreign") {
    problems.push(
      `${d} holds files, but no data of PostgreSQL. Choose another data_directory, or look: sudo ls -la ${d}`,
    );
  } else if (host.data === "present" && host.dataVersion !== String(version)) {
    problems.push(
      `${d} holds data of PostgreSQL ${host.dataVersion}, wanted ${version}. Choose another data_directory`,
    );
  } else if (host.data === "present" && inputs.layout === undefined && clusterName !== cluster) {
    const whose = clusterName === undefined ? "that name no cluster" : `of the cluster "${clusterName}"`;
    problems.push(
      `${d} holds data ${whose}, wanted "${cluster}". Choose another data_directory; ` +
        `to hand these data over: echo "cluster_name = '${cluster}'" | sudo tee -a ${d}/postgresql.conf`,
    );
  }
  if (host.data !== "present" && host.freeBytes < LEAST_FREE_BYTES) {
    const [free, least] = [host.freeBytes, LEAST_FREE_BYTES].map((bytes) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`);
    problems.push(`${free} are free for ${d}, wanted at least ${least}. To look: df -h ${d}`);
  }
  return problems;
}

/** Beside another unit's PostgreSQL and its repmgrd, ours would be second ones. */
function unitProblems(inputs: PreflightInputs, { postmasterUnit: unit }: HostFacts): string[] {
  const { postgresqlUnit } = clusterPaths(inputs);
  if (!unit.endsWith(".service") || unit === postgresqlUnit) return [];
  return [
    `${inputs.dataDirectory} is run by ${unit}, wanted ${postgresqlUnit}: it was built by others, and its repmgrd may run beside ours. ` +
      `To take the cluster over as it is: npm run adopt -- --host ${inputs.nodes.map(({ host }) => host).join(",")}`,
  ];
}

/** Directories of tablespaces, before the first of them is made. */
function directoryProblems(inputs: PreflightInputs, { host, former, spaces }: NodeFacts, begins: boolean): string[] {
  if (inputs.tablespaces === undefined) return [];
  const judged = { ...inputs, spaces: inputs.tablespaces, data: host.data, begins };
  return spaceProblems({ ...judged, former: former?.dataDirectory, isOthers: inputs.layout !== undefined }, spaces);
}

function clockProblems({ skewMs }: NodeFacts): string[] {
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return [];
  const direction = skewMs > 0 ? "ahead of" : "behind";
  return [
    `its clock is at least ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${direction} that of the control machine, allowed are ` +
      `${MOST_SKEW_MS / 1000} s. To look: timedatectl`,
  ];
}

function ipcProblems({ removesIpc }: HostFacts): string[] {
  if (!removesIpc) return [];
  return [
    `logind removes the shared memory of the user postgres, who is no system user here, when its last session ends; a running server crashes of that. ` +
      `Set RemoveIPC=no in /etc/systemd/logind.conf and type: sudo systemctl restart systemd-logind`,
  ];
}

/** Found when the data are there already, it would be found too late. */
function labelProblems(inputs: PreflightInputs, { labels }: NodeFacts): string[] {
  const problem = labels && semanageMissing(inputs, labels);
  return problem === undefined ? [] : [problem];
}

function packageProblems(inputs: PreflightInputs, { repository: wanted }: PreflightNode, facts: NodeFacts): string[] {
  const { packages, repository } = facts;
  // Nothing was tried: to install something is root's.
  if (facts.host.isRestricted === true) return [];
  if (wanted !== undefined && repository !== undefined && repository.problem !== "") {
    return [`the repository ${wanted.name} (${addressOf(wanted)}) cannot be used: ${repository.problem}`];
  }
  const missing = packages.packages
    .filter(({ state }) => state === "absent")
    .map(({ name }) => name)
    .filter((name) => packages.candidates[name] === undefined && repository?.candidates[name] === undefined);
  if (missing.length === 0) return [];
  const { lookAt } = packagingOf(familyLayout(inputs.family).packageManager);
  const where = wanted === undefined ? "the host's own package sources" : addressOf(wanted);
  return [
    `${missing.join(", ")} (PostgreSQL ${inputs.version}) cannot be had from ${where}. Give the host a repository in the ` +
      `inventory, or choose another version; to look: ${lookAt(missing)}`,
  ];
}

function addressOf({ uri, suite }: RepositorySpec): string {
  return [uri, suite].filter((part) => part !== undefined).join(" ");
}

/** A peer that the control machine cannot reach either is reported once, not by every node. */
function pathProblems(inputs: PreflightInputs, { unreachable }: HostFacts, failed: ReadonlySet<string>): string[] {
  return Object.entries(unreachable)
    .filter(([address]) => !failed.has(address))
    .map(([address, said]) => {
      const peer = inputs.nodes.find((node) => node.address === address);
      return `cannot reach ${peer?.node ?? "its peer"} at ${address}: ${said}. To look, on this host: ip route get ${address}`;
    });
}

/** Nodes whose data come from different initdbs can never replicate from each other. */
function identifierProblems({ cluster, dataDirectory }: PreflightInputs, findings: readonly Finding[]): string[] {
  const found = findings.flatMap(({ node, facts }) => {
    const identifier = facts?.host.systemIdentifier ?? "";
    return node.isWitness || identifier === "" ? [] : [{ host: node.host, identifier }];
  });
  if (new Set(found.map(({ identifier }) => identifier)).size <= 1) return [];
  const list = found.map(({ host, identifier }) => `${host}: ${identifier}`).join(", ");
  return [
    `cluster ${cluster}: ${dataDirectory} holds different databases on its nodes (system identifiers ${list}). ` +
      "Find out which is the right one and move the others aside; they are then cloned anew.",
  ];
}

/** A witness has a database of its own; a copy of the cluster's would start as what it was. */
function witnessProblems({ cluster, dataDirectory: d }: PreflightInputs, findings: readonly Finding[]): string[] {
  const identifiers = findings.map(({ node, facts }) => ({ node, identifier: facts?.host.systemIdentifier ?? "" }));
  const isCopy = (identifier: string): boolean =>
    identifiers.some((other) => !other.node.isWitness && other.identifier === identifier);
  return identifiers
    .filter(({ node, identifier }) => node.isWitness && identifier !== "" && isCopy(identifier))
    .map(
      ({ node }) =>
        `${node.host}: cluster ${cluster}: ${d} holds a copy of the cluster's data, and ${node.node} shall be the witness, which has a database of its own. ` +
        `Move it aside: sudo mv ${d} ${d}.old`,
    );
}
