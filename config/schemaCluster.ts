import { z } from "zod";
import {
  CLUSTER_OR_NODE_NAME,
  DEFAULTS,
  HBA_OPTION,
  LIMITS,
  SECRET_NAME,
  SETTING_NAME,
  SQL_NAME,
  SUPPORTED_VERSIONS,
} from "./defaults";
import { hbaProblems } from "./checkHba";
import { delayProblem } from "./delay";
import { parseNetwork } from "./network";
import { databaseSchema, roleSchema } from "./schemaContent";
import { layoutSchema } from "./schemaLayout";
import { monitoringSchema } from "./schemaMonitoring";
import { named, nameOf, settingValue, textOf } from "./schemaParts";
import { tablespaceSchema } from "./schemaTablespaces";
import { tlsSchema } from "./schemaTls";

const nodeSchema = z
  .strictObject({
    id: z
      .int()
      .min(1)
      .max(2147483647)
      .describe("repmgr's node_id. Unique in the cluster; never give it to another node."),
    host: textOf("Name of the host in 'hosts'."),
    role: z
      .enum(["primary", "standby", "witness"])
      .default("standby")
      .describe("What the node starts its life as; later the cluster itself decides. Exactly one primary."),
    priority: z
      .int()
      .min(0)
      .max(1000)
      .default(DEFAULTS.priority)
      .describe("Wins elections when higher; 0: never promoted."),
    location: nameOf(
      { pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, rule: "letters, digits, _, . and -, 63 at most" },
      `Site of the node. A site that cannot see the primary's never promotes. Default: ${DEFAULTS.location}; of a witness, the primary's.`,
    ).optional(),
    upstream: textOf("Node to follow instead of the primary, as long as it runs.").optional(),
    delay: z
      .string()
      .superRefine((delay, context) => {
        const message = delayProblem(delay);
        if (message !== undefined) context.addIssue({ code: "custom", message });
      })
      .describe("A standby that replays everything so much later, such as 1h. It is never promoted: its priority is 0.")
      .optional(),
    address: textOf("Address for replication and clients. Default: the host's.").optional(),
    settings: named(SETTING_NAME, settingValue)
      .default({})
      .describe("Settings in which this node's postgresql.conf differs. Only in a cluster with a layout."),
    repmgr: named(SETTING_NAME, settingValue)
      .default({})
      .describe("Options in which this node's repmgr.conf differs. Only in a cluster with a layout."),
  })
  .describe("A node: one PostgreSQL on one host.");

const hbaSchema = z
  .strictObject({
    type: z.enum(["local", "host", "hostssl", "hostnossl"]).describe("Kind of connection."),
    database: textOf("Database, or several with commas, or all."),
    user: textOf("Role, or several with commas, +group or all."),
    address: textOf("Network as CIDR, or samehost or samenet. Not for local.").optional(),
    method: z
      .enum(["scram-sha-256", "cert", "peer", "ident", "gss", "reject", "md5", "password", "trust"])
      .describe(
        "How to prove who one is. md5, password, trust and ident over the network need 'insecure: true' beside them.",
      ),
    options: named(HBA_OPTION, textOf("Its value.").regex(/^[^"]*$/, "must hold no double quote"))
      .default({})
      .describe("Options of the method, such as clientcert: verify-full or map: people."),
    open_to_world: z.boolean().default(false).describe("Allows an address that is everybody: 0.0.0.0/0 or ::/0."),
    insecure: z
      .boolean()
      .default(false)
      .describe("Allows the methods md5, password, trust, and ident over the network."),
  })
  .superRefine((rule, context) => {
    for (const { key, message } of hbaProblems(rule)) context.addIssue({ code: "custom", path: [key], message });
  })
  .describe("A line of pg_hba.conf.");

const hookSchema = z
  .strictObject({
    run: z
      .string()
      .min(1, "must not be empty")
      .refine((run) => !run.includes("\0"), "must not hold a NUL")
      .describe("Command line, given to a shell."),
    on: textOf('"control" for the machine that runs pulumi, or the name of a node.').default("control"),
  })
  .describe("A command of your own.");

const repmgrSchema = z
  .strictObject({
    password_secret: nameOf(
      SECRET_NAME,
      "Name of the stack secret with the password of the role repmgr. Default: <cluster>_repmgr_password.",
    ).optional(),
    superuser: z
      .boolean()
      .default(true)
      .describe(
        "The role repmgr is a superuser. false: it gets the rights that repmgr needs, one by one; from PostgreSQL 15 on.",
      ),
    options: named(SETTING_NAME, settingValue)
      .default({})
      .describe("Options of repmgr.conf; node-specific ones are derived."),
  })
  .describe("Replication manager.");

/** A cluster as it is written in the inventory. */
export const clusterSchema = z
  .strictObject({
    version: z
      .literal(SUPPORTED_VERSIONS, {
        error: ({ input }) =>
          typeof input === "number"
            ? `unsupported version ${input}; supported are ${SUPPORTED_VERSIONS.join(", ")}`
            : undefined,
      })
      .describe("Major version of PostgreSQL."),
    port: z.int().min(1024).max(65535).default(DEFAULTS.postgresPort).describe("Port on every host of the cluster."),
    data_directory: textOf(
      "PGDATA on every host. Default: /var/lib/postgresql/<version>/<cluster>; redhat: /var/lib/pgsql/<version>/<cluster>/data.",
    ).optional(),
    layout: layoutSchema.optional(),
    nodes: named(CLUSTER_OR_NODE_NAME, nodeSchema).describe("The nodes, by name."),
    settings: named(SETTING_NAME, settingValue)
      .default({})
      .describe("Settings of postgresql.conf, over the program's defaults."),
    clients: z
      .array(z.string().refine((text) => parseNetwork(text) !== undefined, "expected a network such as 192.0.2.0/24"))
      .default([])
      .describe("Networks that may reach the declared databases with the declared roles, through the firewall too."),
    open_to_world: z.boolean().default(false).describe("Allows 0.0.0.0/0 and ::/0 among 'clients'."),
    hba: z.array(hbaSchema).default([]).describe("Your own lines of pg_hba.conf; before those made from 'clients'."),
    hba_lines: z
      .array(
        textOf("A line.").regex(/^[^\s#]\S*( \S+)*$/, "expected fields with one space between them, and no comment"),
      )
      .default([])
      .describe("The lines of pg_hba.conf as they stand. Only in a cluster with a layout."),
    tls: tlsSchema.optional(),
    failover: z
      .enum(["automatic", "manual"])
      .default("automatic")
      .describe("Who promotes a standby when the primary is lost."),
    package_version: textOf(
      "Exact version of the server's packages. 'up' installs it and restarts node by node. Default: none, as installed.",
    )
      .regex(/^[0-9][0-9A-Za-z.+~^_:-]*$/, "no version of a package, such as 17.6-1.pgdg13+1 or 17.6-1PGDG.rhel9")
      .optional(),
    preferred_primary: textOf(
      "Node that shall be primary: 'up' moves the primary there, gated. Default: whoever is.",
    ).optional(),
    limits: z
      .strictObject({
        open_files: z
          .int()
          .min(1024)
          .max(1048576)
          .optional()
          .describe("Files that PostgreSQL may have open.")
          .meta({ default: LIMITS.openFiles }),
        oom_score_adjust: z
          .int()
          .min(-1000)
          .max(0)
          .optional()
          .describe("How little the kernel likes to kill the postmaster when memory runs out (systemd.exec(5)).")
          .meta({ default: LIMITS.oomScoreAdjust }),
      })
      .prefault({})
      .describe("Limits of PostgreSQL's unit. Like every new text of a unit they take effect at the next restart."),
    rolling: z
      .strictObject({
        switch_back: z
          .boolean()
          .default(false)
          .describe("After a rolling restart the primary moves back to the node that was primary before."),
        unit_changes: z
          .boolean()
          .default(false)
          .describe(
            "A new text of the unit that runs PostgreSQL restarts it, node by node. Default: it takes effect at the next restart.",
          ),
      })
      .prefault({})
      .describe("Restarts that go from node to node."),
    fencing: z
      .enum(["auto", "off"])
      .default("auto")
      .describe(
        "auto: a primary that no standby follows stops when it sees so few nodes that the others could elect another. Only with 'failover: automatic'.",
      ),
    start_without_peers: z
      .enum(["refuse", "allow"])
      .default("refuse")
      .describe(
        "Whether an instance that was a primary starts when too few other nodes answer. allow: two primaries are possible.",
      ),
    events: z
      .strictObject({
        command: textOf(
          "Command line for each event of repmgr, run as postgres on the node that tells of it, with REPMGR_CLUSTER, REPMGR_NODE, REPMGR_EVENT, REPMGR_SUCCESS (1 or 0), REPMGR_AT and REPMGR_DETAILS.",
        )
          .refine((command) => !command.includes("\0"), "must not hold a NUL")
          .optional(),
      })
      .prefault({})
      .describe("What happens besides the line in the journal."),
    synchronous: z
      .strictObject({
        mode: z
          .enum(["any", "first"])
          .default("any")
          .describe(
            "any: whichever standbys are fastest. first: those of the highest priority, then of the lowest id.",
          ),
        num: z.int().min(1).default(1).describe("So many standbys confirm each commit."),
      })
      .optional()
      .describe(
        "Synchronous replication: no acknowledged row is lost, and commits wait while too few standbys stream.",
      ),
    monitoring: monitoringSchema,
    repmgr: repmgrSchema.prefault({}),
    roles: named(SQL_NAME, roleSchema).default({}).describe("Roles, by name."),
    tablespaces: named(SQL_NAME, tablespaceSchema).default({}).describe("Tablespaces, by name."),
    databases: named(SQL_NAME, databaseSchema).default({}).describe("Databases, by name."),
    hooks: z
      .strictObject({
        after_deploy: z
          .array(hookSchema)
          .default([])
          .describe("Run in order when the cluster's configuration has changed."),
      })
      .prefault({})
      .describe("Your own commands."),
    checksums: z
      .boolean()
      .default(true)
      .describe("Data checksums. Where data have none, 'up' enables them node by node, each down meanwhile."),
    protect: z.boolean().default(false).describe("Pulumi refuses to delete anything of it, until an `up` with false."),
    allow_drop: z
      .boolean()
      .default(false)
      .describe("Lets 'removed: true' drop roles, databases, tablespaces, publications and slots."),
    allow_data_loss: z
      .boolean()
      .default(false)
      .describe("Lets destroy remove PGDATA. Must have been deployed before it counts."),
  })
  .describe("A cluster of PostgreSQL.");

export type RawCluster = z.infer<typeof clusterSchema>;
export type RawNode = z.infer<typeof nodeSchema>;
