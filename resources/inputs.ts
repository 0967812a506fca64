import { nodeConninfo, repmgrConf } from "../config/deriveRepmgr";
import type { ClusterSpec, HostSpec, Inventory, NodeSpec } from "../config/types";
import { clusterPaths, familyLayout } from "../families";
import type { ClusterInputs } from "../providers/cluster";
import { HEALTHY_LOGIN } from "../providers/instanceLogin";
import { HEALTHY_TLS } from "../providers/instanceTls";
import { HEALTHY_INSTANCE, type PgInstanceInputs } from "../providers/pgInstance";
import { HEALTHY_NODE, type RepmgrNodeInputs } from "../providers/repmgrNode";
import { SPACE_OWNERSHIP } from "../providers/spaceDirectories";
import type { SystemdUnitInputs } from "../providers/systemdUnit";
import type { HostConnection } from "../ssh/types";
import { hbaLine } from "./hba";
import { repmgrdUnit } from "./units";

// What the inventory says of each resource, without what only the engine knows: no line here needs Pulumi, so that the
// commands that act beside it (scripts/clusterSession.ts) ask for exactly what the program asks for.

/** Inputs of a kind without what the engine or the constructor adds, and without secrets. */
type Known<I> = Omit<I, "kind" | "pending" | "repmgrPassword" | "tlsKey">;
export type SharedInputs = Known<ClusterInputs>;

/** How to reach the named hosts; travels with every resource and is never compared. */
export function reachOf(inventory: Inventory, hosts: readonly string[]): Record<string, HostConnection> {
  return Object.fromEntries(hosts.map((name) => [name, hostOf(inventory, name).connection]));
}

export function hostOf(inventory: Inventory, name: string): HostSpec {
  const host = inventory.hosts.get(name);
  if (host === undefined) throw new Error(`the inventory was accepted with the unknown host ${name}`);
  return host;
}

/** What every resource of a cluster knows of it. */
export function sharedInputs(spec: ClusterSpec, inventory: Inventory): SharedInputs {
  const paths = clusterPaths(unitSpec(spec));
  return {
    reach: reachOf(
      inventory,
      spec.nodes.map(({ host }) => host),
    ),
    cluster: spec.name,
    family: spec.family,
    version: spec.version,
    port: spec.port,
    dataDirectory: spec.dataDirectory,
    layout: spec.layout,
    failover: spec.failover,
    ...(spec.tls?.areNodesVerified === true ? { areNodesVerified: true as const } : {}),
    ...(spec.tls?.loginCertificates === undefined ? {} : { hasLoginCertificates: true as const }),
    members: spec.nodes.map((node) => {
      const { name, id, host, address, initialRole, delay } = node;
      const conninfo = nodeConninfo(spec, node, paths);
      const isWaitedFor = isHeir(spec, node) ? { isWaitedFor: true as const } : {};
      return { node: name, id, host, address, conninfo, witness: initialRole === "witness", delay, ...isWaitedFor };
    }),
  };
}

/** Named in what the others have as synchronized_standby_slots. */
function isHeir({ nodes, failoverSlots }: ClusterSpec, { id }: NodeSpec): boolean {
  const named = nodes.map(({ settings }) => settings.synchronized_standby_slots?.split(",") ?? []);
  return failoverSlots !== undefined && named.flat().includes(`repmgr_slot_${id}`);
}

/** Node to the node it follows; undefined while all follow the primary. */
export function upstreamsOf({ nodes }: ClusterSpec): Record<string, string> | undefined {
  const named = nodes.flatMap(({ name, upstream }) => (upstream === undefined ? [] : [[name, upstream] as const]));
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/** One instance; its password of the role repmgr is still to be added. */
export function instanceInputs(spec: ClusterSpec, inventory: Inventory, node: NodeSpec): Known<PgInstanceInputs> {
  return {
    ...sharedInputs(spec, inventory),
    host: node.host,
    node: node.name,
    initial: node.initialRole === "primary",
    upstream: node.upstream,
    settings: { ...spec.settings, ...node.settings },
    hba: spec.layout === undefined ? spec.hba.map(hbaLine) : spec.hbaLines,
    repmgrConf: confOf(spec, node),
    allowDataLoss: spec.allowDataLoss,
    wantsChecksums: spec.checksums,
    ...HEALTHY_INSTANCE,
    ...spaceInputs(spec, node),
    ...tlsInputs(spec, node),
  };
}

/** Nothing on a witness, which has a database of its own. */
function spaceInputs({ tablespaces }: ClusterSpec, { initialRole }: NodeSpec): Pick<PgInstanceInputs, "tablespaces"> {
  if (initialRole === "witness" || tablespaces.length === 0) return {};
  const wanted = tablespaces.map(({ name, directory }) => [name, { directory, ownership: SPACE_OWNERSHIP }] as const);
  return { tablespaces: Object.fromEntries(wanted) };
}

/** Nothing in a cluster without TLS; its private key is still to be added. */
function tlsInputs({ tls }: ClusterSpec, { tls: own }: NodeSpec): Partial<Known<PgInstanceInputs>> {
  if (tls === undefined || own === undefined) return {};
  const { keySecret: _, ...presented } = own;
  const login = tls.loginCertificates === undefined ? {} : HEALTHY_LOGIN;
  return { tls: { authorities: tls.authorities, ...presented }, ...HEALTHY_TLS, ...login };
}

/** One node's place in the cluster; its password of the role repmgr is still to be added. */
export function nodeInputs(spec: ClusterSpec, inventory: Inventory, of: NodeSpec): Known<RepmgrNodeInputs> {
  const { systemctl } = familyLayout(spec.family);
  const { postgresqlUnit: postgresql, repmgrdUnit: repmgrd } = clusterPaths(unitSpec(spec));
  const units = { [postgresql]: ["start", "stop", "restart", "reload"], [repmgrd]: ["start", "stop"] };
  return {
    ...sharedInputs(spec, inventory),
    host: of.host,
    node: of.name,
    nodeId: of.id,
    upstream: of.upstream,
    repmgrConf: confOf(spec, of),
    sudoCommands: Object.entries(spec.layout === undefined ? units : {}).flatMap(([unit, verbs]) => {
      return verbs.map((verb) => `${systemctl} ${verb} ${unit.replace(/\.service$/, "")}`);
    }),
    limitedRole: spec.limitedRole,
    ...(of.settings.sync_replication_slots === "on" ? { copiedSlots: spec.failoverSlots } : {}),
    ...HEALTHY_NODE,
  };
}

/** The daemon that watches and fails over; it runs once its node is registered. */
export function repmgrdInputs(spec: ClusterSpec, inventory: Inventory, node: NodeSpec): Known<SystemdUnitInputs> {
  const { repmgrdUnit: unit, repmgrdPidFile: pidFile } = clusterPaths(unitSpec(spec));
  const text = spec.layout === undefined ? { content: repmgrdUnit({ ...unitSpec(spec), tls: spec.tls }), pidFile } : {};
  return {
    reach: reachOf(inventory, [node.host]),
    host: node.host,
    cluster: spec.name,
    node: node.name,
    unit,
    ...text,
    files: [],
    state: "enabled",
    dropIns: [],
    running: true,
  };
}

/** What decides how a cluster's units look. */
export function unitSpec(spec: ClusterSpec) {
  const { name: cluster, version, family, dataDirectory, layout, limits } = spec;
  return { cluster, version, family, dataDirectory, layout, limits };
}

function confOf(spec: ClusterSpec, node: NodeSpec): Record<string, string> {
  const paths = clusterPaths(unitSpec(spec));
  return repmgrConf(spec, node, {
    binDirectory: familyLayout(spec.family).binDirectory(spec.version),
    configFile: paths.repmgrConf,
    passFile: paths.passFile,
    authorities: paths.authorities,
    loginCertificate: paths.loginCertificate,
    failoverValidation: paths.failoverValidation,
    promote: paths.promote,
    fence: paths.fence,
    event: paths.event,
  });
}
