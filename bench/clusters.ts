/** What has to be known of one of several clusters on the same hosts; its nodes are called after these. */
export interface ClusterOnHosts {
  readonly version: 15 | 17;
  readonly port: number;
  readonly primary: string;
  readonly standbys: readonly string[];
  readonly witness?: string;
}

/** Three of 17 and two of 15 on the same three hosts; each has its primary elsewhere than the next. */
export const CLUSTERS: Readonly<Record<string, ClusterOnHosts>> = {
  main: { version: 17, port: 5432, primary: "pg1", standbys: ["pg2", "pg3"] },
  orders: { version: 17, port: 5433, primary: "pg3", standbys: ["pg1"], witness: "pg2" },
  billing: { version: 17, port: 5434, primary: "pg2", standbys: ["pg3", "pg1"] },
  ledger: { version: 15, port: 5435, primary: "pg2", standbys: ["pg1", "pg3"] },
  archive: { version: 15, port: 5436, primary: "pg3", standbys: ["pg1", "pg2"] },
};

/** All but main as an inventory has them. @param options repmgr's */
export function besidesMain(options: Readonly<Record<string, number>> = {}): Record<string, Record<string, unknown>> {
  const others = Object.entries(CLUSTERS).filter(([name]) => name !== "main");
  return Object.fromEntries(others.map(([name, cluster]) => [name, described(cluster, options)]));
}

function described(
  { version, port, primary, standbys, witness }: ClusterOnHosts,
  options: Readonly<Record<string, number>>,
): Record<string, unknown> {
  const roles: (readonly [string, object])[] = [
    [primary, { role: "primary" }],
    ...standbys.map((host) => [host, {}] as const),
    ...(witness === undefined ? [] : [[witness, { role: "witness" }] as const]),
  ];
  const nodes = Object.fromEntries(
    roles.map(([host, role], index) => [host.replace("pg", "n"), { id: index + 1, host, ...role }]),
  );
  return { version, port, nodes, repmgr: { options, password_secret: "main_repmgr_password" } };
}
