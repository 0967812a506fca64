import type { Lab } from "../lab";

/** What SQL on the host says; "down" when nothing answers there. */
export type Role = "primary" | "standby" | "down";

/** Roles by host, asked of PostgreSQL itself. @param port of the cluster, default 5432 */
export async function roles(lab: Lab, hosts: readonly string[], port = 5432): Promise<Map<string, Role>> {
  return new Map(await Promise.all(hosts.map(async (host) => [host, await roleOf(lab, host, port)] as const)));
}

export async function isPrimary(lab: Lab, host: string, port = 5432): Promise<boolean> {
  return (await roleOf(lab, host, port)) === "primary";
}

/** `repmgr cluster show` as one node sees it. */
export async function clusterShow(lab: Lab, host: string, cluster = "main"): Promise<{ code: number; text: string }> {
  const command = `repmgr -f /etc/repmgr/${cluster}/repmgr.conf cluster show`;
  const { code, stdout, stderr } = await lab.exec(host, command, { user: "postgres" });
  return { code, text: stdout + stderr };
}

async function roleOf(lab: Lab, host: string, port: number): Promise<Role> {
  const psql = ["psql", "-XAtq", "-p", String(port), "-c", "select pg_is_in_recovery()", "postgres"];
  const { code, stdout } = await lab.exec(host, psql, { user: "postgres" });
  if (code !== 0) return "down";
  return stdout.trim() === "f" ? "primary" : "standby";
}
