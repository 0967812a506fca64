import * as pulumi from "./sdk";
import { expiryWarnings } from "../config/deriveTls";
import { synchronousNames } from "../config/deriveSynchronous";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { HEALTHY_CLUSTER } from "../providers/pgCluster";
import { addHooks } from "./hooks";
import { sharedInputs, unitSpec, upstreamsOf } from "./inputs";
import type { StackInventory } from "./inventory";
import { type FirewallRule, PgCluster, type PgInstance, type RepmgrNode } from "./kinds";
import { postgresqlUnit } from "./units";
import { check, type ClusterContext, firewallRule, instance, node, postgresqlService, repmgrdService } from "./node";

interface BuiltNode {
  readonly spec: NodeSpec;
  readonly instance: PgInstance;
  readonly resource: RepmgrNode;
}

/** One cluster: its nodes around the one that begins, then what exists once. Its outputs are what a person wants to read. */
export class Cluster extends pulumi.ComponentResource {
  readonly outputs: pulumi.Output<object>;
  /** Resolves when the last of its resources is registered. */
  readonly registered: pulumi.Output<unknown>;

  constructor(
    spec: ClusterSpec,
    inventory: StackInventory,
    preflight: pulumi.Resource,
    /** By "host/version". */
    prepared: ReadonlyMap<string, readonly pulumi.Resource[]>,
  ) {
    // Inherited by all that lies below it: half a node taken away would be worse than a whole one.
    super("repmgr:index:Cluster", spec.name, {}, { protect: spec.protect });
    for (const warning of expiryWarnings(spec, Date.now())) void pulumi.log.warn(warning, this);
    const context: ClusterContext = { spec, inventory, parent: this, shared: sharedInputs(spec, inventory) };
    const groundOf = ({ host }: NodeSpec): pulumi.Resource[] => [
      ...(prepared.get(`${host}/${spec.version}`) ?? [preflight]),
    ];

    // Others' firewalls and units stay as they are.
    const ours = spec.layout === undefined ? spec.nodes : [];
    const rules = ours.map((n) => firewallRule(context, n, [preflight]));
    const services = ours.map((n) => postgresqlService(context, n, groundOf(n)));
    const ready = [...rules, ...services];

    // Who begins is an order of creation only: a node without data needs a primary to be cloned from.
    const [first] = spec.nodes.filter(({ initialRole }) => initialRole === "primary") as [NodeSpec];
    const firstInstance = instance(context, first, [...groundOf(first), ...ready]);
    const begun = { spec: first, instance: firstInstance, resource: node(context, first, [firstInstance]) };
    const built = new Map<string, BuiltNode>([[first.name, begun]]);
    for (const n of inOrder(spec.nodes, first)) {
      const after = [begun, ...(n.upstream === undefined ? [] : [built.get(n.upstream)])].flatMap(
        (before) => before?.resource ?? [],
      );
      const own = instance(context, n, [...groundOf(n), ...ready, ...after]);
      // A witness copies the rows that are there, and again when repmgrd asks (witness_sync_interval); one that stays behind
      // on purpose replays those of others late. If the primary died before that, it would know no successor to follow.
      const known = isLate(n) ? [...built.values()].map(({ resource }) => resource) : [];
      built.set(n.name, { spec: n, instance: own, resource: node(context, n, [own, ...known]) });
    }
    const nodes = spec.nodes.map((n) => built.get(n.name) ?? begun);
    const daemons = nodes.map(({ spec: n, resource }) => repmgrdService(context, n, [resource]));
    const checks = nodes.flatMap(({ spec: n, resource }) => check(context, n, [resource]));
    const cluster = this.content(context, nodes, [...daemons, ...checks]);
    const last = [cluster, ...addHooks(context, cluster)];
    this.registered = pulumi.all(last.map(({ urn }) => urn));
    this.outputs = pulumi.output({
      primary: cluster.primary,
      timeline: cluster.timeline,
      nodes: cluster.nodes,
      connectionStrings: cluster.connectionStrings,
      ...firewallOutputs(ours, rules),
      ...tlsOutputs(spec, nodes),
    });
    this.registerOutputs({ outputs: this.outputs });
  }

  private content(
    { spec, inventory, shared }: ClusterContext,
    nodes: readonly BuiltNode[],
    daemons: pulumi.Resource[],
  ): PgCluster {
    const passwords = spec.roles.flatMap(({ name, passwordSecret }) =>
      passwordSecret === undefined ? [] : [[name, inventory.secret(passwordSecret)] as const],
    );
    return new PgCluster(
      spec.name,
      {
        ...shared,
        roles: spec.roles.map(({ passwordSecret: _, ...role }) => role),
        rolePasswords: pulumi.secret(Object.fromEntries(passwords)),
        tablespaces: spec.tablespaces.length === 0 ? undefined : spec.tablespaces,
        databases: spec.databases,
        removed: spec.removed,
        settings: spec.settings,
        nodeSettings: spec.layout && Object.fromEntries(spec.nodes.map((n) => [n.name, n.settings])),
        packageVersion: spec.packageVersion,
        preferredPrimary: spec.preferredPrimary,
        switchBack: spec.switchBack,
        unit: spec.restartsForUnit ? postgresqlUnit(unitSpec(spec)) : undefined,
        upstreams: upstreamsOf(spec),
        checksums: spec.checksums,
        synchronous: synchronousNames(spec),
        caFile: spec.tls?.caFile,
        nodeRoles: pulumi.output(
          Object.fromEntries(nodes.map(({ spec: { name }, resource }) => [name, resource.role])),
        ),
        ...HEALTHY_CLUSTER,
      },
      { parent: this, dependsOn: [...nodes.map(({ resource }) => resource), ...daemons] },
    );
  }
}

/** By host, which firewall has the port open and what of it is left to others; nothing where no rule is ours. */
function firewallOutputs(nodes: readonly NodeSpec[], rules: readonly FirewallRule[]): object {
  if (rules.length === 0) return {};
  return { firewalls: Object.fromEntries(rules.map(({ firewall }, index) => [nodes[index]?.host ?? "", firewall])) };
}

/** What clients need to trust the cluster, and until when each node's certificate counts. */
function tlsOutputs({ tls }: ClusterSpec, nodes: readonly BuiltNode[]): object {
  if (tls === undefined) return {};
  const expires = nodes.map(
    ({ spec: { name }, instance: { certificateExpires } }) => [name, certificateExpires] as const,
  );
  return { tls: { ca: tls.authorities, expires: Object.fromEntries(expires) } };
}

/** Sees what repmgr.nodes holds later than the others. */
function isLate({ initialRole, delay }: NodeSpec): boolean {
  return initialRole === "witness" || delay !== undefined;
}

/** All but the one that begins: a standby after the one it follows, from which it is cloned; those that are late last. */
function inOrder(nodes: readonly NodeSpec[], first: NodeSpec): NodeSpec[] {
  const follows = ({ upstream }: NodeSpec): NodeSpec | undefined => nodes.find(({ name }) => name === upstream);
  const place = (node: NodeSpec): number => {
    if (node.initialRole === "witness") return 2 * nodes.length;
    const next = follows(node);
    const after = next === undefined ? 0 : 1 + place(next);
    return isLate(node) ? Math.max(after, nodes.length) : after;
  };
  return nodes.filter(({ name }) => name !== first.name).sort((a, b) => place(a) - place(b));
}
