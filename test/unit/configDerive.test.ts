import { repmgrConf } from "../../config/deriveRepmgr";
import { preloadLibraries } from "../../config/deriveSettings";
import type { ClusterSpec } from "../../config/types";
import { edited, type Edit, inventoryOf, N2, N3, OPTION, RULE, SETTING, SSH } from "./configFixture";

function clusterOf(...edits: readonly Edit[]): ClusterSpec {
  const [cluster] = inventoryOf(edited(...edits)).clusters;
  if (!cluster) throw new Error("no cluster");
  return cluster;
}

describe("settings", () => {
  test("hold what repmgr needs, the defaults and the user's own", () => {
    expect(clusterOf().settings).toEqual({
      archive_command: "/bin/true",
      archive_mode: "on",
      cluster_name: "main",
      full_page_writes: "on",
      hot_standby: "on",
      synchronous_standby_names: "",
      listen_addresses: "*",
      log_directory: "/var/log/postgresql/main",
      log_filename: "postgresql-%a.log",
      log_line_prefix: "%m [%p] %q%u@%d ",
      log_rotation_age: "1d",
      log_rotation_size: "0",
      log_truncate_on_rotation: "on",
      logging_collector: "on",
      max_replication_slots: "10",
      max_slot_wal_keep_size: "10GB",
      max_wal_senders: "10",
      password_encryption: "scram-sha-256",
      port: "5432",
      restart_after_crash: "off",
      shared_preload_libraries: "repmgr",
      unix_socket_directories: "/run/postgresql",
      wal_level: "replica",
      wal_log_hints: "on",
      wal_sender_timeout: "6s",
      work_mem: "8MB",
    });
  });

  test("booleans become on and off, numbers text, and the user's values win where they may", () => {
    const own = "{ jit: false, max_connections: 200, archive_command: 'cp %p /a/%f', max_wal_senders: 20 }";
    expect(clusterOf([`\n      ${SETTING}`, ` ${own}`]).settings).toMatchObject({
      jit: "off",
      max_connections: "200",
      archive_command: "cp %p /a/%f",
      max_wal_senders: "20",
    });
  });

  test("senders and slots grow with the nodes", () => {
    const more = Array.from({ length: 9 }, (_, i) => [`  x${i}: { address: 198.18.0.${i + 1} }\n`, i + 10] as const);
    const nodes = more.map(([, id], i) => `      x${i}: { id: ${id}, host: x${i} }\n`).join("");
    const hosts = more.map(([host]) => host).join("");
    const { settings } = clusterOf(
      ["postgresql_clusters", `${hosts}postgresql_clusters`],
      ["    settings", `${nodes}    settings`],
    );
    expect(settings).toMatchObject({ max_wal_senders: "16", max_replication_slots: "14" });
  });

  test.each([
    [undefined, "repmgr"],
    ["pg_stat_statements", "repmgr,pg_stat_statements"],
    [" auto_explain , repmgr,pg_cron ", "repmgr,auto_explain,pg_cron"],
  ])("libraries %j are loaded as %s", (own, all) => {
    expect(preloadLibraries(own)).toBe(all);
  });
});

describe("pg_hba.conf", () => {
  const lines = (cluster: ClusterSpec): string[] =>
    cluster.hba.map(({ type, database, user, address, method }) =>
      [type, database, user, address, method].filter((word) => word !== undefined).join(" "),
    );

  test("is the socket, the peers, the user's rules, the clients, passwords on the socket, in this order", () => {
    const peers = ["127.0.0.1/32", "::1/128", "192.0.2.1/32", "2001:db8::2/128", "db3.example.org"];
    const cluster = clusterOf(
      ["192.0.2.2", "'2001:db8::2'"],
      ["192.0.2.3 ", "db3.example.org "],
      ["clients: [192.0.2.0/24]", "clients: [192.0.2.0/24, 198.18.0.0/16]"],
      [
        "      app: { password_secret: app_password }",
        "      app: { password_secret: a }\n      group: { login: false }",
      ],
      ["      app: { owner: app }", "      app: { owner: app }\n      more: {}"],
    );
    expect(lines(cluster)).toEqual([
      "local all postgres peer",
      "local replication repmgr scram-sha-256",
      ...peers.flatMap((peer) => [
        `host repmgr repmgr ${peer} scram-sha-256`,
        `host replication repmgr ${peer} scram-sha-256`,
      ]),
      "host app app 192.0.2.0/24 reject",
      "host app,more app 192.0.2.0/24 scram-sha-256",
      "host app,more app 198.18.0.0/16 scram-sha-256",
      "local all all scram-sha-256",
    ]);
  });

  test("clients get nowhere when no role has a password", () => {
    const cluster = clusterOf(["{ password_secret: app_password }", "{}"], [`hba:\n      - ${RULE}`, "hba: []"]);
    expect(lines(cluster).filter((line) => line.includes("192.0.2.0/24"))).toEqual([]);
  });
});

describe("repmgr.conf", () => {
  const paths = {
    binDirectory: "/usr/lib/postgresql/17/bin",
    configFile: "/etc/x/main/repmgr.conf",
    passFile: "/etc/x/main/pgpass",
    authorities: "/etc/x/main/ca.crt",
    loginCertificate: "/etc/x/main/repmgr.pem",
    failoverValidation: "/etc/x/main/failover-validation",
    promote: "/etc/x/main/promote",
    fence: "/etc/x/main/fence",
    event: "/etc/x/main/event",
  };

  test("is complete for a node, with full paths and service commands", () => {
    const cluster = clusterOf([N3, "n3: { id: 3, host: h3, priority: 50, location: dc2 }"]);
    const node = cluster.nodes[2];
    if (!node) throw new Error("no third node");
    expect(repmgrConf(cluster, node, paths)).toEqual({
      node_id: "3",
      node_name: "n3",
      conninfo: [
        "host=192.0.2.3 port=5432 user=repmgr dbname=repmgr connect_timeout=2",
        "keepalives_idle=5 keepalives_interval=1 keepalives_count=5 tcp_user_timeout=5000 passfile=/etc/x/main/pgpass",
      ].join(" "),
      data_directory: "/var/lib/postgresql/17/main",
      pg_bindir: "/usr/lib/postgresql/17/bin",
      passfile: "/etc/x/main/pgpass",
      log_facility: "STDERR",
      log_level: "INFO",
      use_replication_slots: "true",
      failover: "automatic",
      priority: "50",
      location: "dc2",
      promote_command: "/etc/x/main/promote",
      follow_command:
        "/usr/lib/postgresql/17/bin/repmgr standby follow -f /etc/x/main/repmgr.conf --log-to-file --upstream-node-id=%n",
      monitor_interval_secs: "2",
      monitoring_history: "false",
      connection_check_type: "ping",
      reconnect_attempts: "3",
      reconnect_interval: "10",
      primary_visibility_consensus: "true",
      repmgrd_pid_file: "/run/repmgrd-main/repmgrd.pid",
      service_start_command: "/usr/bin/sudo /usr/bin/systemctl start postgresql-main",
      service_stop_command: "/usr/bin/sudo /usr/bin/systemctl stop postgresql-main",
      service_restart_command: "/usr/bin/sudo /usr/bin/systemctl restart postgresql-main",
      service_reload_command: "/usr/bin/sudo /usr/bin/systemctl reload postgresql-main",
      repmgrd_service_start_command: "/usr/bin/sudo /usr/bin/systemctl start repmgrd-main",
      repmgrd_service_stop_command: "/usr/bin/sudo /usr/bin/systemctl stop repmgrd-main",
      child_nodes_check_interval: "2",
      child_nodes_connected_min_count: "1",
      child_nodes_connected_include_witness: "false",
      child_nodes_disconnect_timeout: "4",
      child_nodes_disconnect_command: "/etc/x/main/fence watch",
      failover_validation_command: "/etc/x/main/failover-validation %n",
      event_notification_command: '/etc/x/main/event %n %e %s "%t" "%d"',
      ssh_options: "-q -o ConnectTimeout=10 -o BatchMode=yes",
    });
  });

  test("a witness stands where the primary does, and a delayed standby has priority 0", () => {
    const nodes = clusterOf(
      ["role: primary", "role: primary, location: dc1"],
      [N2, "n2: { id: 2, host: h2, role: witness }"],
      [N3, "n3: { id: 3, host: h3, delay: 1h, location: dc2 }"],
      ["settings:", "failover: manual\n    settings:"],
    ).nodes.map(({ name, location, priority, delay, settings }) => [name, location, priority, delay, settings]);
    expect(nodes).toEqual([
      ["n1", "dc1", 100, undefined, {}],
      ["n2", "dc1", 100, undefined, {}],
      ["n3", "dc2", 0, "1h", { recovery_min_apply_delay: "1h" }],
    ]);
  });

  test("is the same on all nodes but for who the node is", () => {
    const cluster = clusterOf();
    const own = ["node_id", "node_name", "conninfo"];
    const [first, ...others] = cluster.nodes.map((node) =>
      Object.entries(repmgrConf(cluster, node, paths)).filter(([name]) => !own.includes(name)),
    );
    for (const other of others) expect(other).toEqual(first);
    expect(others).toHaveLength(2);
  });

  test("manual failover asks nobody for consent", () => {
    const { failover, repmgrOptions } = clusterOf(["    port: 5432", "    failover: manual"]);
    expect(failover).toBe("manual");
    expect(repmgrOptions.primary_visibility_consensus).toBe("false");
  });

  test("the user's options win", () => {
    const { repmgrOptions } = clusterOf([OPTION, "reconnect_interval: 1, monitoring_history: true"]);
    expect(repmgrOptions).toMatchObject({
      reconnect_attempts: "6",
      reconnect_interval: "1",
      monitoring_history: "true",
    });
  });
});

describe("cluster and hosts", () => {
  test("nodes are in order of id, with the address of their host unless they have their own", () => {
    const { nodes } = clusterOf(["id: 1,", "id: 9,"], ["host: h2 }", "host: h2, address: 198.18.0.2 }"]);
    expect(nodes.map(({ name, id, address, initialRole }) => [name, id, address, initialRole])).toEqual([
      ["n2", 2, "198.18.0.2", "standby"],
      ["n3", 3, "192.0.2.3", "standby"],
      ["n1", 9, "192.0.2.1", "primary"],
    ]);
  });

  test("a host's own words win over the defaults, and it is reached through the default jump host", () => {
    const { hosts } = inventoryOf(
      edited(
        [SSH, "ssh: { user: admin, port: 2222, jump: h1, key_file: /k }"],
        ["192.0.2.2 }", "192.0.2.2, ssh: { port: 22, agent: true, host_keys: [ssh-ed25519 AAAA] } }"],
      ),
    );
    expect(hosts.get("h1")?.connection.jump).toBeUndefined();
    expect(hosts.get("h2")?.connection).toMatchObject({
      name: "h2",
      address: "192.0.2.2",
      port: 22,
      user: "admin",
      keyFile: "/k",
      agent: true,
      hostKeys: ["ssh-ed25519 AAAA"],
      sudo: "nopasswd",
      jump: { name: "h1", port: 2222, agent: false, hostKeys: [] },
    });
  });
});
