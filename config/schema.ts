import { z } from "zod";
import { DEFAULTS, SUPPORTED_VERSIONS } from "./defaults";
import { clusterSchema } from "./schemaCluster";
import { kernelSchema } from "./schemaKernel";
import { repositorySchema, sshSchema, textOf } from "./schemaParts";
import { HOST_NAME, CLUSTER_OR_NODE_NAME } from "./defaults";
import { named } from "./schemaParts";

const family = z
  .enum(["debian", "redhat"])
  .describe(
    "Which family of distributions the host runs. redhat: RHEL, Rocky, Alma, Oracle. One for all hosts of a cluster.",
  );

const defaultsSchema = z
  .strictObject({
    ssh: sshSchema.optional(),
    family: family.default(DEFAULTS.family),
    repository: repositorySchema.optional(),
    kernel: kernelSchema.optional(),
  })
  .describe("What holds for every host that does not say otherwise.");

const hostSchema = z
  .strictObject({
    address: textOf("Address that the other nodes, the clients and SSH use: an IP address or a name that resolves."),
    family: family.optional(),
    ssh: sshSchema
      .extend({
        host_keys: z
          .array(textOf('Host key as in known_hosts: "ssh-ed25519 AAAA...".'))
          .optional()
          .describe("The host's public keys. When given, known_hosts is not asked."),
      })
      .describe("How to reach this host, over the defaults.")
      .optional(),
    repository: repositorySchema.optional(),
    kernel: kernelSchema.optional().describe("Settings of this host's kernel, over the defaults, one by one."),
    lost: z
      .boolean()
      .optional()
      .describe("Its machine is gone for good: nothing is asked or done there. Only for a host that no node names.")
      .meta({ default: false }),
  })
  .describe("A host. It does nothing until a node of a cluster names it.");

const requireSchema = z
  .strictObject({
    checksums: z.boolean().default(false).describe("Data checksums."),
    tls: z.boolean().default(false).describe("'ssl' is on, and nobody but the nodes gets in without it."),
    synchronous: z.boolean().default(false).describe("Synchronous replication."),
    witness: z.boolean().default(false).describe("A witness."),
    protect: z.boolean().default(false).describe("'protect: true'."),
    promoted: z
      .boolean()
      .default(false)
      .describe("What this inventory extends is as it was when 'npm run promote' promoted it to this stack."),
  })
  .describe("What every cluster of this inventory must have; a preview fails with all that one lacks.");

/** The whole inventory file, after merging what it extends. The JSON Schema and the reference come from here. */
export const inventorySchema = z
  .strictObject({
    extends: textOf("Another inventory file, relative to this one, that this one is laid over.").optional(),
    defaults: defaultsSchema.prefault({}),
    require: requireSchema.prefault({}),
    hosts: named(HOST_NAME, hostSchema).describe("The hosts, by name."),
    postgresql_clusters: named(CLUSTER_OR_NODE_NAME, clusterSchema).describe("The clusters, by name."),
  })
  .describe(
    `Clusters of PostgreSQL ${SUPPORTED_VERSIONS[0]} to ${SUPPORTED_VERSIONS.at(-1)} with repmgr, and their hosts.`,
  );

export type { RawCluster, RawNode } from "./schemaCluster";
export type RawInventory = z.infer<typeof inventorySchema>;
export type RawHost = z.infer<typeof hostSchema>;
export type RawDefaults = z.infer<typeof defaultsSchema>;
