import type { Checked } from "./check";
import { repmgrSecret } from "./deriveCluster";
import type { Path } from "./located";
import type { RawDefaults } from "./schema";

const SSH_SECRETS = ["key_secret", "passphrase_secret", "sudo_password_secret"] as const;

/** Every secret the inventory names must be in the stack's configuration; each missing one is reported once. */
export function checkSecrets(checked: Checked): void {
  const reported = new Set<string>();
  for (const [path, name] of namedSecrets(checked)) {
    if (checked.hasSecret(name) || reported.has(name)) continue;
    reported.add(name);
    const remedy = `set it with: pulumi config set --secret ${name}`;
    checked.report(path, `the stack's configuration lacks the secret '${name}'; ${remedy}`);
  }
}

function namedSecrets(checked: Checked): [Path, string][] {
  const { defaults, hosts } = checked.raw;
  const secrets = sshSecrets(["defaults", "ssh"], defaults.ssh);
  for (const [host, { ssh }] of Object.entries(hosts)) secrets.push(...sshSecrets(["hosts", host, "ssh"], ssh));
  for (const [name, cluster] of checked.clusters()) {
    const at = ["postgresql_clusters", name];
    const path = [...at, "repmgr", "password_secret"];
    if (checked.isWhole(path)) secrets.push([path, repmgrSecret(name, cluster)]);
    for (const [role, { password_secret: secret }] of Object.entries(cluster.roles)) {
      if (secret !== undefined) secrets.push([[...at, "roles", role, "password_secret"], secret]);
    }
  }
  return secrets;
}

function sshSecrets(at: string[], ssh: RawDefaults["ssh"]): [Path, string][] {
  return SSH_SECRETS.flatMap((key): [Path, string][] => {
    const name = ssh?.[key];
    return name === undefined ? [] : [[[...at, key], name]];
  });
}
