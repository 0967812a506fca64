import { clusterPaths, type ClusterPaths, familyLayout, shortUnit, unitPath } from "../families";
import type { ClusterLayout, Family } from "../config/types";
import { instanceProbe, type InstanceFacts, type InstanceQuestion } from "../facts/instance";
import type { PeerTls } from "../facts/login";
import type { RunningFacts } from "../facts/running";
import type { Probe } from "../facts/probe";
import { type BaseInputs, type Ctx, Refused } from "./kind";

/** A node of the cluster as its neighbours need to know it. */
export interface Member {
  readonly node: string;
  readonly id: number;
  readonly host: string;
  readonly address: string;
  readonly witness: boolean;
  /** How far it stays behind on purpose, such as "1h"; then it is never promoted, and its lag is no fault. */
  readonly delay?: string;
  /** How every node reaches its database repmgr; holds no password. */
  readonly conninfo: string;
  /** No reader of a logical slot that fails over gets ahead of it. */
  readonly isWaitedFor?: true;
}

/** What every kind that belongs to a cluster knows of it. `members` holds all nodes, in order of id. */
export interface ClusterInputs extends BaseInputs {
  readonly cluster: string;
  readonly family: Family;
  readonly version: number;
  readonly port: number;
  readonly dataDirectory: string;
  readonly members: readonly Member[];
  /** "automatic": repmgrd promotes; then nobody else starts a primary while it may be doing so. */
  readonly failover: "automatic" | "manual";
  /** Of a cluster that was built by others and taken over. */
  readonly layout?: ClusterLayout;
  /** A node checks the certificate of the node it talks to. */
  readonly areNodesVerified?: true;
  /** A node has a certificate for the role repmgr and shows it to the node it talks to. */
  readonly hasLoginCertificates?: true;
}

/** The authorities that a node takes its peers' certificates from, and the certificate that it shows them. */
export function peerTls(inputs: ClusterInputs): PeerTls {
  const { authorities: rootCertificate, loginCertificate } = clusterPaths(inputs);
  return {
    ...(inputs.areNodesVerified === true ? { rootCertificate } : {}),
    ...(inputs.hasLoginCertificates === true ? { loginCertificate } : {}),
  };
}

export interface MemberFacts {
  readonly member: Member;
  readonly facts: InstanceFacts;
}

/** All instances of a cluster as they are now. */
export type ClusterView = readonly MemberFacts[];

export type LiveMember = MemberFacts & { readonly facts: { readonly running: RunningFacts } };

export function instanceOf(inputs: ClusterInputs): Probe<InstanceFacts> {
  const paths = clusterPaths(inputs);
  const question: InstanceQuestion = {
    version: inputs.version,
    port: inputs.port,
    dataDirectory: inputs.dataDirectory,
    binDirectory: familyLayout(inputs.family).binDirectory(inputs.version),
    socketDirectory: paths.socketDirectory,
    repmgrdUnit: paths.repmgrdUnit,
    ...(inputs.layout === undefined ? ofOurUnits(paths) : {}),
  };
  return instanceProbe(question);
}

function ofOurUnits({ fenceMark, postgresqlUnit, repmgrdPidFile, directory }: ClusterPaths): Partial<InstanceQuestion> {
  return { fenceMark, directory, unitFile: unitPath(postgresqlUnit), repmgrdPidFile };
}

/** @throws Unreachable when any host of the cluster cannot be asked: roles are never guessed */
export async function observeCluster(ctx: Ctx, inputs: ClusterInputs): Promise<ClusterView> {
  const probe = instanceOf(inputs);
  return Promise.all(inputs.members.map(async (member) => ({ member, facts: await ctx.ask(member.host, probe) })));
}

export function memberOf(view: ClusterView, node: string): MemberFacts {
  const found = view.find(({ member }) => member.node === node);
  if (found === undefined) throw new Error(`${node} is not a member of the cluster`);
  return found;
}

export function isLive(m: MemberFacts): m is LiveMember {
  return m.facts.running !== undefined;
}

export const NOT_WAITED_FOR = "readers of logical slots do not wait for it yet";

/**
 * Readers of slots do not wait for a standby that was gone a moment ago: repmgrd has yet to tell the primary that it is back
 * (event.sh).
 */
export function isLeftOut({ fileSettings }: RunningFacts, { id, isWaitedFor }: Member): boolean {
  const told = fileSettings.synchronized_standby_slots;
  if (isWaitedFor !== true || told?.sourceFile.endsWith("/postgresql.auto.conf") !== true) return false;
  return !told.setting.split(/\s*,\s*/).includes(`repmgr_slot_${id}`);
}

/** The data nodes that take writes now. Healthy clusters have exactly one. */
export function livePrimaries(view: ClusterView): LiveMember[] {
  return view.filter(isLive).filter(({ member, facts }) => !member.witness && !facts.running.inRecovery);
}

/**
 * For waits that need a primary: one that is gone does not come back by waiting, and while repmgrd is paused nobody replaces it.
 * @throws Error when it does not run or takes no writes
 */
export function stillPrimary({ node, host }: Member, { alive, running }: InstanceFacts): void {
  if (alive && running?.inRecovery !== true) return;
  throw new Error(
    `${host}: ${node} ${alive ? "is a standby now" : "does not run any more"}, and nothing goes on without a primary`,
  );
}

/**
 * The one node that takes writes, or undefined when none does.
 * @throws Refused when two do: which of them is right only a person can say
 */
export function thePrimary(inputs: ClusterInputs, view: ClusterView): LiveMember | undefined {
  const [first, second] = livePrimaries(view);
  if (first === undefined || second === undefined) return first;
  const both = [first, second].map(
    ({ member, facts }) => `${member.node} on ${member.host} (timeline ${facts.running.timeline})`,
  );
  throw new Refused(
    `cluster ${inputs.cluster}: ${both.join(" and ")} both take writes. Nothing is changed, because each may hold rows the other lacks. ` +
      `Compare them, stop the one to give up with "sudo systemctl stop ${shortUnit(clusterPaths(inputs).postgresqlUnit)}", then run "pulumi up": it is rejoined.`,
  );
}
