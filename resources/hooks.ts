import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as pulumi from "./sdk";
import type * as command from "@pulumi/command";
import type { HookSpec } from "../config/types";
import type { HostConnection } from "../ssh/types";
import { hostOf } from "./inputs";
import type { ClusterContext } from "./node";

/** The one in package.json; a plugin of another version is not used. */
export const COMMAND_VERSION = "1.2.1";

/**
 * Runs the user's after_deploy commands when the cluster's configuration changes, on the control machine or on a node.
 * Returns the resources that do so. The plugin of @pulumi/command is only needed, and only loaded, where a cluster has hooks.
 */
export function addHooks(context: ClusterContext, after: pulumi.Resource): pulumi.Resource[] {
  const { spec, parent } = context;
  if (spec.hooks.afterDeploy.length === 0) return [];
  refuseWithoutPlugin(spec.name);
  const { local, remote } = require("@pulumi/command") as typeof command;
  const triggers = [createHash("sha256").update(JSON.stringify(spec)).digest("hex")];
  return spec.hooks.afterDeploy.map((hook, index) => {
    const name = `${spec.name}-after-deploy-${index + 1}`;
    const args = { create: hook.run, update: hook.run, triggers };
    const options = { parent, dependsOn: [after] };
    if (hook.on === "control") return new local.Command(name, args, options);
    return new remote.Command(name, { ...args, connection: connectionOf(context, hook) }, options);
  });
}

/**
 * Where Pulumi may fetch plugins it does so by itself; where it may not, its own words name neither cluster nor remedy.
 * @throws pulumi.RunError naming the command to type
 */
export function refuseWithoutPlugin(cluster: string): void {
  const { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: disabled, PULUMI_HOME: home } = process.env;
  if (disabled === undefined || /^(|0|false)$/i.test(disabled)) return;
  const plugin = join(home ?? join(homedir(), ".pulumi"), "plugins", `resource-command-v${COMMAND_VERSION}`);
  if (existsSync(plugin)) return;
  const install = `pulumi plugin install resource command ${COMMAND_VERSION}`;
  throw new pulumi.RunError(
    `cluster ${cluster} has hooks, and the plugin that runs them is not installed: ${plugin} is not there, and ` +
      `PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION keeps Pulumi from fetching it. Type: "${install}", ` +
      `or, with the release archive brought here by other means, "${install} --file pulumi-resource-command-v${COMMAND_VERSION}-<system>.tar.gz".`,
  );
}

function connectionOf({ spec, inventory }: ClusterContext, hook: HookSpec): command.types.input.remote.ConnectionArgs {
  const node = spec.nodes.find(({ name }) => name === hook.on);
  if (node === undefined) throw new Error(`the inventory was accepted with a hook on the unknown node ${hook.on}`);
  const { address, port, user, hostKeys, agent, jump, ...keys } = hostOf(inventory, node.host).connection;
  return {
    host: address,
    port,
    user,
    hostKey: hostKeys[0],
    ...(agent ? { agentSocketPath: process.env.SSH_AUTH_SOCK } : { privateKey: privateKey(keys, inventory) }),
    ...(keys.passphraseSecret === undefined ? {} : { privateKeyPassword: inventory.secret(keys.passphraseSecret) }),
    ...(jump === undefined
      ? {}
      : { proxy: { host: jump.address, port: jump.port, user: jump.user, privateKey: privateKey(jump, inventory) } }),
    dialErrorLimit: 3,
  };
}

function privateKey(
  { keyFile, keySecret }: Pick<HostConnection, "keyFile" | "keySecret">,
  inventory: ClusterContext["inventory"],
): pulumi.Output<string> | undefined {
  if (keySecret !== undefined) return inventory.secret(keySecret);
  return keyFile === undefined ? undefined : pulumi.secret(readFileSync(keyFile, "utf8"));
}
