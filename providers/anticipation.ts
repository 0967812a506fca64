import { posix } from "node:path";
import { skewProbe } from "../facts/host";
import { neighboursProbe } from "../facts/neighbours";
import type { Probe } from "../facts/probe";
import { clusterPaths, unitPath } from "../families";
import type { ClusterInputs } from "./cluster";
import { firewallRuleKind } from "./firewallRule";
import type { BaseInputs, Ctx, Kind } from "./kind";
import { contentQuestion } from "./pgCluster";
import { pgInstanceKind } from "./pgInstance";
import { pgPackagesKind } from "./pgPackages";
import type { PreflightInputs } from "./preflight";
import { repmgrNodeKind } from "./repmgrNode";
import { systemdUnitKind } from "./systemdUnit";

/**
 * Asks at once what the reviews of a cluster's resources are going to ask, in their own words. The engine reviews a few
 * resources at a time, so without this every host would be asked three or four times; with it the first script brings
 * what the others then find. An answer that cannot be had is reported by the resource whose question it is.
 */
export function anticipateReviews(ctx: Ctx, inputs: PreflightInputs): void {
  const { reach, cluster, family, version, port, dataDirectory, layout, packages, nodes, monitored } = inputs;
  const paths = clusterPaths(inputs);
  const { postgresqlUnit, repmgrdUnit, repmgrdPidFile } = paths;
  const scripts = [paths.event, paths.failoverValidation, paths.fence, paths.promote, paths.startGuard].map((path) => ({
    path,
  }));
  const members = nodes.map(({ node, host, address, isWitness }) => ({ node, host, address, witness: isWitness }));
  const whole = { reach, cluster, family, version, port, dataDirectory, layout, members } as unknown as ClusterInputs;
  for (const { host, node, isWitness, repository } of nodes) {
    ask(ctx, pgPackagesKind, { host, family, packages, siblings: [], repository });
    const probes: Probe<unknown>[] = [skewProbe, neighboursProbe(posix.dirname(paths.directory))];
    for (const probe of isWitness ? probes : [...probes, contentQuestion(whole)])
      ctx.ask(host, probe).catch(() => undefined);
    const where = { reach, host, node, cluster, family, version, port, dataDirectory, layout, members };
    ask(ctx, pgInstanceKind, { ...where, tls: inputs.hasTls, tablespaces: isWitness ? undefined : inputs.tablespaces });
    ask(ctx, repmgrNodeKind, where);
    ask(ctx, firewallRuleKind, where);
    if (layout !== undefined) {
      ask(ctx, systemdUnitKind, { ...where, unit: repmgrdUnit, files: [] });
      continue;
    }
    ask(ctx, systemdUnitKind, { ...where, unit: postgresqlUnit, content: "", files: scripts });
    ask(ctx, systemdUnitKind, { ...where, unit: repmgrdUnit, content: "", files: [], pidFile: repmgrdPidFile });
    if (monitored === undefined) continue;
    const checks = [paths.check, unitPath(paths.checkService)].map((path) => ({ path }));
    ask(ctx, systemdUnitKind, { ...where, unit: paths.checkTimer, content: "", files: checks });
  }
}

/** @param where the inputs that say where to look, which is all that observe reads */
function ask<I extends BaseInputs, F, O extends object>(ctx: Ctx, kind: Kind<I, F, O>, where: object): void {
  kind.observe(ctx, where as I).catch(() => undefined);
}
