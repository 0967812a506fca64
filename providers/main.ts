import type * as pulumi from "@pulumi/pulumi";
import { watchEngine } from "./engine";
import { told } from "./expected";
import { firewallRuleKind } from "./firewallRule";
import { hostKernelKind } from "./hostKernel";
import type { BaseInputs, Kind } from "./kind";
import { Lifecycle, type Properties } from "./lifecycle";
import { pgClusterKind } from "./pgCluster";
import { pgInstanceKind } from "./pgInstance";
import { pgPackagesKind } from "./pgPackages";
import { preflightKind } from "./preflight";
import { repmgrNodeKind } from "./repmgrNode";
import { openSession } from "./session";
import { upToDate } from "./state";
import { systemdUnitKind } from "./systemdUnit";

type AnyKind = Kind<BaseInputs, unknown, object>;

const KINDS = new Map(
  [
    ...[preflightKind, hostKernelKind, pgPackagesKind, firewallRuleKind, systemdUnitKind],
    ...[pgInstanceKind, repmgrNodeKind, pgClusterKind],
  ].map((kind) => [kind.name, kind as unknown as AnyKind]),
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

/** Told the old inputs, which say nothing of their form; so only here the state is not looked at. */
export async function check(olds: Properties, news: Properties): Promise<pulumi.dynamic.CheckResult> {
  const kind = kindOf(news);
  return told(`check ${kind.name}`, (await lifecycle).check(kind, olds, news));
}

export async function diff(id: string, olds: Properties, news: Properties): Promise<pulumi.dynamic.DiffResult> {
  return fromState("diff", id, olds, (life, known) => life.diff(kindOf(news), known, news));
}

export async function create(news: Properties): Promise<pulumi.dynamic.CreateResult> {
  return (await lifecycle).create(kindOf(news), news);
}

export async function read(id: string, olds: Properties): Promise<pulumi.dynamic.ReadResult> {
  return fromState("read", id, olds, (life, known) => life.read(kindOf(known), id, known));
}

export async function update(id: string, olds: Properties, news: Properties): Promise<pulumi.dynamic.UpdateResult> {
  const known = upToDate(id, olds);
  return (await lifecycle).update(kindOf(news), news, known);
}

async function remove(id: string, olds: Properties): Promise<void> {
  await fromState("delete", id, olds, (life, known) => life.delete(kindOf(known), known));
}
export { remove as delete };

/** Work on what the state keeps, in today's form. */
async function fromState<T>(
  call: string,
  id: string,
  kept: Properties,
  work: (life: Lifecycle, known: Properties) => T | Promise<T>,
): Promise<T> {
  const known = async (): Promise<Properties> => upToDate(id, kept);
  return told(
    `${call} ${String(kept.kind)} ${id}`,
    known().then(async (properties) => work(await lifecycle, properties)),
  );
}

function kindOf(properties: Properties): AnyKind {
  return kindNamed(String(properties.kind));
}

/** @throws Error for a kind that only another version of this program has */
export function kindNamed(name: string): AnyKind {
  const kind = KINDS.get(name);
  if (kind === undefined) {
    throw new Error(
      `this version does not know the kind "${name}"; the state was written by a newer one: update the program`,
    );
  }
  return kind;
}
