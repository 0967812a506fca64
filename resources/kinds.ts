import * as pulumi from "./sdk";
import { putAside } from "../providers/aside";
import type { FirewallRuleInputs } from "../providers/firewallRule";
import type { HostKernelInputs } from "../providers/hostKernel";
import type { BaseInputs } from "../providers/kind";
import type { NodeReport } from "../providers/clusterReport";
import type { PgClusterInputs } from "../providers/pgCluster";
import type { PgInstanceInputs } from "../providers/pgInstance";
import type { PgPackagesInputs } from "../providers/pgPackages";
import type { PreflightInputs } from "../providers/preflight";
import type { RepmgrNodeInputs } from "../providers/repmgrNode";
import type { SystemdUnitInputs } from "../providers/systemdUnit";
import { shim } from "./shim";

/** What the program gives a resource: its inputs, each maybe still to come; the same for all is added here. */
export type Args<I extends BaseInputs> = {
  readonly [K in keyof I as Exclude<K, "kind" | "pending">]: pulumi.Input<I[K]>;
};

abstract class Kind<I extends BaseInputs> extends pulumi.CustomResource {
  constructor(
    kind: string,
    name: string,
    args: Args<I>,
    outputs: readonly string[],
    options: pulumi.CustomResourceOptions,
    { clusters, aside = [] }: { clusters?: readonly string[]; aside?: readonly (keyof I & string)[] } = {},
  ) {
    const { cluster } = args as { cluster?: pulumi.Input<string> };
    const toCome = Object.fromEntries(outputs.map((output) => [output, undefined]));
    // What pulumi.dynamic.Resource does, with the provider already in its stored form.
    super(
      `pulumi-nodejs:dynamic/pg:${kind}`,
      name,
      {
        ...putAside(args, ["reach", ...aside]),
        kind,
        pending: [],
        ...foreseenFor(clusters ?? cluster),
        ...toCome,
        __provider: shim,
      },
      options,
    );
  }
}

/**
 * The clusters whose preview tells what up will mean. Nothing outside of previews, of which a provider is not told
 * otherwise; the check takes it out of the inputs again.
 */
function foreseenFor(of: readonly string[] | pulumi.Input<string> | undefined): object {
  if (of === undefined || !pulumi.isDryRun()) return {};
  return { foreseenFor: Array.isArray(of) ? of : [of] };
}

/** Looks at every host of a cluster before anything is written; owns nothing. */
export class Preflight extends Kind<PreflightInputs> {
  constructor(name: string, args: Args<PreflightInputs>, options: pulumi.CustomResourceOptions) {
    super("Preflight", name, args, [], options);
  }
}

/** The packages of one major version on a host, and where they come from. */
export class PgPackages extends Kind<PgPackagesInputs> {
  /** @param clusters those that use the packages */
  constructor(
    name: string,
    args: Args<PgPackagesInputs>,
    options: pulumi.CustomResourceOptions,
    clusters: readonly string[],
  ) {
    super("PgPackages", name, args, [], options, { clusters });
  }
}

/** Settings of a host's kernel. */
export class HostKernel extends Kind<HostKernelInputs> {
  /** @param clusters those on the host */
  constructor(
    name: string,
    args: Args<HostKernelInputs>,
    options: pulumi.CustomResourceOptions,
    clusters: readonly string[],
  ) {
    super("HostKernel", name, args, [], options, { clusters });
  }
}

/** A port opened to named sources. */
export class FirewallRule extends Kind<FirewallRuleInputs> {
  declare readonly firewall: pulumi.Output<string>;
  constructor(name: string, args: Args<FirewallRuleInputs>, options: pulumi.CustomResourceOptions) {
    super("FirewallRule", name, args, ["firewall"], options);
  }
}

/** A unit of systemd, with the scripts it executes. */
export class SystemdUnit extends Kind<SystemdUnitInputs> {
  constructor(name: string, args: Args<SystemdUnitInputs>, options: pulumi.CustomResourceOptions) {
    super("SystemdUnit", name, args, [], options, { aside: ["sources"] });
  }
}

/** PGDATA and its configuration. */
export class PgInstance extends Kind<PgInstanceInputs> {
  declare readonly certificateExpires: pulumi.Output<string | undefined>;
  constructor(name: string, args: Args<PgInstanceInputs>, options: pulumi.CustomResourceOptions) {
    super("PgInstance", name, args, ["certificateExpires"], options, { aside: ["repmgrConf"] });
  }
}

/** A node's registration, and whether it runs and follows. */
export class RepmgrNode extends Kind<RepmgrNodeInputs> {
  declare readonly role: pulumi.Output<NodeReport["role"]>;
  constructor(name: string, args: Args<RepmgrNodeInputs>, options: pulumi.CustomResourceOptions) {
    super("RepmgrNode", name, args, ["role"], options);
  }
}

/** What exists once a cluster, and what a person wants to read of it. */
export class PgCluster extends Kind<PgClusterInputs> {
  declare readonly primary: pulumi.Output<string>;
  declare readonly timeline: pulumi.Output<number>;
  declare readonly nodes: pulumi.Output<readonly NodeReport[]>;
  declare readonly connectionStrings: pulumi.Output<Readonly<Record<string, string>>>;
  constructor(name: string, args: Args<PgClusterInputs>, options: pulumi.CustomResourceOptions) {
    super("PgCluster", name, args, ["primary", "timeline", "nodes", "connectionStrings"], options);
  }
}
