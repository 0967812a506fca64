import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import type * as command from "@pulumi/command";
import type { HookSpec } from "../config/types";
import type { HostConnection } from "../ssh/types";
import { hostOf } from "./hosts";
import type { ClusterContext } from "./node";

/**
 * Runs the user's after_deploy commands when the cluster's configuration changes, on the control machine or on a node.
 * The plugin of @pulumi/command is only needed, and only loaded, where a cluster has hooks.
 */
export function addHooks(context: ClusterContext, after: pulumi.Resource): void {
  const { spec, parent } = context;
  if (spec.hooks.afterDeploy.length === 0) return;
  const { local, remote } = require("@pulumi/command") as typeof command;
  const triggers = [createHash("sha256").update(JSON.stringify(spec)).digest("hex")];
  spec.hooks.afterDeploy.forEach((hook, index) => {
    const name = `${spec.name}-after-deploy-${index + 1}`;
    const args = { create: hook.run, update: hook.run, triggers };
    const options = { parent, dependsOn: [after] };
    if (hook.on === "control") new local.Command(name, args, options);
    else new remote.Command(name, { ...args, connection: connectionOf(context, hook) }, options);
  });
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
