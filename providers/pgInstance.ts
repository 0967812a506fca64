import { parseHba } from "../facts/hbaConf";
import { existsProbe, fileProbe, type FileFact } from "../facts/file";
import { type FormerData, formerProbe } from "../facts/formerData";
import { labelsProbe } from "../facts/selinux";
import { type SpaceDirectory, spacesProbe } from "../facts/tablespaces";
import { clusterPaths } from "../families";
import { foundSettings, hasOwnership, passFileText } from "./keptInstance";
import { type ClusterInputs, type ClusterView, livePrimaries, memberOf, observeCluster } from "./cluster";
import { directoryProblem } from "./clusterDirectory";
import { type Ctx, type Kind, NotSeen } from "./kind";
import { equal } from "./canonical";
import { labelProblems, labelQuestion, labelRemarks, type LabelView } from "./instanceLabels";
import { PASS_FILE } from "./passFile";
import { isLoaded } from "./instanceLoad";
import { loginState } from "./instanceLogin";
import { certificateExpiry, type InstanceTls, tlsStates } from "./instanceTls";
import type { InstanceFacts } from "../facts/instance";
import { alteredBySystem, DIRECTORY_OWNERSHIP, planInstance } from "./pgInstancePlan";
import { planInstanceDelete } from "./pgInstanceDelete";
import { directoriesOf, foundSpaces, spaceQuestion, spaceRemarks, type Spaces } from "./spaceDirectories";

/** One PostgreSQL instance on a host: PGDATA, postgresql.conf, pg_hba.conf and the password file of its cluster. */
export interface PgInstanceInputs extends ClusterInputs {
  readonly host: string;
  readonly node: string;
  /** Starts the cluster's life when no node has data yet. Later roles are observed, so it is never compared. */
  readonly initial: boolean;
  /** Node to be cloned from rather than from the primary, because it shall follow that; never compared here. */
  readonly upstream?: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf in order. */
  readonly hba: readonly string[];
  /** Secret. */
  readonly repmgrPassword: string;
  /** The node's repmgr.conf, which a clone needs before RepmgrNode has written it; never compared here. */
  readonly repmgrConf: Readonly<Record<string, string>>;
  /** Recorded in state before it counts: PGDATA may be removed when the node is. */
  readonly allowDataLoss: boolean;
  /** Data checksums are wanted: made by initdb, enabled later by PgCluster, node by node. */
  readonly wantsChecksums: boolean;
  /** What a healthy host shows; the program always writes HEALTHY. */
  readonly data: string;
  readonly dataOwnership: string;
  readonly passFile: string;
  readonly configuration: string;
  readonly checksums: string;
  /** Absent: the instance does without TLS, as far as the program knows. */
  readonly tls?: InstanceTls;
  /** Secret: the private key of the authority, or that of the certificate that is given. Only with TLS. */
  readonly tlsKey?: string;
  /** What a healthy host shows; with TLS the program always writes HEALTHY_TLS. */
  readonly certificate?: string;
  readonly authorities?: string;
  /** The same where it logs in to the others by certificate: HEALTHY_LOGIN. */
  readonly loginCertificate?: string;
  /** Of tablespaces, with what a healthy host shows; absent on a witness, and where there are none. */
  readonly tablespaces?: Spaces;
  /** What SELinux has otherwise than the instance needs it; the program never writes it. */
  readonly labels?: readonly string[];
}

/** The observed part of the inputs as it is on a healthy host. */
export const HEALTHY_INSTANCE = {
  data: "present",
  dataOwnership: DIRECTORY_OWNERSHIP,
  passFile: "current",
  configuration: "loaded",
  checksums: "as wanted",
} as const;

export interface PgInstanceFacts {
  readonly view: ClusterView;
  readonly postgresConf: FileFact | undefined;
  readonly hbaConf: FileFact | undefined;
  readonly passFile: FileFact | undefined;
  /** Asked for only with TLS. */
  readonly certificate?: FileFact;
  readonly authorities?: FileFact;
  readonly loginCertificate?: FileFact;
  /** pg_hba.conf of the live primary; asked for only while this instance is down, and another one is primary. */
  readonly primaryHba: FileFact | undefined;
  /** PGDATA.building stands beside PGDATA: an initdb, a clone or a removal that did not come to its end. */
  readonly isBuilding: boolean;
  /** Asked for only where there are tablespaces. */
  readonly spaces: readonly SpaceDirectory[];
  /** On a host with SELinux. */
  readonly labels?: LabelView;
  /** In words, what of SELinux was not looked at, since only root sees it. */
  readonly unseen?: string;
  /** What the node's repmgr.conf still names, where that is another place than the wanted one. */
  readonly former?: FormerData;
}

export interface PgInstanceOutputs {
  readonly systemIdentifier: string;
  /** Until when the node's certificates count, all of them; only with TLS. */
  readonly certificateExpires?: string;
}

export const pgInstanceKind: Kind<PgInstanceInputs, PgInstanceFacts, PgInstanceOutputs> = {
  name: "PgInstance",
  managed: [
    "host",
    "cluster",
    "version",
    "port",
    "dataDirectory",
    "layout",
    "members",
    "settings",
    "hba",
    "repmgrPassword",
    "allowDataLoss",
    "data",
    "dataOwnership",
    "passFile",
    "configuration",
    "wantsChecksums",
    "checksums",
    "tablespaces",
    "tls",
    "tlsKey",
    "certificate",
    "authorities",
    "loginCertificate",
    "labels",
  ],
  identity: ["host", "cluster", "version", "port", "dataDirectory", "layout"],
  keepsData: "its data would be left behind. Add a new node with the new value, let it follow, then remove this one",
  // Preflight carries the data over, before any other resource of the cluster has its turn.
  carries: (before, now) =>
    before.version !== now.version && before.layout === undefined && now.layout === undefined
      ? ["version", "dataDirectory"]
      : [],
  id: ({ host, port }) => `${host}/${port}`,
  validate: passwordProblems,

  async observe(ctx, inputs) {
    const paths = clusterPaths(inputs);
    const { repmgrConf, upgradeMark } = paths;
    const former = formerProbe({ repmgrConf, dataDirectory: inputs.dataDirectory, upgradeMark });
    const tls = inputs.tls === undefined ? [] : [paths.certificate, paths.authorities, paths.loginCertificate];
    const [view, postgresConf, hbaConf, passFile, isBuilding, found, spaces, files] = await Promise.all([
      observeCluster(ctx, inputs),
      ctx.ask(inputs.host, fileProbe(paths.configFile)),
      ctx.ask(inputs.host, fileProbe(paths.hbaFile)),
      ctx.ask(inputs.host, fileProbe(paths.passFile)),
      ctx.ask(inputs.host, existsProbe(`${inputs.dataDirectory}.building`)),
      ctx.ask(inputs.host, former),
      askSpaces(ctx, inputs),
      Promise.all(tls.map((path) => ctx.ask(inputs.host, fileProbe(path)))),
    ]);
    const [certificate, authorities, loginCertificate] = files;
    const [primaryHba, ofSelinux] = await Promise.all([askPrimaryHba(ctx, inputs, view), askLabels(ctx, inputs, view)]);
    const facts = { view, postgresConf, hbaConf, passFile, primaryHba, isBuilding, spaces };
    return {
      ...facts,
      ...{ certificate, authorities, loginCertificate },
      ...ofSelinux,
      ...(found.former === undefined ? {} : { former: found.former }),
    };
  },

  isAbsent: ({ passFile, postgresConf, certificate, authorities, loginCertificate, isBuilding }) =>
    [passFile, postgresConf, certificate, authorities, loginCertificate].every((file) => file === undefined) &&
    !isBuilding,

  plan: planInstance,
  remarks: (want, have) => [...labelRemarks(want, have.labels), ...spaceRemarks(want.host, want.version, have.spaces)],

  project(inputs, have) {
    const { facts } = memberOf(have.view, inputs.node);
    const settings = seenSettings(inputs, have);
    const hba = parseHba(have.hbaConf?.content ?? "");
    // A file that differs is loaded when it is put right: one property for one thing.
    const tls = tlsStates(inputs, have);
    const labels = have.unseen === undefined ? labelProblems(inputs, have.labels) : (inputs.labels ?? []);
    // What a state remembers of an earlier look is not there any more.
    const { labels: _, ...others } = inputs;
    const isSettled = Object.entries({ settings, hba, ...tls }).every(([name, found]) =>
      equal(found, inputs[name as keyof PgInstanceInputs]),
    );
    return {
      inputs: {
        ...others,
        settings,
        hba,
        data: facts.data,
        dataOwnership: hasOwnership(inputs, facts) ? DIRECTORY_OWNERSHIP : facts.ownership,
        passFile: passFileState(inputs, have.passFile, facts),
        configuration: isSettled && !isLoaded(facts, have) ? "changed since it was last loaded" : "loaded",
        checksums: inputs.wantsChecksums && facts.control?.checksums === false ? "off" : "as wanted",
        ...(inputs.tablespaces === undefined ? {} : { tablespaces: foundSpaces(inputs.tablespaces, have.spaces) }),
        ...tls,
        ...loginState(inputs, have),
        ...(labels.length === 0 ? {} : { labels }),
      },
      outputs: {
        systemIdentifier: facts.control?.systemIdentifier ?? "",
        ...(inputs.tls === undefined ? {} : { certificateExpires: certificateExpiry(have) }),
      },
    };
  },

  unseen: (_, { unseen }) => (unseen === undefined ? [] : [unseen]),
  isKnownToPeers: true,
  planDelete: planInstanceDelete,
};

async function askSpaces(ctx: Ctx, inputs: PgInstanceInputs): Promise<readonly SpaceDirectory[]> {
  const directories = directoriesOf(inputs.tablespaces);
  return directories.length === 0 ? [] : ctx.ask(inputs.host, spacesProbe(spaceQuestion(inputs, directories)));
}

/** A second question, so that it costs nothing where there is no SELinux. */
async function askLabels(
  ctx: Ctx,
  inputs: PgInstanceInputs,
  view: ClusterView,
): Promise<Pick<PgInstanceFacts, "labels" | "unseen">> {
  const { selinux: mode } = memberOf(view, inputs.node).facts;
  const question = labelQuestion(inputs);
  if (mode === undefined || question === undefined) return {};
  try {
    return { labels: { mode, ...(await ctx.ask(inputs.host, labelsProbe(question))) } };
  } catch (error) {
    if (error instanceof NotSeen) return { unseen: error.what };
    throw error;
  }
}

async function askPrimaryHba(ctx: Ctx, inputs: PgInstanceInputs, view: ClusterView): Promise<FileFact | undefined> {
  const { facts, member } = memberOf(view, inputs.node);
  const [primary] = livePrimaries(view);
  if (facts.alive || member.witness || primary === undefined) return undefined;
  return ctx.ask(primary.member.host, fileProbe(clusterPaths(inputs).hbaFile));
}

/** Its content is a password, so a review only says that it differs. */
function passFileState(inputs: PgInstanceInputs, file: FileFact | undefined, facts: InstanceFacts): string {
  if (file === undefined) return "absent";
  if (file.content !== passFileText(inputs, file)) return "differs";
  const directory = directoryProblem(inputs, facts);
  if (file.owner === PASS_FILE.owner && file.mode === PASS_FILE.mode)
    return directory === undefined ? "current" : `current, in a directory that is ${directory}`;
  return `belongs to ${file.owner} with mode ${file.mode}`;
}

/** The managed file's settings; where ALTER SYSTEM overrides one, now or at the next reload, what it says. */
function seenSettings(inputs: PgInstanceInputs, have: PgInstanceFacts): Record<string, string> {
  const { running } = memberOf(have.view, inputs.node).facts;
  const settings = foundSettings(inputs, have.postgresConf, running);
  for (const name of alteredBySystem(inputs, running)) {
    settings[name] = `${running?.fileSettings[name]?.setting ?? ""} (by ALTER SYSTEM)`;
  }
  return settings;
}

/** Every node keeps it in a password file, a line of which is one connection (PostgreSQL documentation, "The Password File"). */
function passwordProblems({ cluster, repmgrPassword }: PgInstanceInputs): string[] {
  const wrong =
    repmgrPassword === "" ? "is empty" : /[\0\n\r]/.test(repmgrPassword) ? "holds a line break or a NUL" : "";
  if (wrong === "") return [];
  return [
    `cluster ${cluster}: the password of the role repmgr ${wrong}, which no password file can hold. ` +
      `Set another one: pulumi config set --secret ${cluster}_repmgr_password, or the secret that repmgr.password_secret names`,
  ];
}
