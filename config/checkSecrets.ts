import type { Checked } from "./check";
import { repmgrSecret } from "./deriveCluster";
import { caKeySecret } from "./deriveTls";
import type { Path } from "./located";
import type { RawCluster, RawDefaults } from "./schema";

const SSH_SECRETS = ["key_secret", "passphrase_secret", "sudo_password_secret"] as const;

/** Every secret the inventory names must be in the stack's configuration; each missing one is reported once. */
export function checkSecrets(checked: Checked): void {
  const reported = new Set<string>();
  for (const { path, name, how = `pulumi config set --secret ${name}` } of namedSecrets(checked)) {
    if (checked.secrets.has(name) || reported.has(name)) continue;
    reported.add(name);
    checked.report(path, `the stack's configuration lacks the secret '${name}'; set it with: ${how}`);
  }
}

interface NamedSecret {
  readonly path: Path;
  readonly name: string;
  /** The command that sets it. */
  readonly how?: string;
}

function namedSecrets(checked: Checked): NamedSecret[] {
  const { defaults, hosts } = checked.raw;
  const secrets = sshSecrets(["defaults", "ssh"], defaults.ssh);
  for (const [host, { ssh }] of Object.entries(hosts)) secrets.push(...sshSecrets(["hosts", host, "ssh"], ssh));
  for (const [name, cluster] of checked.clusters()) {
    const at = ["postgresql_clusters", name];
    const path = [...at, "repmgr", "password_secret"];
    if (checked.isWhole(path)) secrets.push({ path, name: repmgrSecret(name, cluster) });
    for (const [role, { password_secret: secret }] of Object.entries(cluster.roles)) {
      if (secret !== undefined) secrets.push({ path: [...at, "roles", role, "password_secret"], name: secret });
    }
    secrets.push(...tlsSecrets(name, cluster));
  }
  return secrets;
}

function tlsSecrets(cluster: string, { tls }: RawCluster): NamedSecret[] {
  const at = ["postgresql_clusters", cluster, "tls"];
  if (tls === undefined) return [];
  const { certificates } = tls;
  if (certificates === undefined)
    return [{ path: [...at, "ca_key_secret"], name: caKeySecret(cluster, tls), how: `npm run ca -- ${cluster}` }];
  return Object.entries(certificates).map(([node, { key_secret: name }]) => {
    const path = [...at, "certificates", node, "key_secret"];
    return { path, name, how: `pulumi config set --secret ${name} <FILE` };
  });
}

function sshSecrets(at: string[], ssh: RawDefaults["ssh"]): NamedSecret[] {
  return SSH_SECRETS.flatMap((key): NamedSecret[] => {
    const name = ssh?.[key];
    return name === undefined ? [] : [{ path: [...at, key], name }];
  });
}
