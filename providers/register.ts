import { type Action, waitFor } from "../actions/action";
import type { RunningFacts } from "../facts/running";
import { clusterPaths } from "../families";
import { sh, sqlLiteral } from "../ssh/quote";
import { type ClusterView, instanceOf, type LiveMember, thePrimary } from "./cluster";
import { asPostgres, repmgr, sqlAction } from "./commands";
import { Refused } from "./kind";
import { expectedUpstream, knowsItself, registeredType, registrationProblem } from "./nodeState";
import { planBootstrap, repmgrRoleProblem } from "./repmgrRole";
import type { RepmgrNodeFacts, RepmgrNodeInputs } from "./repmgrNode";

/** What a busy primary writes while a large standby is cloned. */
const CATCH_UP_DEADLINE_MS = 3_600_000;
/** A row, a checkpoint and its replay. */
const LIFTED_DEADLINE_MS = 180_000;

/** Enters a data node in repmgr.nodes on the primary, as what it is and below the node it follows. */
export function planRegister(
  want: RepmgrNodeInputs,
  { view }: RepmgrNodeFacts,
  self: LiveMember,
  primary: LiveMember,
): Action[] {
  const rows = primary.facts.repmgr?.nodes ?? [];
  const row = rows.find(({ id }) => id === want.nodeId);
  const problem = registrationProblem(want, view, row);
  if (problem === undefined) return [];
  if (!rows.some(({ id }) => id === primary.member.id)) return [registerPrimary(want, primary)];
  const type = registeredType(want, view);
  const force = row === undefined ? "" : " --force";
  const upstream = expectedUpstream(want, view) ?? primary;
  const below = upstream.member.id === primary.member.id ? "" : ` --upstream-node-id=${upstream.member.id}`;
  const why = `${want.node} is ${problem}: register it as ${type}`;
  if (type !== "standby") {
    return [{ do: "run", host: want.host, why, script: repmgr(want, `${type} register${force}`) }];
  }
  if (self.member.delay !== undefined && row !== undefined && knowsItself(self))
    return [correctRow(want, primary, upstream, problem)];
  return [
    ...planCatchUp(want, self, upstream),
    registerStandby(want, self, primary, why, `standby register${force}${below}`),
  ];
}

/**
 * A standby that still receives what was written while it was cloned is "not attached" to repmgr, which then refuses to
 * register it (repmgr-action-standby.c, is_downstream_node_attached). One that is behind on purpose is told to hurry first.
 */
function planCatchUp(want: RepmgrNodeInputs, self: LiveMember, { member, facts }: LiveMember): Action[] {
  const stateIn = (running: RunningFacts | undefined): string | undefined =>
    running?.replicas.find(({ name }) => name === want.node)?.state;
  if (self.member.delay !== undefined || stateIn(facts.running) === "streaming") return [];
  const why = `${want.node} has caught up with ${member.node}`;
  return [
    waitFor({ host: member.host, why, deadlineMs: CATCH_UP_DEADLINE_MS }, instanceOf(want), ({ running, refusal }) => {
      const state = stateIn(running);
      if (state === "streaming") return undefined;
      return running === undefined ? refusal || "not running" : `${want.node} is in state ${state ?? "not there"}`;
    }),
  ];
}

function registerStandby(
  want: RepmgrNodeInputs,
  self: LiveMember,
  primary: LiveMember,
  why: string,
  command: string,
): Action {
  const { delay } = self.member;
  const run = { do: "run", host: want.host } as const;
  if (delay === undefined) return { ...run, why, script: repmgr(want, `${command} --wait-sync=30`) };
  return {
    ...run,
    why: `${why}; its delay of ${delay} is lifted until it has replayed that`,
    script: registerUndelayed(want, primary, command),
    deadlineMs: LIFTED_DEADLINE_MS,
  };
}

/**
 * repmgr looks for the primary among the rows of the node's own database (get_primary_connection), and those of one that is
 * behind on purpose are of the past: who is primary by now may not be among them.
 */
function correctRow(want: RepmgrNodeInputs, primary: LiveMember, upstream: LiveMember, problem: string): Action {
  const { node, nodeId, repmgrConf: conf } = want;
  const text = {
    node_name: node,
    type: "standby",
    conninfo: conf.conninfo ?? "",
    location: conf.location ?? "default",
  };
  const columns = [
    ...Object.entries(text).map(([column, value]) => `${column} = ${sqlLiteral(value)}`),
    `active = true`,
    `upstream_node_id = ${upstream.member.id}`,
    `priority = ${Number(conf.priority ?? 100)}`,
  ];
  return sqlAction(
    want,
    { host: primary.member.host, database: "repmgr" },
    `${node} is ${problem}: put its row on ${primary.member.node} right, since its own copy is of the past`,
    [`update repmgr.nodes set ${columns.join(", ")} where node_id = ${nodeId};`],
  );
}

/**
 * Shell. repmgrd does not start before the node's row has come to its own database, which takes as long as the delay where a
 * standby stays behind on purpose. So that one catches up, once, until it knows itself, and makes a restartpoint, behind which
 * it does not go back when it is started again.
 */
function registerUndelayed(want: RepmgrNodeInputs, { member }: LiveMember, command: string): string {
  const psql = (args: string): string => asPostgres(want, "psql", `-XAtq -v ON_ERROR_STOP=1 ${args}`);
  const reloaded = (statement: string): string =>
    psql(`-d postgres -c ${sh(statement)} -c 'select pg_reload_conf()' >/dev/null`);
  const there = `-h ${sh(member.address)} -U repmgr -d repmgr`;
  return `trap ${sh(reloaded("alter system reset recovery_min_apply_delay"))} EXIT
${reloaded("alter system set recovery_min_apply_delay = 0")}
${repmgr(want, `${command} --wait-sync=60`)}
lsn=$(${psql(`${there} -c checkpoint -c 'select pg_current_wal_flush_lsn()'`)})
tries=0
until [ "$(${psql(`-d postgres -c "select pg_last_wal_replay_lsn() >= '$lsn'"`)})" = t ]; do
  tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "$lsn is still not replayed" >&2; exit 1; }
  sleep 0.1
done
${psql("-d postgres -c checkpoint")}`;
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

/** Its own instance, entered at the node that is primary now; from then on repmgrd lets it follow. */
export function planWitness(want: RepmgrNodeInputs, { view }: RepmgrNodeFacts, self: LiveMember): Action[] {
  const role = repmgrRoleProblem(want, self.facts);
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
  // Its own copy of the rows outlives an unregistration, and a registration that was cut; repmgr asks to be sure then.
  const hasRows = row !== undefined || self.facts.repmgr.nodes.length > 0;
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} is ${problem}: register it as witness`,
      script: `${witnessRegister(want, primary)}${hasRows ? " --force" : ""}`,
    },
  ];
}

/** Copies the rows of all nodes, too (repmgr-action-witness.c). */
function witnessRegister(want: RepmgrNodeInputs, { member: { address } }: LiveMember): string {
  return repmgr(want, `witness register -h ${address} -p ${want.port} -U repmgr -d repmgr`);
}

/** The witness' repmgrd copies the rows every witness_sync_interval (15 s), and follows nobody whom it does not know. */
export function planWitnessKnows(want: RepmgrNodeInputs, view: ClusterView, primary: LiveMember): Action[] {
  return view
    .filter(({ member }) => member.witness)
    .filter(({ facts: { repmgr: known } }) => {
      return known !== undefined && known.nodes.length > 0 && !known.nodes.some(({ id }) => id === want.nodeId);
    })
    .map(({ member: { node, host } }) => ({
      do: "run",
      host,
      why: `${node} hears of ${want.node} at once: if the primary died before it copies the rows by itself, it would not know whom to follow`,
      script: `${witnessRegister(want, primary)} --force`,
    }));
}
