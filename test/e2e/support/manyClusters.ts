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
