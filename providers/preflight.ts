import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import type { ClusterLayout, Family, RepositorySpec } from "../config/types";
import { fileProbe } from "../facts/file";
import { clockProbe, type HostFacts, hostProbe } from "../facts/host";
import { type Neighbour, neighboursProbe } from "../facts/neighbours";
import { packagesProbe, type PackagesFact } from "../facts/packages";
import { parsePostgresConf } from "../facts/postgresConf";
import { repositoryProbe, type RepositoryFact } from "../facts/repository";
import { clusterPaths } from "../families";
import { anticipateReviews } from "./anticipation";
import { type BaseInputs, type Ctx, HostLost, type Kind } from "./kind";
import { changeProblems } from "./preflightChanges";
import { problemsOf } from "./preflightProblems";

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
  readonly nodes: readonly PreflightNode[];
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
  readonly packages: PackagesFact;
  readonly repository: RepositoryFact | undefined;
  /** All clusters that this program keeps on the host. */
  readonly neighbours: readonly Neighbour[];
  /** cluster_name in PGDATA/postgresql.conf. */
  readonly clusterName: string | undefined;
  /** The least by which its clock can differ from ours, in milliseconds: positive when it is ahead. */
  readonly skewMs: number;
}

/** Owns nothing: looks at every host of a cluster before anything changes and names every problem at once. */
export const preflightKind: Kind<PreflightInputs, readonly (HostFacts | undefined)[], PreflightOutputs> = {
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
    "nodes",
  ],
  identity: ["cluster"],
  id: ({ cluster }) => cluster,
  validate: () => [],

  async preflight(ctx, inputs, before) {
    // What the hosts look like under the new inventory is of no use to who must not have it.
    const changes = before === undefined ? [] : await changeProblems(ctx, inputs, before);
    if (changes.length > 0) return changes;
    const findings = await Promise.all(
      inputs.nodes.map((node) =>
        look(ctx, inputs, node).then(
          (facts): Finding => ({ node, facts }),
          (error: unknown): Finding => ({ node, failure: error instanceof Error ? error.message : String(error) }),
        ),
      ),
    );
    return problemsOf(inputs, findings, before === undefined);
  },

  anticipate: anticipateReviews,
  observe: (ctx, inputs) => Promise.all(inputs.nodes.map((node) => observeHost(ctx, inputs, node))),
  isAbsent: () => false,
  plan: () => [],
  project: (inputs, have) => ({
    inputs,
    outputs: {
      hosts: Object.fromEntries(
        inputs.nodes.flatMap(({ host }, index) => {
          const found = have[index];
          return found === undefined ? [] : [[host, { os: found.os, cores: found.cores, memoryMb: found.memoryMb }]];
        }),
      ),
    },
  }),
  planDelete: () => [],
};

/** Undefined for a host that is lost. */
function observeHost(ctx: Ctx, inputs: PreflightInputs, node: PreflightNode): Promise<HostFacts | undefined> {
  return ctx.ask(node.host, questionOf(inputs, node)).catch((error: unknown) => {
    if (error instanceof HostLost) return undefined;
    throw error;
  });
}

function questionOf(inputs: PreflightInputs, { node }: PreflightNode): ReturnType<typeof hostProbe> {
  const others = inputs.nodes.filter((peer) => peer.node !== node);
  // sshd is the one thing known to listen on a host that has nothing yet.
  const peers = others.map(({ host, address }) => ({ address, port: inputs.reach[host]?.port ?? 22 }));
  return hostProbe({ dataDirectory: inputs.dataDirectory, port: inputs.port, peers });
}

async function look(ctx: Ctx, inputs: PreflightInputs, node: PreflightNode): Promise<NodeFacts> {
  const { directory } = clusterPaths(inputs);
  const [host, packages, repository, neighbours, conf, skewMs] = await Promise.all([
    ctx.ask(node.host, questionOf(inputs, node)),
    ctx.ask(node.host, packagesProbe(inputs.packages)),
    node.repository && ctx.ask(node.host, repositoryProbe(node.repository, inputs.packages)),
    ctx.ask(node.host, neighboursProbe(posix.dirname(directory))),
    ctx.ask(node.host, fileProbe(`${inputs.dataDirectory}/postgresql.conf`)),
    measureSkew(ctx, node.host),
  ]);
  const clusterName = conf && parsePostgresConf(conf.content).cluster_name;
  // Others may keep their repmgr.conf where ours would be.
  const others = inputs.layout
    ? neighbours.filter(({ dataDirectory }) => dataDirectory !== inputs.dataDirectory)
    : neighbours;
  return { host, packages, repository, neighbours: others, clusterName, skewMs };
}

/** The host looked at its clock between our asking and its answer: outside of that, the clocks differ. */
async function measureSkew(ctx: Ctx, host: string): Promise<number> {
  const before = Date.now();
  const theirs = await ctx.ask(host, clockProbe(randomUUID()));
  const after = Date.now();
  if (theirs < before) return theirs - before;
  return theirs > after ? theirs - after : 0;
}
