import { type Action, waitFor } from "../actions/action";
import type { FileFact } from "../facts/file";
import { editConf } from "../facts/editConf";
import { parsePostgresConf } from "../facts/postgresConf";
import { renderRepmgrConf } from "../facts/repmgrConf";
import { rejoinMark } from "../facts/rewind";
import { clusterPaths } from "../families";
import { repmgrConfValue, sh, sqlLiteral } from "../ssh/quote";
import { render } from "../templates/render";
import { equal } from "./canonical";
import { instanceOf, isLive, type LiveMember, memberOf, type MemberFacts, thePrimary } from "./cluster";
import { Refused } from "./kind";
import {
  expectedUpstream,
  fellBehind,
  followingProblem,
  isSuperseded,
  registeredType,
  registrationProblem,
  repmgrRoleProblem,
  slotOf,
  slotProblem,
} from "./nodeState";
import { isRegistered, planCopyAnew, planReturn, planSupersede, type Return } from "./rejoin";
import { asPostgres, planBootstrap, repmgr, sqlAction } from "./commands";
import { parseSudoCommands, type RepmgrNodeFacts, type RepmgrNodeInputs } from "./repmgrNode";
import { planRevival, planStart } from "./revive";

/** A standby that was just started or told whom to follow needs a moment until it streams. */
const ATTACH_DEADLINE_MS = 60_000;
export const CONF_FILE = { owner: "postgres:postgres", mode: "0640" };
/** sudo ignores a file that others may write (sudoers(5)). */
export const SUDOERS_FILE = { owner: "root:root", mode: "0440" };

/** The plan of one node: its files; then it runs; then it follows; then it is registered. Each needs the one before. */
export function planNode(want: RepmgrNodeInputs, have: RepmgrNodeFacts): Action[] {
  const self = memberOf(have.view, want.node);
  const files = [...planConf(want, have.repmgrConf), ...planSudoers(want, have.sudoers)];
  if (self.facts.data !== "present") {
    throw new Refused(
      `${want.host}: ${want.cluster}/${want.node} has no data in ${want.dataDirectory}; run "pulumi up" so that it is cloned`,
    );
  }
  if (!isLive(self)) return [...files, ...planRun(want, have, self)];
  return [...files, ...planRunning(want, have, self)];
}

function planRun(want: RepmgrNodeInputs, have: RepmgrNodeFacts, self: MemberFacts): Action[] {
  if (self.member.witness) return planStart(want, self, "the witness votes only while it runs");
  const primary = thePrimary(want, have.view);
  const back = returnOf(have);
  const isSpent = back.mark !== undefined && (!self.facts.alive || !back.mark.startsWith("begun"));
  if (isSpent && primary !== undefined) return planReturn(want, back, self, primary);
  if (self.facts.alive) {
    if (!self.facts.isStandby && primary !== undefined)
      return planSupersede(want, back, { self, primary, isSuperseded: isSuperseded(have.view, want.node) });
    return planStart(want, self, "it is up");
  }
  if (primary === undefined) return planRevival(want, have.view);
  if (self.facts.isStandby) return planStart(want, self, `it is a standby and ${primary.member.node} is primary`);
  return planReturn(want, back, self, primary);
}

function returnOf({ rejoinMark: mark, rewind }: RepmgrNodeFacts): Return {
  return { ...(mark === undefined ? {} : { mark: mark.content }), ...(rewind === undefined ? {} : { facts: rewind }) };
}

function planRunning(want: RepmgrNodeInputs, have: RepmgrNodeFacts, self: LiveMember): Action[] {
  if (self.member.witness) return planWitness(want, have, self);
  const primary = thePrimary(want, have.view);
  if (primary === undefined) return planRevival(want, have.view);
  const isPrimary = primary.member.node === want.node;
  const role = repmgrRoleProblem(want, primary.facts.running);
  if (isPrimary && (role !== undefined || primary.facts.repmgr === undefined)) {
    return planBootstrap(want, role ?? "without its extension");
  }
  if (primary.facts.repmgr === undefined) {
    throw new Refused(
      `${primary.member.node} is primary but has no repmgr extension; run "pulumi up" for the whole cluster`,
    );
  }
  const following = isPrimary ? [] : [...planSlot(want, have), ...planFollow(want, have, self, primary)];
  const back = returnOf(have);
  const behind = fellBehind(want, have.view);
  if (behind !== undefined) return planCopyAnew(want, back, behind, self, primary);
  if (following.length > 0)
    return back.mark?.startsWith("failed") === true ? planReturn(want, back, self, primary) : following;
  return [...planUnmark(want, back), ...planRegister(want, have, primary)];
}

/** The connection was lost after the rejoin and before its last step. */
function planUnmark({ host, node, dataDirectory }: RepmgrNodeInputs, { mark }: Return): Action[] {
  if (mark === undefined) return [];
  const why = `${node} works, so the mark of an unfinished rejoin is no longer true`;
  return [{ do: "run", host, why, script: `mark=${sh(rejoinMark(dataDirectory))}\nrm -f "$mark"` }];
}

/** Before the standby is told to follow: with its slot back it may stream by itself. */
function planSlot(want: RepmgrNodeInputs, { view }: RepmgrNodeFacts): Action[] {
  const problem = slotProblem(want, view);
  const upstream = expectedUpstream(want, view);
  if (problem === undefined || upstream === undefined) return [];
  const slot = sqlLiteral(`repmgr_slot_${want.nodeId}`);
  const on = { host: upstream.member.host, database: "postgres" };
  const why = `the slot of ${want.node}, which keeps the WAL it still needs, is ${problem}: make it`;
  return [
    sqlAction(want, on, why, [
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = ${slot} and wal_status = 'lost';`,
      `select pg_create_physical_replication_slot(${slot}, true) where not exists (select from pg_replication_slots where slot_name = ${slot});`,
    ]),
  ];
}

function planFollow(
  want: RepmgrNodeInputs,
  { view }: RepmgrNodeFacts,
  self: LiveMember,
  primary: LiveMember,
): Action[] {
  const problem = followingProblem(want, view, self.facts.running);
  const upstream = expectedUpstream(want, view);
  if (problem === undefined || upstream === undefined) return [];
  const { node } = upstream.member;
  return [
    {
      do: "run",
      host: want.host,
      effect: "follow",
      why: `${problem}: follow ${node}`,
      script: `${waitBriefly(want, upstream)} || ${follow(want, upstream, primary)}`,
      deadlineMs: ATTACH_DEADLINE_MS,
    },
    waitFor(
      { host: want.host, why: `${want.node} streams from ${node}`, deadlineMs: ATTACH_DEADLINE_MS },
      instanceOf(want),
      ({ running, refusal }) => (running === undefined ? refusal : followingProblem(want, view, running)),
    ),
  ];
}

/**
 * Shell: tells a standby whom to follow. "standby follow" knows only a node whose row has come to its own database, which
 * it has not where a node was removed from the cluster and is added again; then the settings are made without it.
 */
function follow(want: RepmgrNodeInputs, { member }: MemberFacts, primary: LiveMember): string {
  if (isRegistered(want, primary)) return repmgr(want, `standby follow --upstream-node-id=${member.id}`);
  const conninfo = sqlLiteral(`${member.conninfo} application_name=${want.node}`);
  const statements = [
    `alter system set primary_conninfo = ${conninfo}`,
    `alter system set primary_slot_name = 'repmgr_slot_${want.nodeId}'`,
    "select pg_reload_conf()",
  ];
  const options = statements.map((statement) => `-c ${sh(statement)}`).join(" ");
  return asPostgres(want, "psql", `-Xq -v ON_ERROR_STOP=1 -d postgres ${options} >/dev/null`);
}

/** Shell: succeeds when the standby begins to stream from its upstream by itself within five seconds, as after a start. */
function waitBriefly(want: RepmgrNodeInputs, { member }: MemberFacts): string {
  const slot = slotOf(want);
  const through = slot === undefined ? "" : ` and slot_name = '${slot}'`;
  const streams = `select count(*) from pg_stat_wal_receiver where status = 'streaming' and sender_host = '${member.address}'${through}`;
  return `(n=0; until [ "$(${asPostgres(want, "psql", `-XAtqc "${streams}" -d postgres`)})" = 1 ]; do
  n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.1; done)`;
}

function planRegister(want: RepmgrNodeInputs, { view }: RepmgrNodeFacts, primary: LiveMember): Action[] {
  const rows = primary.facts.repmgr?.nodes ?? [];
  const row = rows.find(({ id }) => id === want.nodeId);
  const problem = registrationProblem(want, view, row);
  if (problem === undefined) return [];
  if (!rows.some(({ id }) => id === primary.member.id)) return [registerPrimary(want, primary)];
  const upstream =
    want.upstream === undefined ? undefined : view.find(({ member }) => member.node === want.upstream)?.member;
  const type = registeredType(want, view);
  const force = row === undefined ? "" : " --force";
  const options =
    type === "standby" ? ` --wait-sync=30${upstream === undefined ? "" : ` --upstream-node-id=${upstream.id}`}` : "";
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} is ${problem}: register it as ${type}`,
      script: repmgr(want, `${type} register${force}${options}`),
    },
  ];
}

/**
 * A standby can only be registered below a registered primary, and after an adoption the primary may be a node whose
 * own turn comes later. It is entered as `repmgr primary register` there would, which then finds nothing to do.
 */
function registerPrimary(want: RepmgrNodeInputs, primary: LiveMember): Action {
  if (primary.member.node === want.node) {
    return {
      do: "run",
      host: want.host,
      why: `${want.node} is primary and not registered`,
      script: repmgr(want, "primary register"),
    };
  }
  const { id, node, host, conninfo } = primary.member;
  const { repmgrConf } = clusterPaths(want);
  const values = [node, "primary", conninfo, "repmgr", `repmgr_slot_${id}`, repmgrConf].map(sqlLiteral).join(", ");
  return sqlAction(
    want,
    { host, database: "repmgr" },
    `${node} is primary and not registered, and ${want.node} goes below it`,
    [
      `insert into repmgr.nodes (node_id, active, node_name, type, conninfo, repluser, slot_name, config_file) values (${id}, true, ${values});`,
    ],
  );
}

function planWitness(want: RepmgrNodeInputs, { view }: RepmgrNodeFacts, self: LiveMember): Action[] {
  const role = repmgrRoleProblem(want, self.facts.running);
  if (role !== undefined || self.facts.repmgr === undefined)
    return planBootstrap(want, role ?? "without its extension");
  const primary = thePrimary(want, view);
  if (primary === undefined)
    throw new Refused(`cluster ${want.cluster}: a witness is registered at the primary, and no node is primary`);
  const rows = primary.facts.repmgr?.nodes ?? [];
  const row = rows.find(({ id }) => id === want.nodeId);
  const problem = registrationProblem(want, view, row);
  if (problem === undefined) return [];
  if (!rows.some(({ id }) => id === primary.member.id)) return [registerPrimary(want, primary)];
  const { address } = primary.member;
  // Its own copy of the rows outlives an unregistration, and a registration that was cut; repmgr asks to be sure then.
  const hasRows = row !== undefined || self.facts.repmgr.nodes.length > 0;
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} is ${problem}: register it as witness`,
      script: repmgr(
        want,
        `witness register -h ${address} -p ${want.port} -U repmgr -d repmgr${hasRows ? " --force" : ""}`,
      ),
    },
  ];
}

function planConf(want: RepmgrNodeInputs, file: FileFact | undefined): Action[] {
  const path = clusterPaths(want).repmgrConf;
  const have = parsePostgresConf(file?.content ?? "");
  const kept = want.layout === undefined ? undefined : file;
  const { owner, mode } = kept ?? CONF_FILE;
  if (equal(have, want.repmgrConf) && file?.owner === owner && file.mode === mode) return [];
  const names = Object.keys(want.repmgrConf).filter((name) => have[name] !== want.repmgrConf[name]);
  const why =
    file === undefined
      ? "repmgr needs its configuration"
      : `repmgr.conf differs in ${names.join(", ") || "what it holds besides"}`;
  const content =
    kept === undefined
      ? renderRepmgrConf(want.cluster, want.repmgrConf)
      : editConf(kept.content, want.repmgrConf, repmgrConfValue);
  const found = file?.content ?? null;
  const put: Action = { do: "putFile", host: want.host, why, path, content, found, owner, mode };
  if (file === undefined) return [put];
  const unit = clusterPaths(want).repmgrdUnit;
  // Only some keys are read again on SIGHUP (repmgr documentation, "repmgrd configuration: reloading"); a restart takes them all.
  return [
    put,
    {
      do: "run",
      host: want.host,
      effect: "repmgrd",
      why: "repmgrd reads its configuration when it starts",
      // A node that comes back may still have its file, and has no unit yet.
      script: `if systemctl cat ${unit} >/dev/null 2>&1; then systemctl try-restart ${unit}; fi`,
    },
  ];
}

function planSudoers(want: RepmgrNodeInputs, file: FileFact | undefined): Action[] {
  const isRight =
    equal(parseSudoCommands(file?.content ?? ""), want.sudoCommands) &&
    file?.mode === SUDOERS_FILE.mode &&
    file.owner === SUDOERS_FILE.owner;
  // What others allow repmgr to do is theirs to say.
  if (isRight || want.layout !== undefined) return [];
  return [
    {
      do: "putFile",
      host: want.host,
      why: `repmgr starts and stops PostgreSQL through systemd with ${want.sudoCommands.length} exact commands`,
      path: clusterPaths(want).sudoers,
      content: render("sudoers", { cluster: want.cluster, commands: want.sudoCommands }),
      found: file?.content ?? null,
      ...SUDOERS_FILE,
      check: 'visudo -cqf "$1"',
    },
  ];
}
