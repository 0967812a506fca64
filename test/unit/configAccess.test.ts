import { C, type Case, type Edit, OPTION, RULE, runCases, SETTING, SSH } from "./configFixture";

const WORLD = "lets everybody in; name the networks, or say 'open_to_world: true' beside it";
const settings: Case[] = [
  [
    "managed setting",
    [[SETTING, "port: 1234"]],
    [`16: ${C}.settings.port: the program manages 'port' itself: set 'port' of the cluster`],
  ],
  [
    "recovery target",
    [[SETTING, "recovery_target_lsn: 0/0"]],
    [
      `16: ${C}.settings.recovery_target_lsn: the program manages 'recovery_target_lsn' itself: repmgr decides whom a node follows`,
    ],
  ],
  [
    "synchronous standbys",
    [[SETTING, "synchronous_standby_names: n2"]],
    [
      `16: ${C}.settings.synchronous_standby_names: the program manages 'synchronous_standby_names' itself: set 'synchronous' of the cluster`,
    ],
  ],
  [
    "too few senders",
    [[SETTING, "max_wal_senders: 4"]],
    [`16: ${C}.settings.max_wal_senders: this cluster needs at least 5, found 4`],
  ],
  [
    "wal_level minimal",
    [[SETTING, "wal_level: minimal"]],
    [`16: ${C}.settings.wal_level: replication needs replica or logical, found minimal`],
  ],
  [
    "managed option",
    [[OPTION, "node_id: 7"]],
    [`25: ${C}.repmgr.options.node_id: the program manages 'node_id' itself: it follows from the topology`],
  ],
  [
    "unknown option",
    [[OPTION, "reconect_attempts: 3"]],
    [
      `25: ${C}.repmgr.options.reconect_attempts: unknown repmgr option 'reconect_attempts'; did you mean 'reconnect_attempts'?`,
    ],
  ],
  [
    "option too small",
    [[OPTION, "reconnect_attempts: 0"]],
    [`25: ${C}.repmgr.options.reconnect_attempts: expected a whole number from 1, found 0`],
  ],
  [
    "primary given up before it is forgotten",
    [[OPTION, "reconnect_attempts: 3, reconnect_interval: 1, monitor_interval_secs: 2"]],
    [
      `25: ${C}.repmgr.options: a lost primary would be given up after 2 s and forgotten only after 4 s, so the standbys could veto its replacement for ever: (reconnect_attempts - 1) x reconnect_interval must be more than 2 x monitor_interval_secs; reconnect_attempts 6 is enough`,
    ],
  ],
  [
    "option not boolean",
    [[OPTION, "monitoring_history: maybe"]],
    [`25: ${C}.repmgr.options.monitoring_history: expected true or false, found maybe`],
  ],
  [
    "option not a choice",
    [[OPTION, "connection_check_type: pong"]],
    [`25: ${C}.repmgr.options.connection_check_type: expected ping, connection, query, found pong`],
  ],
];

const access: Case[] = [
  [
    "world among clients",
    [["[192.0.2.0/24]", "[192.0.2.0/24, 0.0.0.0/0]"]],
    [`17: ${C}.clients[1]: '0.0.0.0/0' ${WORLD}`],
  ],
  [
    "no network",
    [["[192.0.2.0/24]", "[192.0.2.0/33]"]],
    [`17: ${C}.clients[0]: expected a network such as 192.0.2.0/24`],
  ],
  ["world in a rule", [[RULE, RULE.replace("192.0.2.0/24", "'::/0'")]], [`19: ${C}.hba[0].address: '::/0' ${WORLD}`]],
  [
    "world by name in a rule",
    [[RULE, RULE.replace("192.0.2.0/24", "all")]],
    [`19: ${C}.hba[0].address: 'all' ${WORLD}`],
  ],
  [
    "trust",
    [[RULE, RULE.replace("reject", "trust")]],
    [`19: ${C}.hba[0].method: the method 'trust' is not safe; use scram-sha-256, or say 'insecure: true' beside it`],
  ],
  [
    "md5",
    [[RULE, RULE.replace("reject", "md5")]],
    [`19: ${C}.hba[0].method: the method 'md5' is not safe; use scram-sha-256, or say 'insecure: true' beside it`],
  ],
  [
    "peer over the network",
    [[RULE, RULE.replace("reject", "peer")]],
    [`19: ${C}.hba[0].method: peer works for 'type: local' only`],
  ],
  [
    "rule without address",
    [[RULE, RULE.replace("address: 192.0.2.0/24, ", "")]],
    [`19: ${C}.hba[0].address: a rule of type host needs an address`],
  ],
  [
    "rule with a comment in it",
    [[RULE, RULE.replace("user: app", "user: 'app#'")]],
    [`19: ${C}.hba[0].user: expected names separated by commas, without spaces or quotes: app#`],
  ],
  [
    "unknown owner",
    [["owner: app", "owner: apq"]],
    [`23: ${C}.databases.app.owner: unknown role 'apq'; did you mean 'app'?`],
  ],
  [
    "unknown owner of a schema",
    [["owner: app }", "owner: app, schemas: { s: { owner: apq } } }"]],
    [`23: ${C}.databases.app.schemas.s.owner: unknown role 'apq'; did you mean 'app'?`],
  ],
  [
    "unknown template",
    [["owner: app }", "owner: app, template: tempalte0 }"]],
    [`23: ${C}.databases.app.template: unknown database 'tempalte0'; did you mean 'template0'?`],
  ],
  [
    "provider that the version does not know, and one without a locale",
    [
      ["version: 17", "version: 14"],
      ["owner: app }", "owner: app, provider: icu, locale: de-DE }\n      b: { provider: libc }"],
    ],
    [
      `23: ${C}.databases.app.provider: icu is known from PostgreSQL 15 on, this is 14`,
      `24: ${C}.databases.b.provider: a provider needs 'locale' beside it`,
    ],
  ],
  [
    "membership of a role that is not there, or not yet in this version",
    [
      ["version: 17", "version: 16"],
      ["app_password }", "app_password, member_of: [apq, pg_maintain, pg_monitor] }"],
    ],
    [
      `21: ${C}.roles.app.member_of[0]: unknown role 'apq'; did you mean 'app'?`,
      `21: ${C}.roles.app.member_of[1]: unknown role 'pg_maintain'; known are app, pg_monitor, pg_read_all_settings, pg_read_all_stats, pg_stat_scan_tables, pg_read_server_files, pg_write_server_files, pg_execute_server_program, pg_signal_backend, pg_read_all_data, pg_write_all_data, pg_checkpoint, pg_use_reserved_connections, pg_create_subscription`,
    ],
  ],
  [
    "membership in a circle",
    [["app_password }", "app_password, member_of: [b] }\n      b: { member_of: [c] }\n      c: { member_of: [app] }"]],
    [
      `21: ${C}.roles.app.member_of[0]: 'b' is a member of 'app' itself, and PostgreSQL allows no circle`,
      `22: ${C}.roles.b.member_of[0]: 'c' is a member of 'b' itself, and PostgreSQL allows no circle`,
      `23: ${C}.roles.c.member_of[0]: 'app' is a member of 'c' itself, and PostgreSQL allows no circle`,
    ],
  ],
  [
    "validity that is no time in UTC",
    [["app_password }", "app_password, valid_until: 2027-13-01 }"]],
    [
      `21: ${C}.roles.app.valid_until: expected a time in UTC such as 2027-01-31T00:00:00Z, or infinity; found the text "2027-13-01"`,
    ],
  ],
  [
    "grants of privileges, to roles, in schemas that are none",
    [
      [
        "owner: app }",
        "owner: app, schemas: { sales: {} }, grants: [\n" +
          "        { to: apq, on: tables, schema: sales, privileges: [select, selekt] },\n" +
          "        { to: public, on: tables, privileges: [select] },\n" +
          "        { to: app, on: schema, schema: sale, privileges: [usage] },\n" +
          "        { to: app, on: database, schema: sales, privileges: [connect] } ] }",
      ],
    ],
    [
      `24: ${C}.databases.app.grants[0].privileges[1]: unknown privilege on tables 'selekt'; did you mean 'select'?`,
      `24: ${C}.databases.app.grants[0].to: unknown role 'apq'; did you mean 'app'?`,
      `25: ${C}.databases.app.grants[1]: a grant on tables needs 'schema', the one that is meant`,
      `26: ${C}.databases.app.grants[2].schema: unknown schema 'sale'; did you mean 'sales'?`,
      `27: ${C}.databases.app.grants[3].schema: a grant on the database has no schema`,
    ],
  ],
  [
    "default privileges of a role that is not there, and exclusive of nothing",
    [
      [
        "owner: app }",
        "owner: app, default_privileges: [{ to: app, made_by: b, on: tables, privileges: [select] }] }\n      b: { exclusive: true }",
      ],
    ],
    [
      `23: ${C}.databases.app.default_privileges[0].made_by: unknown role 'b'; known are app`,
      `24: ${C}.databases.b.exclusive: it needs 'grants' or 'default_privileges', beside which nobody may do more`,
    ],
  ],
  [
    "removed without the other word",
    [
      ["app_password }", "app_password }\n      old: { removed: true }"],
      ["owner: app }", "owner: app }\n      past: { removed: true }"],
    ],
    [
      `22: ${C}.roles.old.removed: it drops only with 'allow_drop: true' of the cluster`,
      `25: ${C}.databases.past.removed: it drops only with 'allow_drop: true' of the cluster`,
    ],
  ],
  [
    "what names a role that is removed",
    [
      ["app_password }", "app_password, removed: true }"],
      ["version: 17", "version: 17\n    allow_drop: true"],
    ],
    [`24: ${C}.databases.app.owner: unknown role 'app'; there are none`],
  ],
  [
    "unknown hook target",
    [["on: n1", "on: x"]],
    [`28: ${C}.hooks.after_deploy[0].on: unknown hook target 'x'; known are control, n1, n2, n3`],
  ],
];

const KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const repository = (rest: string): Edit => [
  SSH,
  `${SSH}\n  repository: { name: r, uri: file:/r, suite: s, components: [main]${rest} }`,
];
const hosts: Case[] = [
  [
    "no user",
    [[SSH, "ssh: { port: 22 }"]],
    ["h1", "h2", "h3"].map(
      (host, index) =>
        `${index + 4}: hosts.${host}.ssh.user: no user to log in to '${host}' as: set it here or in defaults.ssh.user`,
    ),
  ],
  [
    "sudo password without its secret",
    [["192.0.2.1 }", "192.0.2.1, ssh: { sudo: password } }"]],
    ["4: hosts.h1.ssh.sudo: 'sudo: password' needs 'sudo_password_secret', the name of the stack secret with it"],
  ],
  [
    "no sudo for a plain user",
    [["192.0.2.1 }", "192.0.2.1, ssh: { sudo: none } }"]],
    ["4: hosts.h1.ssh.sudo: 'sudo: none' needs the user root, and the user is 'admin'"],
  ],
  ...(["root", "postgres"] as const).map((user): Case => [
    `a login that may become postgres only, and is ${user}`,
    [["192.0.2.1 }", `192.0.2.1, ssh: { user: ${user}, sudo: postgres } }`]],
    [
      `4: hosts.h1.ssh.sudo: 'sudo: postgres' needs a login that is neither root nor postgres, and the user is '${user}'`,
    ],
  ]),
  [
    "a login that may become postgres only, with a password",
    [["192.0.2.1 }", "192.0.2.1, ssh: { sudo: postgres, sudo_password_secret: app_password } }"]],
    ["4: hosts.h1.ssh.sudo: 'sudo: postgres' asks for no password; take 'sudo_password_secret' out"],
  ],
  [
    "unknown jump",
    [["192.0.2.1 }", "192.0.2.1, ssh: { jump: h9 } }"]],
    ["4: hosts.h1.ssh.jump: unknown host 'h9'; did you mean 'h1'?"],
  ],
  [
    "circle of jumps",
    [["192.0.2.1 }", "192.0.2.1, ssh: { jump: h1 } }"]],
    ["4: hosts.h1.ssh.jump: the jumps of 'h1' go in a circle: h1 -> h1"],
  ],
  [
    "repository without key",
    [repository("")],
    [
      "3: defaults.repository: a repository needs one of 'key', 'key_file' and 'key_url', the public key it is signed with",
    ],
  ],
  [
    "repository key that is fetched, and trusted by nothing",
    [repository(", key_url: 'https://example.org/key.asc'")],
    [
      "3: defaults.repository.key_url: what is fetched is trusted by its fingerprint alone: give 'key_fingerprint', too",
    ],
  ],
  [
    "repository key that is fetched without TLS",
    [repository(", key_url: 'http://example.org/key.asc'")],
    [
      '3: defaults.repository.key_url: expected https:// and no spaces or quotes; found the text "http://example.org/key.asc"',
    ],
  ],
  [
    "repository with two keys",
    [repository(", key_url: 'https://example.org/key.asc', key_file: a.asc")],
    [
      "3: defaults.repository: a repository needs one of 'key', 'key_file' and 'key_url', the public key it is signed with",
    ],
  ],
  [
    "repository key that is none",
    [repository(", key: abc")],
    [`3: defaults.repository.key: this is no ASCII-armoured public key: expected ${KEY}`],
  ],
  [
    "repository key file missing",
    [repository(", key_file: no.asc")],
    ["3: defaults.repository.key_file: cannot read the key file no.asc"],
  ],
  [
    "repository key file that is a directory",
    [repository(", key_file: /")],
    ["3: defaults.repository.key_file: cannot read the key file /"],
  ],
];

describe("settings", () => runCases(settings));
describe("access", () => runCases(access));
describe("hosts", () => runCases(hosts));
