import { serviceCommands } from "../config/deriveRepmgr";
import { standbysToPromote } from "../config/deriveSynchronous";
import { REPMGR_DEFAULTS } from "../config/managed";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { clusterPaths, familyLayout } from "../families";
import { sh, sqlLiteral } from "../ssh/quote";
import type { TextSource, TextSources } from "../providers/unitScript";
import { peerTlsView } from "./peerTls";
import { startGuard, VOTE_CLASS } from "./units";

/** A command of a person's own that hangs must not stay for ever. */
const COMMAND_SECONDS = 60;
/** repmgrd waits for a standby that follows. */
const SLOT_SECONDS = 10;

/** Where scripts are that a test runs; default: the family's. */
export interface Elsewhere {
  readonly binDirectory?: string;
  readonly fence?: string;
  readonly fenceMark?: string;
  readonly startCommand?: string;
  readonly failoverValidation?: string;
}

/** Everything that is executed for a cluster on a node, in order of path. @throws Error when a value holds a NUL */
export function nodeScripts(spec: ClusterSpec, node: NodeSpec): TextSources {
  const paths = clusterPaths({ ...spec, cluster: spec.name });
  const guard = startGuard({
    ...spec,
    cluster: spec.name,
    nodeId: node.id,
    isWitness: node.initialRole === "witness",
    withoutPeers: spec.startWithoutPeers,
    peers: spec.nodes
      .filter(({ name }) => name !== node.name)
      .map(({ name, address, initialRole }) => ({ node: name, address, isWitness: initialRole === "witness" })),
  });
  return {
    [paths.event]: eventScript(spec),
    [paths.failoverValidation]: failoverValidation(spec, node),
    [paths.fence]: fence(spec, node),
    [paths.promote]: promote(spec, node),
    [paths.startGuard]: guard,
  };
}

/** The script that repmgrd runs on the winner of an election. @throws Error when a value holds a NUL */
export function failoverValidation(spec: ClusterSpec, node: NodeSpec, elsewhere: Elsewhere = {}): TextSource {
  const view = {
    ...askingView(spec, node, elsewhere),
    fencedAfter: spec.fencing?.fencedAfter ?? 0,
    // As repmgrd itself with primary_visibility_consensus (repmgrd-physical.c, do_election).
    standbysNeeded: standbysToPromote(spec),
    forgottenSeconds: 2 * Number(spec.repmgrOptions.monitor_interval_secs),
  };
  return { template: "failover-validation.sh", view };
}

/** The script by which repmgrd promotes the winner of an election. @throws Error when a value holds a NUL */
export function promote(spec: ClusterSpec, node: NodeSpec, elsewhere: Elsewhere = {}): TextSource {
  const { failoverValidation, repmgrConf } = clusterPaths({ ...spec, cluster: spec.name });
  const { primary_notification_timeout } = { ...REPMGR_DEFAULTS, ...spec.repmgrOptions };
  const view = {
    ...askingView(spec, node, elsewhere),
    failoverValidation: sh(elsewhere.failoverValidation ?? failoverValidation),
    repmgrConf: sh(repmgrConf),
    seconds: primary_notification_timeout,
  };
  return { template: "promote.sh", view };
}

/** The script that ends the writes of a primary which the others may replace. @throws Error when a value holds a NUL */
export function fence(spec: ClusterSpec, node: NodeSpec, elsewhere: Elsewhere = {}): TextSource {
  const { fenceMark } = clusterPaths({ ...spec, cluster: spec.name });
  const view = {
    ...askingView(spec, node, elsewhere),
    fenceMark: sh(elsewhere.fenceMark ?? fenceMark),
    startCommand: sh(elsewhere.startCommand ?? serviceCommands(spec.name).service_start_command),
  };
  return { template: "fence.sh", view };
}

/** The script that tells of repmgr's events. @throws Error when a value holds a NUL */
export function eventScript(spec: ClusterSpec, elsewhere: Elsewhere = {}): TextSource {
  const paths = clusterPaths({ ...spec, cluster: spec.name });
  const view = {
    cluster: spec.name,
    clusterWord: sh(spec.name),
    tag: sh(`repmgr-${spec.name}`),
    tagText: `repmgr-${spec.name}`,
    members: spec.nodes.map(({ id, name }) => ({ id, name: sh(name) })),
    command: sh(spec.eventCommand ?? ""),
    commandSeconds: COMMAND_SECONDS,
    fence: spec.fencing === undefined ? "" : sh(elsewhere.fence ?? paths.fence),
    ...(spec.failoverSlots === undefined ? {} : { slotSql: slotSql(spec, elsewhere), slotSeconds: SLOT_SECONDS }),
  };
  return { template: "event.sh", view };
}

/** Shell: SQL on the node's own instance, in which repmgr's events come as postgres. @throws Error when a value holds a NUL */
function slotSql(spec: ClusterSpec, { binDirectory }: Elsewhere): string {
  const { socketDirectory } = clusterPaths({ ...spec, cluster: spec.name });
  const psql = `${binDirectory ?? familyLayout(spec.family).binDirectory(spec.version)}/psql`;
  return `${sh(psql)} -XAtqw -v ON_ERROR_STOP=1 -h ${sh(socketDirectory)} -p ${spec.port} -d postgres`;
}

/** What a script needs to ask all other nodes, and to know when they are enough. */
function askingView(spec: ClusterSpec, node: NodeSpec, { binDirectory }: Elsewhere): object {
  const paths = clusterPaths({ ...spec, cluster: spec.name });
  const others = spec.nodes.filter(({ name }) => name !== node.name);
  return {
    cluster: spec.name,
    clusterWord: sh(spec.name),
    unit: paths.postgresqlUnit,
    data: sh(spec.dataDirectory),
    bin: sh(binDirectory ?? familyLayout(spec.family).binDirectory(spec.version)),
    passFile: sh(paths.passFile),
    ...peerTlsView({ ...spec, cluster: spec.name }, spec.tls),
    nodeId: node.id,
    voteClass: VOTE_CLASS,
    socketDirectory: sh(paths.socketDirectory),
    port: spec.port,
    nodes: spec.nodes.length,
    majority: Math.floor(spec.nodes.length / 2) + 1,
    names: ["", ...others.map(({ name }) => name)].map(sqlLiteral).join(", "),
    peers: others.map(({ name, address, initialRole, priority }) => ({
      name: sh(name),
      host: sh(address),
      port: spec.port,
      role: initialRole === "witness" ? "witness" : "data",
      candidate: initialRole !== "witness" && priority > 0 ? 1 : 0,
    })),
  };
}
