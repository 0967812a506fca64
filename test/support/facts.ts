import type { Action } from "../../actions/action";
import type { ContentFact, DatabaseFact, RoleFact } from "../../facts/content";
import type { FileFact } from "../../facts/file";
import { renderHba } from "../../facts/hbaConf";
import type { ControlData, InstanceFacts } from "../../facts/instance";
import { renderPostgresConf } from "../../facts/postgresConf";
import { renderRepmgrConf } from "../../facts/repmgrConf";
import type { LiveSetting, RegisteredNode, RunningFacts } from "../../facts/running";
import { scramVerifier } from "../../facts/scram";
import type { ClusterInputs, ClusterView, Member } from "../../providers/cluster";
import { CLUSTER_DIRECTORY } from "../../providers/clusterDirectory";
import { HEALTHY_CLUSTER, type PgClusterFacts, type PgClusterInputs } from "../../providers/pgCluster";
import { HEALTHY_INSTANCE, type PgInstanceFacts, type PgInstanceInputs } from "../../providers/pgInstance";
import { pgpass } from "../../providers/passFile";
import { HEALTHY_NODE, type RepmgrNodeFacts, type RepmgrNodeInputs } from "../../providers/repmgrNode";
import { render } from "../../templates/render";
import { calm } from "./handoverFacts";

/** Facts of a three-node cluster "main" on hosts pg1 to pg3, as small changes to a healthy one. */
export const PASSWORD = "canary-of-repmgr";
const VERIFIER = scramVerifier(PASSWORD, Buffer.alloc(16, 7));
export const SYSTEM_IDENTIFIER = "7711467505050316867";
const DATA_DIRECTORY = "/var/lib/postgresql/17/main";

export function member(id: number, over: Partial<Member> = {}): Member {
  const address = `198.18.0.${10 + id}`;
  const conninfo = `host=${address} port=5432 user=repmgr dbname=repmgr`;
  return { node: `n${id}`, id, host: `pg${id}`, address, witness: false, conninfo, ...over };
}

export function clusterInputs(over: Partial<ClusterInputs> = {}): ClusterInputs {
  return {
    kind: "any",
    reach: {},
    pending: [],
    cluster: "main",
    family: "debian",
    version: 17,
    port: 5432,
    dataDirectory: DATA_DIRECTORY,
    members: [1, 2, 3].map((id) => member(id)),
    failover: "automatic",
    ...over,
  };
}

export function control(over: Partial<ControlData> = {}): ControlData {
  return {
    systemIdentifier: SYSTEM_IDENTIFIER,
    state: "in production",
    timeline: 1,
    checkpoint: "0/3000028",
    checksums: true,
    ...over,
  };
}

export function role(name: string, over: Partial<RoleFact> = {}): RoleFact {
  const off = { superuser: false, createdb: false, createrole: false, replication: false, bypassrls: false };
  const none = { connectionLimit: -1, validUntil: null, memberOf: [], settings: {}, verifier: null };
  return { name, login: true, inherit: true, ...off, ...none, ...over };
}

const NOTHING = { extensions: [], schemas: [], publications: [] };

export function database(name: string, over: Partial<DatabaseFact> = {}): DatabaseFact {
  const made = { encoding: "UTF8", provider: "libc", locale: "C.UTF-8", tablespace: "pg_default" } as const;
  return { name, owner: "postgres", ...made, connectionLimit: -1, settings: {}, ...NOTHING, ...over };
}

export function setting(value: string, over: Partial<LiveSetting> = {}): LiveSetting {
  const sourceFile = `${DATA_DIRECTORY}/postgresql.conf`;
  return { setting: value, context: "sighup", sourceFile, pendingRestart: false, ...over };
}

export function running(over: Partial<RunningFacts> = {}): RunningFacts {
  return {
    inRecovery: false,
    timeline: 1,
    lsn: "0/3000060",
    walBytes: 50331744,
    configurationLoadedAt: 2_000,
    settings: {},
    fileSettings: {},
    hbaErrors: [],
    walReceiver: null,
    replicas: [1, 2, 3].map((id) => ({ name: `n${id}`, state: "streaming", syncState: "async", lagBytes: 0 })),
    slots: [1, 2, 3].map((id) => ({ name: `repmgr_slot_${id}`, active: true, walStatus: "reserved" })),
    roles: [repmgrRole()],
    hasRepmgr: true,
    ...over,
  };
}

export function repmgrRole(over: Partial<RoleFact> = {}): RoleFact {
  return role("repmgr", { superuser: true, replication: true, verifier: VERIFIER, ...over });
}

/** The rows of a cluster whose primary is the node with this id. */
export function rows(primary = 1, witness?: number): RegisteredNode[] {
  return [1, 2, 3].map((id) => ({
    id,
    name: `n${id}`,
    type: id === primary ? "primary" : id === witness ? "witness" : "standby",
    upstream: id === primary ? null : primary,
    active: true,
    conninfo: member(id).conninfo,
    // What repmgr gives a witness.
    priority: id === witness ? 0 : 100,
    location: "default",
    slot: `repmgr_slot_${id}`,
  }));
}

const STOPPED: InstanceFacts = {
  data: "present",
  ownership: "postgres:postgres 0700",
  directory: CLUSTER_DIRECTORY,
  majorVersion: 17,
  isStandby: false,
  hasConfD: true,
  control: control({ state: "shut down" }),
  alive: false,
  refusal: "",
  repmgrd: "inactive",
};

export function without(data: "absent" | "empty" | "foreign"): InstanceFacts {
  const ownership = data === "absent" ? "" : "postgres:postgres 0700";
  const none = { isStandby: false, hasConfD: false, alive: false, refusal: "", repmgrd: "inactive" };
  return { data, ownership, directory: CLUSTER_DIRECTORY, ...none };
}

/** A stopped instance that would start as a primary. */
export function formerPrimary(timeline = 1, over: Partial<InstanceFacts> = {}): InstanceFacts {
  return { ...STOPPED, control: control({ state: "in production", timeline }), ...over };
}

export function stoppedStandby(timeline = 1, over: Partial<InstanceFacts> = {}): InstanceFacts {
  return { ...STOPPED, isStandby: true, control: control({ state: "shut down in recovery", timeline }), ...over };
}

/** The postmaster is up and lets nobody in. */
export function refusing(isStandby: boolean, refusal = "FATAL:  sorry, too many clients already"): InstanceFacts {
  return { ...STOPPED, isStandby, alive: true, refusal, control: control() };
}

export function primary(over: Partial<InstanceFacts> = {}, run: Partial<RunningFacts> = {}): InstanceFacts {
  const timeline = run.timeline ?? 1;
  return {
    ...STOPPED,
    alive: true,
    control: control({ timeline }),
    running: running(run),
    repmgr: { nodes: rows(), paused: false },
    repmgrd: "active",
    ...over,
  };
}

/** A standby with this id that streams from the node with that id through its slot. */
export function standby(
  id: number,
  from = 1,
  run: Partial<RunningFacts> = {},
  over: Partial<InstanceFacts> = {},
): InstanceFacts {
  const walReceiver = {
    status: "streaming",
    senderHost: member(from).address,
    senderPort: 5432,
    slot: `repmgr_slot_${id}`,
  };
  return primary({ isStandby: true, ...over }, { inRecovery: true, walReceiver, slots: [], ...run });
}

export function view(facts: readonly InstanceFacts[], witness?: number, delayed?: number): ClusterView {
  return facts.map((f, index) => {
    const id = index + 1;
    return { member: member(id, { witness: id === witness, ...(id === delayed ? { delay: "1h" } : {}) }), facts: f };
  });
}

export const healthy = (): ClusterView => view([primary(), standby(2), standby(3)]);

export function file(content: string, over: Partial<FileFact> = {}): FileFact {
  return { content, owner: "postgres:postgres", mode: "0600", modifiedAt: 1_000, ...over };
}

export function instanceInputs(id: number, over: Partial<PgInstanceInputs> = {}): PgInstanceInputs {
  return {
    ...clusterInputs(),
    kind: "PgInstance",
    host: `pg${id}`,
    node: `n${id}`,
    initial: id === 1,
    settings: { cluster_name: "main", port: "5432", work_mem: "4MB" },
    hba: ["local all postgres peer", "host repmgr repmgr 198.18.0.11/32 scram-sha-256"],
    repmgrPassword: PASSWORD,
    repmgrConf: { node_id: String(id) },
    allowDataLoss: false,
    wantsChecksums: true,
    ...HEALTHY_INSTANCE,
    ...over,
  };
}

/** What an instance that is as wanted shows, in this view. */
export function instanceFacts(
  want: PgInstanceInputs,
  seen: ClusterView,
  over: Partial<PgInstanceFacts> = {},
): PgInstanceFacts {
  return {
    view: seen,
    postgresConf: file(renderPostgresConf(want.cluster, want.settings)),
    hbaConf: file(renderHba(want.cluster, want.hba)),
    passFile: file(pgpass(want)),
    primaryHba: undefined,
    isBuilding: false,
    spaces: [],
    ...over,
  };
}

export function nodeInputs(id: number, over: Partial<RepmgrNodeInputs> = {}): RepmgrNodeInputs {
  return {
    ...clusterInputs(),
    kind: "RepmgrNode",
    host: `pg${id}`,
    node: `n${id}`,
    nodeId: id,
    repmgrConf: { node_id: String(id), conninfo: member(id).conninfo, priority: "100", location: "default" },
    sudoCommands: ["/usr/bin/systemctl start postgresql-main"],
    repmgrPassword: PASSWORD,
    ...HEALTHY_NODE,
    ...over,
  };
}

export function nodeFacts(
  want: RepmgrNodeInputs,
  seen: ClusterView,
  over: Partial<RepmgrNodeFacts> = {},
): RepmgrNodeFacts {
  const sudoers = render("sudoers", { cluster: want.cluster, commands: want.sudoCommands });
  return {
    view: seen,
    repmgrConf: file(renderRepmgrConf(want.cluster, want.repmgrConf), { mode: "0640" }),
    sudoers: file(sudoers, { owner: "root:root", mode: "0440" }),
    rejoinMark: undefined,
    rewind: undefined,
    ...over,
  };
}

export function pgClusterInputs(over: Partial<PgClusterInputs> = {}): PgClusterInputs {
  return {
    ...clusterInputs(),
    kind: "PgCluster",
    roles: [],
    rolePasswords: {},
    databases: [],
    settings: {},
    checksums: true,
    nodeRoles: { n1: "primary", n2: "standby", n3: "standby" },
    ...HEALTHY_CLUSTER,
    ...over,
  };
}

export function clusterFacts(seen: ClusterView, content: Partial<ContentFact> = {}): PgClusterFacts {
  return {
    view: seen,
    content: { roles: [], tablespaces: [], databases: [], slots: [], ...content },
    privileges: {},
    publishable: {},
    units: {},
    handover: calm(seen),
  };
}

/** Every action with those inside brackets, in order. */
export function flat(actions: readonly Action[]): Action[] {
  return actions.flatMap((a) => (a.do === "bracket" ? flat([...a.before, ...a.body, ...a.after]) : [a]));
}

export function whys(actions: readonly Action[]): string[] {
  return actions.map(({ host, why }) => `${host}: ${why}`);
}

/** All shell of a plan. */
export function shell(actions: readonly Action[]): string {
  return flat(actions)
    .map((a) => (a.do === "run" ? `${a.script}\n${a.stdin ?? ""}` : ""))
    .join("\n");
}
