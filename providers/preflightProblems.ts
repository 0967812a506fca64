import type { HostFacts } from "../facts/host";
import type { Finding, NodeFacts, PreflightInputs, PreflightNode } from "./preflight";

/** What a new cluster needs at least: initdb, the first WAL segments and room to notice that more is needed. */
const LEAST_FREE_BYTES = 2 * 1024 ** 3;
/** Timelines are compared and failovers timed across hosts; more than this is a broken time service. */
const MOST_SKEW_MS = 2_000;

/** os-release ID and VERSION_ID, by family. */
const SUPPORTED = {
  debian: ["debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"],
} as const;

/** Every reason not to touch the cluster's hosts, in order of node. */
export function problemsOf(inputs: PreflightInputs, findings: readonly Finding[]): string[] {
  const failed = new Set(findings.filter(({ facts }) => facts === undefined).map(({ node }) => node.address));
  const each = findings.flatMap(({ node, facts, failure }) => {
    if (facts === undefined) return [`cluster ${inputs.cluster}: ${failure ?? "no answer"}`];
    const problems = [
      ...systemProblems(inputs, facts.host),
      ...portProblems(inputs, facts.host),
      ...dataProblems(inputs, facts),
      ...clockProblems(facts),
      ...packageProblems(inputs, node, facts),
      ...pathProblems(inputs, facts.host, failed),
    ];
    return problems.map((problem) => `${node.host}: cluster ${inputs.cluster}: ${problem}`);
  });
  return [...each, ...identifierProblems(inputs, findings)];
}

function systemProblems({ family }: PreflightInputs, { os, release }: HostFacts): string[] {
  const supported: readonly string[] = SUPPORTED[family];
  if (supported.includes(release)) return [];
  return [`runs ${os} (${release}), which is not supported; supported: ${supported.join(", ")}`];
}

function portProblems({ port, dataDirectory }: PreflightInputs, { listeners, postmasterPid }: HostFacts): string[] {
  const foreign = listeners.filter(({ pids }) => !pids.includes(postmasterPid));
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
  } else if (host.data === "present" && clusterName !== cluster) {
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

function clockProblems({ skewMs }: NodeFacts): string[] {
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return [];
  const direction = skewMs > 0 ? "ahead of" : "behind";
  return [
    `its clock is at least ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${direction} that of the control machine, allowed are ` +
      `${MOST_SKEW_MS / 1000} s. To look: timedatectl`,
  ];
}

function packageProblems(inputs: PreflightInputs, { repository: wanted }: PreflightNode, facts: NodeFacts): string[] {
  const { packages, repository } = facts;
  if (wanted !== undefined && repository !== undefined && repository.problem !== "") {
    return [`the repository ${wanted.name} (${wanted.uri} ${wanted.suite}) cannot be used: ${repository.problem}`];
  }
  const missing = packages.packages
    .filter(({ state }) => state === "absent")
    .map(({ name }) => name)
    .filter((name) => packages.candidates[name] === undefined && repository?.candidates[name] === undefined);
  if (missing.length === 0) return [];
  const where = wanted === undefined ? "the host's own package sources" : `${wanted.uri} ${wanted.suite}`;
  return [
    `${missing.join(", ")} (PostgreSQL ${inputs.version}) cannot be had from ${where}. Give the host a repository in the ` +
      `inventory, or choose another version; to look: apt-cache policy ${missing.join(" ")}`,
  ];
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
