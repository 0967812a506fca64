import * as pulumi from "@pulumi/pulumi";
import { synchronousNames } from "../config/deriveSynchronous";
import type { ClusterSpec, NodeSpec } from "../config/types";
import { HEALTHY_CLUSTER } from "../providers/pgCluster";
import { addHooks } from "./hooks";
import { sharedInputs, upstreamsOf } from "./inputs";
import type { StackInventory } from "./inventory";
import { PgCluster, type PgPackages, type RepmgrNode } from "./kinds";
import { type ClusterContext, firewallRule, instance, node, postgresqlService, repmgrdService } from "./node";

interface BuiltNode {
  readonly spec: NodeSpec;
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
    packages: ReadonlyMap<string, PgPackages>,
  ) {
    // Inherited by all that lies below it: half a node taken away would be worse than a whole one.
    super("repmgr:index:Cluster", spec.name, {}, { protect: spec.protect });
    const context: ClusterContext = { spec, inventory, parent: this, shared: sharedInputs(spec, inventory) };
    const packagesOf = ({ host }: NodeSpec): pulumi.Resource[] => [
      packages.get(`${host}/${spec.version}`) ?? preflight,
    ];

    // Others' firewalls and units stay as they are.
    const ours = spec.layout === undefined ? spec.nodes : [];
    const rules = ours.map((n) => firewallRule(context, n, [preflight]));
    const services = ours.map((n) => postgresqlService(context, n, packagesOf(n)));
    const ready = [...rules, ...services];

    // Who begins is an order of creation only: a node without data needs a primary to be cloned from.
    const [first] = spec.nodes.filter(({ initialRole }) => initialRole === "primary") as [NodeSpec];
    const firstInstance = instance(context, first, [...packagesOf(first), ...ready]);
    const firstNode = node(context, first, [firstInstance]);
    const built = new Map([[first.name, firstNode]]);
    for (const n of upstreamsFirst(spec.nodes, first)) {
      const after = [firstNode, ...(n.upstream === undefined ? [] : [built.get(n.upstream)])].filter(
        (r) => r !== undefined,
      );
      built.set(n.name, node(context, n, [instance(context, n, [...packagesOf(n), ...ready, ...after])]));
    }
    const nodes = spec.nodes.map((n) => ({ spec: n, resource: built.get(n.name) ?? firstNode }));
    const daemons = nodes.map(({ spec: n, resource }) => repmgrdService(context, n, [resource]));
    const cluster = this.content(context, nodes, daemons);
    const last = [cluster, ...addHooks(context, cluster)];
    this.registered = pulumi.all(last.map(({ urn }) => urn));
    this.outputs = pulumi.output({
      primary: cluster.primary,
      timeline: cluster.timeline,
      nodes: cluster.nodes,
      connectionStrings: cluster.connectionStrings,
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
        databases: spec.databases,
        settings: spec.settings,
        nodeSettings: spec.layout && Object.fromEntries(spec.nodes.map((n) => [n.name, n.settings])),
        packageVersion: spec.packageVersion,
        preferredPrimary: spec.preferredPrimary,
        switchBack: spec.switchBack,
        upstreams: upstreamsOf(spec),
        checksums: spec.checksums,
        synchronous: synchronousNames(spec),
        nodeRoles: pulumi.output(
          Object.fromEntries(nodes.map(({ spec: { name }, resource }) => [name, resource.role])),
        ),
        ...HEALTHY_CLUSTER,
      },
      { parent: this, dependsOn: [...nodes.map(({ resource }) => resource), ...daemons] },
    );
  }
}

/** All but the one that begins; a standby comes after the one it follows, from which it is cloned. */
function upstreamsFirst(nodes: readonly NodeSpec[], first: NodeSpec): NodeSpec[] {
  const depth = ({ upstream }: NodeSpec): number => {
    const next = nodes.find(({ name }) => name === upstream);
    return next === undefined ? 0 : 1 + depth(next);
  };
  return nodes.filter(({ name }) => name !== first.name).sort((a, b) => depth(a) - depth(b));
}
