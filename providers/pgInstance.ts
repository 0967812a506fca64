import { parseHba } from "../facts/hbaConf";
import { fileProbe, type FileFact } from "../facts/file";
import { parsePostgresConf } from "../facts/postgresConf";
import { clusterPaths } from "../families";
import { type ClusterInputs, type ClusterView, livePrimaries, memberOf, observeCluster } from "./cluster";
import type { Ctx, Kind } from "./kind";
import { DIRECTORY_OWNERSHIP, isLoaded, pgpass, planInstance, planInstanceDelete } from "./pgInstancePlan";

/** One PostgreSQL instance on a host: PGDATA, postgresql.conf, pg_hba.conf and the password file of its cluster. */
export interface PgInstanceInputs extends ClusterInputs {
  readonly host: string;
  readonly node: string;
  /** Starts the cluster's life when no node has data yet. Later roles are observed, so it is never compared. */
  readonly initial: boolean;
  readonly settings: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf in order. */
  readonly hba: readonly string[];
  /** Secret. */
  readonly repmgrPassword: string;
  /** The node's repmgr.conf, which a clone needs before RepmgrNode has written it; never compared here. */
  readonly repmgrConf: Readonly<Record<string, string>>;
  /** Recorded in state before it counts: PGDATA may be removed when the node is. */
  readonly allowDataLoss: boolean;
  /** What a healthy host shows; the program always writes HEALTHY. */
  readonly data: string;
  readonly dataOwnership: string;
  readonly passFile: string;
  readonly configuration: string;
}

/** The observed part of the inputs as it is on a healthy host. */
export const HEALTHY_INSTANCE = {
  data: "present",
  dataOwnership: DIRECTORY_OWNERSHIP,
  passFile: "current",
  configuration: "loaded",
} as const;

export interface PgInstanceFacts {
  readonly view: ClusterView;
  readonly postgresConf: FileFact | undefined;
  readonly hbaConf: FileFact | undefined;
  readonly passFile: FileFact | undefined;
  /** pg_hba.conf of the live primary; asked for only while this instance is down, and another one is primary. */
  readonly primaryHba: FileFact | undefined;
}

export interface PgInstanceOutputs {
  readonly systemIdentifier: string;
  readonly checksums: boolean;
}

export const pgInstanceKind: Kind<PgInstanceInputs, PgInstanceFacts, PgInstanceOutputs> = {
  name: "PgInstance",
  managed: [
    "host",
    "cluster",
    "version",
    "port",
    "dataDirectory",
    "members",
    "settings",
    "hba",
    "repmgrPassword",
    "allowDataLoss",
    "data",
    "dataOwnership",
    "passFile",
    "configuration",
  ],
  identity: ["host", "cluster", "version", "port", "dataDirectory"],
  keepsData: "its data would be left behind. Add a new node with the new value, let it follow, then remove this one",
  id: ({ host, port }) => `${host}/${port}`,
  validate: () => [],

  async observe(ctx, inputs) {
    const paths = clusterPaths(inputs.family, inputs.cluster);
    const [view, postgresConf, hbaConf, passFile] = await Promise.all([
      observeCluster(ctx, inputs),
      ctx.ask(inputs.host, fileProbe(`${inputs.dataDirectory}/postgresql.conf`)),
      ctx.ask(inputs.host, fileProbe(`${inputs.dataDirectory}/pg_hba.conf`)),
      ctx.ask(inputs.host, fileProbe(paths.passFile)),
    ]);
    return { view, postgresConf, hbaConf, passFile, primaryHba: await askPrimaryHba(ctx, inputs, view) };
  },

  isAbsent: ({ passFile, postgresConf }) => passFile === undefined && postgresConf === undefined,

  plan: planInstance,

  project(inputs, have) {
    const { facts } = memberOf(have.view, inputs.node);
    const passFile = have.passFile === undefined ? "absent" : samePass(inputs, have.passFile) ? "current" : "differs";
    return {
      inputs: {
        ...inputs,
        settings: seenSettings(inputs, have),
        hba: parseHba(have.hbaConf?.content ?? ""),
        data: facts.data,
        dataOwnership: facts.ownership,
        passFile,
        configuration: isLoaded(facts, have) ? "loaded" : "changed since it was last loaded",
      },
      outputs: {
        systemIdentifier: facts.control?.systemIdentifier ?? "",
        checksums: facts.control?.checksums ?? false,
      },
    };
  },

  planDelete: planInstanceDelete,
};

async function askPrimaryHba(ctx: Ctx, inputs: PgInstanceInputs, view: ClusterView): Promise<FileFact | undefined> {
  const { facts, member } = memberOf(view, inputs.node);
  const [primary] = livePrimaries(view);
  if (facts.alive || member.witness || primary === undefined) return undefined;
  return ctx.ask(primary.member.host, fileProbe(`${inputs.dataDirectory}/pg_hba.conf`));
}

function samePass(inputs: PgInstanceInputs, file: FileFact): boolean {
  return file.content === pgpass(inputs) && file.owner === "postgres:postgres" && file.mode === "0600";
}

/** The managed file's settings; where something else overrides one in the running server, what it is and where it comes from. */
function seenSettings(inputs: PgInstanceInputs, have: PgInstanceFacts): Record<string, string> {
  const settings = parsePostgresConf(have.postgresConf?.content ?? "");
  const { running } = memberOf(have.view, inputs.node).facts;
  for (const name of Object.keys(settings)) {
    const live = running?.settings[name];
    if (live?.sourceFile?.endsWith("/postgresql.auto.conf") === true) {
      settings[name] = `${live.setting} (by ALTER SYSTEM)`;
    }
  }
  return settings;
}
