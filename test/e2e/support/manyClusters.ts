import { QUICK_FAILOVER } from "./inventory";

/** What a suite needs to know of one cluster; its nodes are called after their hosts. */
export interface ClusterOnLab {
  readonly version: 15 | 17;
  readonly port: number;
  readonly primary: string;
  readonly standbys: readonly string[];
  readonly witness?: string;
}

/** Three of 17 and two of 15 on the same three hosts; each has its primary elsewhere than the next. */
export const CLUSTERS: Readonly<Record<string, ClusterOnLab>> = {
  main: { version: 17, port: 5432, primary: "pg1", standbys: ["pg2", "pg3"] },
  orders: { version: 17, port: 5433, primary: "pg3", standbys: ["pg1"], witness: "pg2" },
  billing: { version: 17, port: 5434, primary: "pg2", standbys: ["pg3", "pg1"] },
  ledger: { version: 15, port: 5435, primary: "pg2", standbys: ["pg1", "pg3"] },
  archive: { version: 15, port: 5436, primary: "pg3", standbys: ["pg1", "pg2"] },
};

/** A cluster as an inventory has it. */
export function described({ version, port, primary, standbys, witness }: ClusterOnLab): Record<string, unknown> {
  const roles: (readonly [string, object])[] = [
    [primary, { role: "primary" }],
    ...standbys.map((host) => [host, {}] as const),
    ...(witness === undefined ? [] : [[witness, { role: "witness" }] as const]),
  ];
  const nodes = Object.fromEntries(
    roles.map(([host, role], index) => [host.replace("pg", "n"), { id: index + 1, host, ...role }]),
  );
  return { version, port, nodes, repmgr: { options: QUICK_FAILOVER, password_secret: "main_repmgr_password" } };
}

/** All that a sixth one needs. */
export const SIXTH = `  search:
    version: 17
    port: 5437
    nodes:
      n1: { id: 1, host: pg1 }
      n2: { id: 2, host: pg2, role: primary }
      n3: { id: 3, host: pg3 }
    repmgr:
      password_secret: main_repmgr_password
    settings:
      max_connections: 50
      work_mem: 8MB
`;
