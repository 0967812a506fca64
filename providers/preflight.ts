import { posix } from "node:path";
import { asRoot } from "../actions/action";
import type { ClusterLayout, Family, KernelSpec, KeyedRepository, RepositorySpec } from "../config/types";
import { fileProbe } from "../facts/file";
import type { FormerData } from "../facts/formerData";
import { type HostFacts, observeHost, skewProbe } from "../facts/host";
import type { InstanceFacts } from "../facts/instance";
import { type KernelFact, kernelProbe } from "../facts/kernel";
import { type TunedFact, tunedProbe } from "../facts/tuned";
import { type Neighbour, neighboursProbe } from "../facts/neighbours";
import type { PackagesFact, RepositoryFact } from "../facts/packages";
import { packagingOf } from "../facts/packaging";
import { labelsProbe } from "../facts/selinux";
import { parsePostgresConf } from "../facts/postgresConf";
import { type SpaceDirectory, spacesProbe } from "../facts/tablespaces";
import { clusterPaths, familyLayout } from "../families";
import { anticipateReviews } from "./anticipation";
import { instanceOf } from "./cluster";
import { type LabelView, labelQuestion } from "./instanceLabels";
import { type BaseInputs, type Ctx, HostLost, type Kind } from "./kind";
import { clusterOf, isDue, isThere, observeUpgrade, type UpgradeView } from "./majorUpgrade";
import { planMajorUpgrade } from "./majorUpgradePlan";
import { upgradeProblems } from "./majorUpgradeProblems";
import { type Logins, loginProblems } from "./preflightLogins";
import { changeProblems } from "./preflightChanges";
import type { MemoryShare } from "./preflightMemory";
import { problemsOf } from "./preflightProblems";
import { fetchedKey } from "./repositoryKey";
import { removalNeedsRoot } from "./preflightRestricted";
import { spaceMoves } from "./preflightSpaces";
import { trustProblems } from "./preflightTrust";
import { directoriesOf, spaceQuestion, type Spaces } from "./spaceDirectories";

export interface PreflightNode {
  readonly node: string;
  readonly id: number;
  readonly host: string;
  readonly address: string;
  readonly isWitness: boolean;
  /** The repository the host is to get its packages from. */
  readonly repository?: RepositorySpec;
}

export interface PreflightInputs extends BaseInputs {
  readonly cluster: string;
  readonly port: number;
  readonly version: number;
  readonly family: Family;
  readonly dataDirectory: string;
  readonly failover: "automatic" | "manual";
  readonly protect: boolean;
  readonly layout?: ClusterLayout;
  readonly packages: readonly string[];
  /** Absent where there are none. */
  readonly tablespaces?: Spaces;
  readonly nodes: readonly PreflightNode[];
  /** Its nodes have files of TLS to be looked at. */
  readonly hasTls?: true;
  /** The authorities, PEM, whose certificates the nodes ask of each other; absent where they ask for none. */
  readonly trusted?: string;
  /** Absent where the nodes log in to each other by password, and show no certificate. */
  readonly logins?: Logins;
  /** Its nodes are checked by a timer; said here so that the first question asks for that, too. */
  readonly monitored?: true;
  /** By host, what the inventory's clusters there take of its memory; a host where that is this one's default has none. */
  readonly memory?: Readonly<Record<string, readonly MemoryShare[]>>;
  /** By host, what the inventory asks of its kernel; only where it asks for something. */
  readonly kernels?: Readonly<Record<string, KernelSpec>>;
}

export interface HostSummary {
  readonly os: string;
  readonly cores: number;
  readonly memoryMb: number;
}

export interface PreflightOutputs {
  /** By the inventory's name of the host. */
  readonly hosts: Readonly<Record<string, HostSummary>>;
}

/** What one host shows; undefined facts mean that it could not be asked, and `failure` says why. */
export interface Finding {
  readonly node: PreflightNode;
  readonly failure?: string;
  readonly facts?: NodeFacts;
}

export interface NodeFacts {
  readonly host: HostFacts;
  /** Asked for only where the login may become postgres only. */
  readonly instance?: InstanceFacts;
  readonly packages: PackagesFact;
  readonly repository: RepositoryFact | undefined;
  /** All clusters that this program keeps on the host. */
  readonly neighbours: readonly Neighbour[];
  /** The cluster's data of an older version. */
  readonly former?: FormerData;
  /** cluster_name in PGDATA/postgresql.conf. */
  readonly clusterName: string | undefined;
  /** The least by which its clock can differ from ours, in milliseconds: positive when it is ahead. */
  readonly skewMs: number;
  /** Where the inventory asks for something of it. */
  readonly kernel?: KernelFact;
  /** Absent: nobody asked for it, or it is not installed. */
  readonly tuned?: TunedFact;
  /** On a host with SELinux. */
  readonly labels?: LabelView;
  /** Of a data node, where there are tablespaces. */
  readonly spaces: readonly SpaceDirectory[];
}

export interface PreflightFacts {
  /** In order of the nodes; undefined for a host that is lost. */
  readonly hosts: readonly (HostFacts | undefined)[];
  readonly upgrade: UpgradeView;
}

/**
 * Owns nothing: looks at every host of a cluster before anything changes and names every problem at once. What has to
 * happen before any other resource's turn happens here, too: taking the cluster to another major version.
 */
export const preflightKind: Kind<PreflightInputs, PreflightFacts, PreflightOutputs> = {
  name: "Preflight",
  managed: [
    "cluster",
    "port",
    "version",
    "family",
    "dataDirectory",
    "layout",
    "failover",
    "protect",
    "packages",
    "tablespaces",
    "nodes",
    "hasTls",
    "trusted",
    "logins",
    "monitored",
  ],
  identity: ["cluster"],
  id: ({ cluster }) => cluster,
  validate: () => [],

  async preflight(ctx, inputs, before) {
    // What the hosts look like under the new inventory is of no use to who must not have it.
    const upgrade = await observeUpgrade(ctx, inputs).catch(() => []);
    const isCarried = isDue(inputs, upgrade) || upgrade.some((seen) => isThere(inputs, seen));
    const changes = [
      ...(before === undefined ? [] : await changeProblems(ctx, inputs, before, isCarried)),
      ...(before === undefined ? [] : await spaceMoves(ctx, inputs, before)),
      ...(await trustProblems(ctx, inputs, before)),
      ...(await loginProblems(ctx, inputs, before)),
      ...(await removalNeedsRoot(ctx, inputs, before)),
    ];
    if (changes.length > 0) return changes;
    const findings = await Promise.all(
      inputs.nodes.map((node) =>
        look(ctx, inputs, node, upgrade).then(
          (facts): Finding => ({ node, facts }),
          (error: unknown): Finding => ({ node, failure: error instanceof Error ? error.message : String(error) }),
        ),
      ),
    );
    const found = problemsOf(inputs, findings, before === undefined);
    const hosts = findings.flatMap(({ node, facts }) =>
      facts === undefined ? [] : [[node.host, facts.host] as const],
    );
    return [
      ...found,
      ...(found.length > 0 ? [] : upgradeProblems(inputs, upgrade, freeBytes(Object.fromEntries(hosts)))),
    ];
  },

  anticipate: anticipateReviews,
  async observe(ctx, inputs) {
    const [hosts, upgrade] = await Promise.all([
      Promise.all(inputs.nodes.map((node) => hostUnlessLost(ctx, inputs, node))),
      observeUpgrade(ctx, inputs),
    ]);
    return { hosts, upgrade };
  },
  isAbsent: () => false,
  plan: (want, { hosts, upgrade }) => asRoot(planMajorUpgrade(want, upgrade, freeBytes(byHost(want, hosts)))),
  project: (inputs, have) => ({
    inputs,
    outputs: {
      hosts: Object.fromEntries(
        Object.entries(byHost(inputs, have.hosts)).map(([host, { os, cores, memoryMb }]) => {
          return [host, { os, cores, memoryMb }];
        }),
      ),
    },
  }),
  planDelete: () => [],
};

/** Undefined for a host that is lost. */
function hostUnlessLost(ctx: Ctx, inputs: PreflightInputs, node: PreflightNode): Promise<HostFacts | undefined> {
  return lookAt(ctx, inputs, node).catch((error: unknown) => {
    if (error instanceof HostLost) return undefined;
    throw error;
  });
}

function byHost(inputs: PreflightInputs, hosts: readonly (HostFacts | undefined)[]): Record<string, HostFacts> {
  return Object.fromEntries(
    inputs.nodes.flatMap(({ host }, index) => {
      const found = hosts[index];
      return found === undefined ? [] : [[host, found]];
    }),
  );
}

function freeBytes(hosts: Readonly<Record<string, HostFacts>>): Record<string, number> {
  return Object.fromEntries(Object.entries(hosts).map(([host, facts]) => [host, facts.freeBytes]));
}

function lookAt(ctx: Ctx, inputs: PreflightInputs, { node, host: at }: PreflightNode): Promise<HostFacts> {
  const others = inputs.nodes.filter((peer) => peer.node !== node);
  // sshd is the one thing known to listen on a host that has nothing yet.
  const peers = others.map(({ host, address }) => ({ address, port: inputs.reach[host]?.port ?? 22 }));
  return observeHost((probe) => ctx.ask(at, probe), { dataDirectory: inputs.dataDirectory, port: inputs.port, peers });
}

/** Without its key there is nothing to try. */
async function tryRepository(
  repository: RepositorySpec,
  ask: (keyed: KeyedRepository) => Promise<RepositoryFact>,
): Promise<RepositoryFact> {
  const keyed = await fetchedKey(repository, undefined);
  return "problem" in keyed ? { problem: keyed.problem, candidates: {} } : ask(keyed);
}

async function look(ctx: Ctx, inputs: PreflightInputs, node: PreflightNode, upgrade: UpgradeView): Promise<NodeFacts> {
  const { directory } = clusterPaths(inputs);
  const { packagesProbe, repositoryProbe } = packagingOf(familyLayout(inputs.family).packageManager);
  const wanted = inputs.kernels?.[node.host];
  const spaces = node.isWitness ? [] : directoriesOf(inputs.tablespaces);
  const [host, packages, neighbours, conf, skewMs, kernel, tuned, found] = await Promise.all([
    lookAt(ctx, inputs, node),
    ctx.ask(node.host, packagesProbe(inputs.packages)),
    ctx.ask(node.host, neighboursProbe(posix.dirname(directory))),
    ctx.ask(node.host, fileProbe(`${inputs.dataDirectory}/postgresql.conf`)),
    ctx.ask(node.host, skewProbe),
    wanted && ctx.ask(node.host, kernelProbe(Object.keys(wanted.sysctl).sort())),
    wanted?.tunedProfile === undefined ? undefined : ctx.ask(node.host, tunedProbe),
    spaces.length === 0 ? [] : ctx.ask(node.host, spacesProbe(spaceQuestion(inputs, spaces))),
  ]);
  // Rules and packages are root's; where it may not look, the look at the other resources says so.
  const isRoot = host.isRestricted !== true;
  const instance = isRoot ? undefined : await ctx.ask(node.host, instanceOf(clusterOf(inputs)));
  const question =
    isRoot && host.selinux && labelQuestion(node.isWitness ? { ...inputs, tablespaces: undefined } : inputs);
  const labels = question && (await ctx.ask(node.host, labelsProbe(question)));
  const isComplete = !isRoot || packages.packages.every(({ state }) => state === "installed");
  const tried = isComplete ? undefined : node.repository;
  const repository =
    tried && (await tryRepository(tried, (keyed) => ctx.ask(node.host, repositoryProbe(keyed, inputs.packages))));
  const clusterName = conf && parsePostgresConf(conf.content).cluster_name;
  // Others may keep their repmgr.conf where ours would be.
  const others = inputs.layout
    ? neighbours.filter(({ dataDirectory }) => dataDirectory !== inputs.dataDirectory)
    : neighbours;
  const former = upgrade.find((seen) => seen.node.node === node.node)?.facts.former;
  const seen = {
    host,
    ...(instance && { instance }),
    packages,
    repository,
    neighbours: others,
    clusterName,
    former,
    skewMs,
    spaces: found,
    ...(kernel && { kernel }),
    ...(tuned && { tuned }),
  };
  return host.selinux && labels ? { ...seen, labels: { mode: host.selinux, ...labels } } : seen;
}
