import type * as pulumi from "@pulumi/pulumi";
import { watchEngine } from "./engine";
import { told } from "./expected";
import { firewallRuleKind } from "./firewallRule";
import type { BaseInputs, Kind } from "./kind";
import { Lifecycle, type Properties } from "./lifecycle";
import { pgClusterKind } from "./pgCluster";
import { pgInstanceKind } from "./pgInstance";
import { pgPackagesKind } from "./pgPackages";
import { preflightKind } from "./preflight";
import { repmgrNodeKind } from "./repmgrNode";
import { openSession } from "./session";
import { systemdUnitKind } from "./systemdUnit";

type AnyKind = Kind<BaseInputs, unknown, object>;

const KINDS = new Map(
  [preflightKind, pgPackagesKind, firewallRuleKind, pgInstanceKind, systemdUnitKind, repmgrNodeKind, pgClusterKind].map(
    (kind) => [kind.name, kind as unknown as AnyKind],
  ),
);

let configured: (lifecycle: Lifecycle) => void;
let refused: (error: unknown) => void;
// The SDK calls handlers before configure has ended, so they wait for it.
const lifecycle = new Promise<Lifecycle>((resolve, reject) => {
  configured = resolve;
  refused = reject;
});
lifecycle.catch(() => undefined);

/** Called once, before any handler's work begins, with the configuration of the stack. */
export function configure(config: pulumi.dynamic.Config): Promise<void> {
  try {
    const secret = (name: string): string | undefined => config.get(name);
    // The SDK's own argument to this process: where the engine listens.
    const stop = watchEngine(process.argv[2]);
    configured(new Lifecycle(openSession({ inventory: config.require("inventory"), secret, stop })));
  } catch (error) {
    refused(error);
  }
  return Promise.resolve();
}

export async function check(olds: Properties, news: Properties): Promise<pulumi.dynamic.CheckResult> {
  const kind = kindOf(news);
  return told(`check ${kind.name}`, (await lifecycle).check(kind, olds, news));
}

export async function diff(_id: string, olds: Properties, news: Properties): Promise<pulumi.dynamic.DiffResult> {
  return (await lifecycle).diff(kindOf(news), olds, news);
}

export async function create(news: Properties): Promise<pulumi.dynamic.CreateResult> {
  return (await lifecycle).create(kindOf(news), news);
}

export async function read(id: string, olds: Properties): Promise<pulumi.dynamic.ReadResult> {
  return told(`read ${kindOf(olds).name} ${id}`, (await lifecycle).read(kindOf(olds), id, olds));
}

export async function update(_id: string, _olds: Properties, news: Properties): Promise<pulumi.dynamic.UpdateResult> {
  return (await lifecycle).update(kindOf(news), news);
}

async function remove(id: string, olds: Properties): Promise<void> {
  await told(`delete ${kindOf(olds).name} ${id}`, (await lifecycle).delete(kindOf(olds), olds));
}
export { remove as delete };

function kindOf(properties: Properties): AnyKind {
  const name = String(properties.kind);
  const kind = KINDS.get(name);
  if (kind === undefined) {
    throw new Error(
      `this version does not know the kind "${name}"; the state was written by a newer one: update the program`,
    );
  }
  return kind;
}
