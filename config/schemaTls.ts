import { z } from "zod";
import { CLUSTER_OR_NODE_NAME, SECRET_NAME } from "./defaults";
import { isAddress } from "./network";
import { named, nameOf, textOf } from "./schemaParts";

const certificateSchema = z
  .strictObject({
    file: textOf(
      "File on this machine with the node's certificate, and with those that lead from it to the authority.",
    ),
    key_secret: nameOf(SECRET_NAME, "Name of the stack secret with the certificate's private key."),
  })
  .describe("A certificate of your own.");

/** TLS of a cluster as it is written in the inventory. */
export const tlsSchema = z
  .strictObject({
    ca_file: textOf(
      "File on this machine with the certificate of the authority that clients trust; 'npm run ca' makes it. It may hold more than one.",
    ),
    ca_key_secret: nameOf(
      SECRET_NAME,
      "Name of the stack secret with the authority's private key, with which 'up' makes and renews the nodes' certificates. Default: <cluster>_ca_key.",
    ).optional(),
    names: z
      .array(z.string().refine(isAddress, "neither an IP address nor a name that could resolve"))
      .default([])
      .describe("More names for the certificates, such as one that clients use for whoever is primary."),
    days: z
      .int()
      .min(2)
      .max(3650)
      .default(365)
      .describe("Life of a certificate that 'up' makes. It is renewed when less than a third is left."),
    certificates: named(CLUSTER_OR_NODE_NAME, certificateSchema)
      .optional()
      .describe("Certificates of your own, by node, for every node; then 'up' makes none."),
    nodes: z
      .enum(["unverified", "verify-full"])
      .default("unverified")
      .describe(
        "verify-full: a node checks certificate and name of the node it talks to, as clients do. To turn it on or off takes an 'up' of its own, while TLS is on.",
      ),
    replication_certificates: z
      .enum(["none", "presented", "required"])
      .default("none")
      .describe(
        "Certificates with which the nodes log in to each other as repmgr. presented: each node has one and shows it, and is let in by its password; required: by its certificate, and no password is asked for. From none to required, and back, it takes an 'up' with presented in between.",
      ),
    min_protocol: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2").describe("Oldest protocol that is spoken."),
  })
  .describe(
    "TLS for clients and between the nodes: what the program writes into pg_hba.conf lets nobody in over the network without it.",
  );

export type RawTls = z.infer<typeof tlsSchema>;
