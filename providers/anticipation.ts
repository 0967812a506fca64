import { clusterPaths } from "../families";
import type { ClusterInputs } from "./cluster";
import { firewallRuleKind } from "./firewallRule";
import type { BaseInputs, Ctx, Kind } from "./kind";
import { observeContent } from "./pgCluster";
import { pgInstanceKind } from "./pgInstance";
import type { PreflightInputs } from "./preflight";
import { repmgrNodeKind } from "./repmgrNode";
import { systemdUnitKind } from "./systemdUnit";

/**
 * Asks at once what the reviews of a cluster's resources are going to ask, in their own words. The engine reviews a few
 * resources at a time, so without this every host would be asked three or four times; with it the first script brings
 * what the others then find. An answer that cannot be had is reported by the resource whose question it is.
 */
export function anticipateReviews(ctx: Ctx, inputs: PreflightInputs): void {
  const { reach, cluster, family, version, port, dataDirectory, layout, nodes } = inputs;
  const { postgresqlUnit, repmgrdUnit, repmgrdPidFile, startGuard } = clusterPaths(inputs);
  const members = nodes.map(({ node, host, address, isWitness }) => ({ node, host, address, witness: isWitness }));
  const whole = { reach, cluster, family, version, port, dataDirectory, layout, members };
  observeContent(ctx, whole as unknown as ClusterInputs).catch(() => undefined);
  for (const { host, node } of nodes) {
    const where = { reach, host, node, cluster, family, version, port, dataDirectory, layout, members };
    ask(ctx, pgInstanceKind, where);
    ask(ctx, repmgrNodeKind, where);
    ask(ctx, firewallRuleKind, where);
    if (layout !== undefined) {
      ask(ctx, systemdUnitKind, { ...where, unit: repmgrdUnit, files: [] });
      continue;
    }
    ask(ctx, systemdUnitKind, { ...where, unit: postgresqlUnit, content: "", files: [{ path: startGuard }] });
    ask(ctx, systemdUnitKind, { ...where, unit: repmgrdUnit, content: "", files: [], pidFile: repmgrdPidFile });
  }
}

/** @param where the inputs that say where to look, which is all that observe reads */
function ask<I extends BaseInputs, F, O extends object>(ctx: Ctx, kind: Kind<I, F, O>, where: object): void {
  kind.observe(ctx, where as I).catch(() => undefined);
}
