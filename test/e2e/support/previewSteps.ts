/** One property of one resource that a preview would change. */
export interface Change {
  /** "PgInstance pg1/5432" */
  readonly resource: string;
  /** "settings.work_mem"; positions in lists are left out. */
  readonly property: string;
  readonly found: unknown;
  readonly wanted: unknown;
}

interface Step {
  readonly op: string;
  readonly oldState?: { readonly type: string; readonly id: string; readonly inputs: unknown };
  readonly newState?: { readonly inputs: unknown };
  readonly detailedDiff?: Readonly<Record<string, unknown>> | null;
}

/**
 * What `pulumi preview --json` would change, without `pending`, which tells how; by resource, as the engine's steps come
 * in the order in which they end. Creations and deletions are errors here.
 * @throws Error when the output is not what a preview prints
 */
export function changesOf(json: string): Change[] {
  const { steps } = JSON.parse(json) as { steps: readonly Step[] };
  const strange = steps.filter(({ op }) => !["same", "refresh", "update"].includes(op)).map(({ op }) => op);
  if (strange.length > 0) throw new Error(`the preview would ${strange.join(", ")}`);
  const changes = steps
    .filter(({ op }) => op === "update")
    .flatMap(({ oldState, newState, detailedDiff }) => {
      const properties = Object.keys(detailedDiff ?? {}).map((path) => path.replace(/\[\d+\]/g, ""));
      return [...new Set(properties)]
        .filter((property) => property !== "pending")
        .map((property) => ({
          resource: nameOf(oldState),
          property,
          found: valueAt(oldState?.inputs, property),
          wanted: valueAt(newState?.inputs, property),
        }));
    });
  return changes.sort((a, b) => a.resource.localeCompare(b.resource));
}

/** By resource, what the preview says that `up` would do there. */
export function plansOf(json: string): Record<string, string> {
  const { steps } = JSON.parse(json) as { steps: readonly Step[] };
  const found = steps.flatMap(({ oldState }) => {
    const { pending } = (oldState?.inputs ?? {}) as { pending?: readonly string[] };
    return pending === undefined ? [] : [[nameOf(oldState), pending.join("\n")] as const];
  });
  return Object.fromEntries(found);
}

function nameOf(state: Step["oldState"]): string {
  return `${state?.type.split(":").at(-1) ?? "?"} ${state?.id ?? "?"}`;
}

/** What the preview says of the clusters, a line each. */
export function consequencesOf(json: string): string[] {
  const { diagnostics = [] } = JSON.parse(json) as { diagnostics?: readonly { message: string }[] };
  return diagnostics.map(({ message }) => message.trim()).filter((line) => line.startsWith("cluster "));
}

/** @param path such as settings.work_mem or sysctl["vm.overcommit_memory"] */
function valueAt(inputs: unknown, path: string): unknown {
  const keys = path.match(/"[^"]+"|[^.[\]"]+/g) ?? [];
  return keys
    .map((key) => key.replaceAll('"', ""))
    .reduce((value: unknown, key) => (Array.isArray(value) ? value : (value as Record<string, unknown>)[key]), inputs);
}
