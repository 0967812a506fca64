import { fileProbe, type FileFact } from "../facts/file";
import { parsePostgresConf } from "../facts/postgresConf";
import { sudoListProbe } from "../facts/sudoList";
import { rejoinMark, type RewindFacts, rewindProbe } from "../facts/rewind";
import { clusterPaths } from "../families";
import { type ClusterInputs, type ClusterView, memberOf, observeCluster, livePrimaries } from "./cluster";
import { type NodeReport, roleOf } from "./clusterReport";
import { type Ctx, type Kind, NotSeen } from "./kind";
import {
  fellBehind,
  formerSlots,
  isSuperseded,
  lackingCopies,
  leftSlots,
  nodeState,
  registrationState,
  slotProblem,
} from "./nodeState";
import { repmgrRoleProblem } from "./repmgrRole";
import { planNodeDelete } from "./repmgrNodeDelete";
import { rewindQuestion } from "./rejoin";
import { CONF_FILE, planNode, SUDOERS_FILE } from "./repmgrNodePlan";

/** A node's place in the cluster: its repmgr.conf, its registration, and whether it runs and follows. */
export interface RepmgrNodeInputs extends ClusterInputs {
  readonly host: string;
  readonly node: string;
  readonly nodeId: number;
  /** Node to follow instead of the primary. */
  readonly upstream?: string;
  /** The whole repmgr.conf. */
  readonly repmgrConf: Readonly<Record<string, string>>;
  /** What repmgr may do through sudo, as exact commands. */
  readonly sudoCommands: readonly string[];
  /** Secret. */
  readonly repmgrPassword: string;
  /** The role repmgr is no superuser; absent, it is. */
  readonly limitedRole?: true;
  /** Names of the logical slots that it keeps copies of as a standby; absent: of none. */
  readonly copiedSlots?: readonly string[];
  /** What a healthy node shows; the program always writes HEALTHY_NODE. */
  readonly state: string;
  readonly registration: string;
  readonly slot: string;
  /** Owner and mode of repmgr.conf and of the sudoers file. */
  readonly files: string;
  /** Told by the primary, where the role is changed, and by a witness, which has one of its own. */
  readonly repmgrRole: string;
}

/** The observed part of the inputs as it is on a healthy node, whatever its role. */
export const HEALTHY_NODE = {
  state: "attached",
  registration: "registered",
  slot: "as wanted",
  files: "as wanted",
  repmgrRole: "as wanted",
} as const;

export interface RepmgrNodeFacts {
  readonly view: ClusterView;
  readonly repmgrConf: FileFact | undefined;
  readonly sudoers: FileFact | undefined;
  /** What sudo lists for postgres; asked for only where the login may not read the sudoers file. */
  readonly sudoList?: readonly string[];
  /** What the last rejoin left beside PGDATA when it did not come to its end. */
  readonly rejoinMark: FileFact | undefined;
  /** Asked for only where the instance has to come back under another primary. */
  readonly rewind: RewindFacts | undefined;
}

export interface RepmgrNodeOutputs {
  /** Observed, never desired. */
  readonly role: NodeReport["role"];
  readonly timeline: number;
}

export const repmgrNodeKind: Kind<RepmgrNodeInputs, RepmgrNodeFacts, RepmgrNodeOutputs> = {
  name: "RepmgrNode",
  managed: [
    "host",
    "cluster",
    // Where the next review looks.
    "version",
    "dataDirectory",
    "node",
    "nodeId",
    "upstream",
    "members",
    "repmgrConf",
    "sudoCommands",
    "repmgrPassword",
    "limitedRole",
    "copiedSlots",
    "state",
    "registration",
    "slot",
    "files",
    "repmgrRole",
  ],
  identity: ["host", "cluster", "node", "nodeId"],
  id: ({ host, cluster }) => `${host}/${cluster}`,
  validate: () => [],

  async observe(ctx, inputs) {
    const paths = clusterPaths(inputs);
    const [view, repmgrConf, allowed, mark] = await Promise.all([
      observeCluster(ctx, inputs),
      ctx.ask(inputs.host, fileProbe(paths.repmgrConf)),
      askSudoers(ctx, inputs.host, paths.sudoers),
      ctx.ask(inputs.host, fileProbe(rejoinMark(inputs.dataDirectory))),
    ]);
    return { view, repmgrConf, ...allowed, rejoinMark: mark, rewind: await askRewind(ctx, inputs, view, mark) };
  },

  isAbsent: ({ repmgrConf, sudoers, sudoList }) =>
    repmgrConf === undefined && sudoers === undefined && sudoList === undefined,

  plan: planNode,
  remarks: (want, { view }) => lackingCopies(want, view).map((slot) => withoutCopy(want.node, slot)),

  project(inputs, have) {
    const self = memberOf(have.view, inputs.node);
    const { running, control } = self.facts;
    return {
      inputs: {
        ...inputs,
        repmgrConf: parsePostgresConf(have.repmgrConf?.content ?? ""),
        sudoCommands: foundSudoCommands(inputs, have),
        state: nodeState(inputs, have.view),
        registration: registrationState(inputs, have.view),
        slot: slotProblem(inputs, have.view) ?? leftState(inputs, have.view) ?? HEALTHY_NODE.slot,
        files: filesState(inputs, have),
        repmgrRole: roleState(inputs, have.view),
      },
      outputs: { role: roleOf(self), timeline: running?.timeline ?? control?.timeline ?? 0 },
    };
  },

  unseen: (inputs, { sudoList }) =>
    sudoList === undefined ? [] : [`what else ${clusterPaths(inputs).sudoers} allows, its owner and mode`],

  isKnownToPeers: true,
  planDelete: planNodeDelete,
};

async function askSudoers(
  ctx: Ctx,
  host: string,
  path: string,
): Promise<Pick<RepmgrNodeFacts, "sudoers" | "sudoList">> {
  try {
    return { sudoers: await ctx.ask(host, { ...fileProbe(path), ofRoot: "the sudoers file" }) };
  } catch (error) {
    if (!(error instanceof NotSeen)) throw error;
    return { sudoers: undefined, sudoList: await ctx.ask(host, sudoListProbe) };
  }
}

/** What the host allows; where the file cannot be read, of the wanted commands those that sudo lists. */
export function foundSudoCommands(
  { sudoCommands }: Pick<RepmgrNodeInputs, "sudoCommands">,
  { sudoers, sudoList }: Pick<RepmgrNodeFacts, "sudoers" | "sudoList">,
): string[] {
  if (sudoList !== undefined) return sudoCommands.filter((command) => sudoList.includes(command));
  return parseSudoCommands(sudoers?.content ?? "");
}

/** A slot's place is copied once its reader has read on from where the standby began to keep what it needs. */
export function withoutCopy(node: string, slot: string): string {
  return `${node} has no copy yet of the logical slot ${slot}, which would be lost if ${node} were promoted now; it comes while somebody reads from the slot`;
}

/** The commands a sudoers file of ours allows; a line that is not ours shows up as it stands. */
export function parseSudoCommands(text: string): string[] {
  const prefix = "postgres ALL=(root) NOPASSWD: ";
  return text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#") && line !== "Defaults:postgres !requiretty")
    .map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : line));
}

async function askRewind(
  ctx: Ctx,
  inputs: RepmgrNodeInputs,
  view: ClusterView,
  mark: FileFact | undefined,
): Promise<RewindFacts | undefined> {
  const { facts, member } = memberOf(view, inputs.node);
  const [primary] = livePrimaries(view);
  if (primary === undefined || member.witness || facts.data !== "present") return undefined;
  const comesBack = !facts.isStandby && (!facts.alive || isSuperseded(view, inputs.node));
  if (!comesBack && mark === undefined && fellBehind(inputs, view) === undefined) return undefined;
  return ctx.ask(inputs.host, rewindProbe(rewindQuestion(inputs, primary.member.address)));
}

function leftState(inputs: RepmgrNodeInputs, view: ClusterView): string | undefined {
  const left = [
    ...leftSlots(inputs, view).map(({ slot, holder }) => `${slot} on ${holder.node}`),
    ...formerSlots(inputs, view).map((slot) => `${slot} on ${inputs.node}`),
  ];
  return left.length === 0 ? undefined : `left over: ${left.join(", ")}`;
}

function roleState(inputs: RepmgrNodeInputs, view: ClusterView): string {
  const { member, facts } = memberOf(view, inputs.node);
  if (facts.running === undefined || (facts.running.inRecovery && !member.witness)) return HEALTHY_NODE.repmgrRole;
  return repmgrRoleProblem(inputs, facts) ?? HEALTHY_NODE.repmgrRole;
}

function filesState({ layout }: RepmgrNodeInputs, { repmgrConf, sudoers }: RepmgrNodeFacts): string {
  // Files of others belong to whom they like.
  if (layout !== undefined) return HEALTHY_NODE.files;
  const problems = [fileProblem("repmgr.conf", repmgrConf, CONF_FILE), fileProblem("sudoers", sudoers, SUDOERS_FILE)];
  return problems.filter((problem) => problem !== undefined).join("; ") || HEALTHY_NODE.files;
}

function fileProblem(name: string, have: FileFact | undefined, want: typeof CONF_FILE): string | undefined {
  if (have === undefined || (have.owner === want.owner && have.mode === want.mode)) return undefined;
  return `${name} belongs to ${have.owner} with mode ${have.mode}`;
}
