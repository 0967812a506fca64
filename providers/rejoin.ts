import { type Action, asRoot } from "../actions/action";
import { type Alone, rejoinMark, type RewindFacts, type RewindQuestion } from "../facts/rewind";
import { clusterPaths, familyLayout, shortUnit } from "../families";
import { sh, sqlLiteral } from "../ssh/quote";
import { type ClusterInputs, type LiveMember, type MemberFacts, peerTls } from "./cluster";
import { mib } from "./size";
import { asideSpaces } from "./spaceScripts";
import { sqlAction } from "./commands";
import { fromPrimary, oneAtATime, planClone, planLetIn } from "./instanceData";
import { Refused } from "./kind";
import { rejoinScript, SETTLE_DEADLINE_MS, settleScript } from "./rejoinScript";
import type { RepmgrNodeInputs } from "./repmgrNode";
import { planStart } from "./revive";

/** pg_rewind copies what differs; the rest is crash recovery and one checkpoint. */
const REJOIN_DEADLINE_MS = 3_600_000;

/** What is known of an instance that has to come back under another primary. */
export interface Return {
  /** What the last rejoin left beside PGDATA. */
  readonly mark?: string;
  readonly facts?: RewindFacts;
}

export function rewindQuestion(inputs: ClusterInputs, address: string): RewindQuestion {
  const { family, version, port, dataDirectory } = inputs;
  const { passFile } = clusterPaths(inputs);
  const login = { binDirectory: familyLayout(family).binDirectory(version), passFile, ...peerTls(inputs) };
  return { ...login, address, port, dataDirectory };
}

/**
 * An instance that was primary comes back under the node that is primary now, never as a primary: rewound where that is
 * possible, else cloned anew with its old PGDATA kept aside.
 * @throws Refused when there is no room for a clone beside the old data
 */
export function planReturn(want: RepmgrNodeInputs, back: Return, self: MemberFacts, primary: LiveMember): Action[] {
  refuseOutside(want);
  const reason = cannotRewind(back);
  if (reason === undefined) return planRejoin(want, back.facts?.alone, self, primary);
  return planReclone(want, back.facts, { reason, self, primary, cannot: "be rewound" });
}

/**
 * A standby that its upstream has left behind: a new copy takes the place of its data, which are kept as those of a
 * former primary are. The mark says so from before the data move, so that a run that was cut is finished by the next.
 * @throws Refused when there is no room for a clone beside the old data
 */
export function planCopyAnew(
  want: RepmgrNodeInputs,
  { facts }: Return,
  reason: string,
  self: MemberFacts,
  primary: LiveMember,
): Action[] {
  const mark = sh(rejoinMark(want.dataDirectory));
  const [letIn, ...rest] = planReclone(want, facts, { reason, self, primary, cannot: "follow" });
  const why = `${reason}: a new copy has to take the place of its data`;
  const script = `mark=${mark}\nprintf 'cannot: %s\\n' ${sh(reason)} >"$mark"\nsync "$mark"`;
  const actions: Action[] = [
    ...(letIn === undefined ? [] : [letIn]),
    { do: "run", host: want.host, why, script },
    ...rest,
  ];
  return facts === undefined || facts.spaces.length === 0 ? actions : asRoot(actions);
}

/**
 * A former primary that is up and answers nobody: where it is proved to be superseded it is killed and comes back.
 * @throws Refused where a person has to decide
 */
export function planSupersede(
  want: RepmgrNodeInputs,
  back: Return,
  { self, primary, isSuperseded }: { self: MemberFacts; primary: LiveMember; isSuperseded: boolean },
): Action[] {
  if (!isSuperseded) throw comesUpBeside(want, self, primary);
  const down = { ...self, facts: { ...self.facts, alive: false } };
  return [planKill(want, self, primary), ...planReturn(want, back, down, primary)];
}

function comesUpBeside(want: RepmgrNodeInputs, { facts }: MemberFacts, primary: LiveMember): Refused {
  const { cluster, host, node } = want;
  const { member, facts: theirs } = primary;
  return new Refused(
    `cluster ${cluster}: ${node} on ${host} is up as a primary (it refuses connections: ${facts.refusal}), and ${member.node} on ${member.host} ` +
      `is primary on timeline ${theirs.running.timeline}. Stop the one to give up with "sudo systemctl stop ${shortUnit(clusterPaths(want).postgresqlUnit)}", then run "pulumi up": it is rejoined.`,
  );
}

/** A standby that was started by a rejoin which never came to its end: a reboot or a lost connection cut it. */
export function planSettle(want: RepmgrNodeInputs, { facts }: MemberFacts): Action[] {
  return [
    {
      do: "run",
      host: want.host,
      why: `${want.node} is up after a rejoin that was cut, and refuses connections (${facts.refusal}): wait until it answers, or its log says that it never will`,
      script: settleScript(want),
      deadlineMs: SETTLE_DEADLINE_MS,
    },
  ];
}

/** What hangs may come to itself at any moment and take a write; a clean stop would first wake it up (systemd.kill, SIGCONT). */
function planKill(want: RepmgrNodeInputs, { facts }: MemberFacts, { member, facts: theirs }: LiveMember): Action {
  const unit = clusterPaths(want).postgresqlUnit;
  return {
    do: "run",
    host: want.host,
    effect: "stop",
    why: `${want.node} is up and answers nobody (${facts.refusal}), and ${member.node} is primary on the later timeline ${theirs.running.timeline}: kill it before it can take a write again`,
    script: `pid=$(head -n 1 ${sh(`${want.dataDirectory}/postmaster.pid`)} 2>/dev/null || true)
systemctl kill -s KILL ${unit} || true
tries=0
while [ -n "$pid" ] && [ -e "/proc/$pid" ]; do
  tries=$((tries + 1)); [ $tries -lt 300 ] || { echo "process $pid still runs; it was not started by ${unit}" >&2; exit 1; }
  sleep 0.1
done`,
  };
}

/** Without the option repmgr starts PostgreSQL itself, and systemd knows nothing of it (repmgr#668). */
function refuseOutside({ host, cluster, node, layout, repmgrConf }: RepmgrNodeInputs): void {
  if (layout === undefined || repmgrConf.service_start_command !== undefined) return;
  throw new Refused(
    `${host}: ${cluster}/${node} cannot be rejoined: its repmgr.conf names no service_start_command, so repmgr would start PostgreSQL outside of ` +
      `${layout.postgresqlUnit}. Add the service commands to repmgr.options in the inventory ("service_start_command: sudo systemctl start ` +
      `${layout.postgresqlUnit}" and stop, restart, reload likewise), allow the user postgres to run them with sudo, then run "pulumi up".`,
  );
}

/** Why the data as it is can only be put aside; undefined when a rewind is worth trying. */
function cannotRewind({ mark, facts }: Return): string | undefined {
  if (mark?.startsWith("begun") === true) return "its rejoin was cut short, so its files may be half rewound";
  if (mark !== undefined) return mark.trim().replace(/^\w+: /, "");
  const mixed = facts?.spaces.find(({ besides }) => besides !== undefined);
  if (mixed !== undefined)
    return `${mixed.directory}, of a tablespace, holds ${mixed.besides ?? ""} besides, which a rewind would remove`;
  return facts?.rewind === "impossible" ? facts.reason : undefined;
}

/**
 * See repmgr documentation, "repmgr node rejoin", and PostgreSQL documentation, pg_rewind: one that fails half way leaves
 * files nobody may use. So whether it can work is asked before, after the crash recovery that pg_rewind would do itself,
 * and a mark stands beside PGDATA while it is rewound. What the mark says, the next plan takes up.
 */
function planRejoin(
  want: RepmgrNodeInputs,
  alone: Alone | undefined,
  self: MemberFacts,
  primary: LiveMember,
): Action[] {
  const { member, facts } = primary;
  const was = `was primary on timeline ${self.facts.control?.timeline ?? "?"}`;
  return [
    planLetIn(want, fromPrimary(member)),
    ...planRow(want, primary),
    {
      do: "run",
      host: want.host,
      effect: "rejoin",
      why: `${want.node} ${was}; ${member.node} is primary on timeline ${facts.running.timeline}: rejoin it as a standby, rewound to where they parted${givenUp(alone)}`,
      script: rejoinScript(want, rewindQuestion(want, member.address)),
      deadlineMs: REJOIN_DEADLINE_MS,
    },
  ];
}

function givenUp(alone: Alone | undefined): string {
  if (alone === undefined || alone.transactions === 0) return "";
  return ` (${alone.since}); ${alone.transactions} transactions after that, repmgr's own among them, are on this node alone and are given up`;
}

/** "node rejoin" only takes back a node that the primary knows; one that was removed from the cluster has no row any more. */
function planRow(want: RepmgrNodeInputs, primary: LiveMember): Action[] {
  if (isRegistered(want, primary)) return [];
  const why = `${want.node} comes back to the cluster: enter it, inactive, so that it can be rejoined`;
  return [sqlAction(want, { host: primary.member.host, database: "repmgr" }, why, [`${inactiveRow(want, primary)};`])];
}

export function isRegistered({ nodeId }: RepmgrNodeInputs, { facts }: LiveMember): boolean {
  return facts.repmgr === undefined || facts.repmgr.nodes.some(({ id }) => id === nodeId);
}

/** SQL: enters a node in repmgr.nodes as one that is not there yet, which is all that repmgr needs to bring it there. */
function inactiveRow(want: RepmgrNodeInputs, { member }: LiveMember): string {
  const { nodeId: id, node, repmgrConf } = want;
  const path = clusterPaths(want).repmgrConf;
  const texts = [node, "standby", repmgrConf.conninfo ?? "", "repmgr", `repmgr_slot_${id}`, path].map(sqlLiteral);
  return `insert into repmgr.nodes (node_id, upstream_node_id, active, node_name, type, conninfo, repluser, slot_name, config_file) select ${id}, ${member.id}, false, ${texts.join(", ")} where not exists (select from repmgr.nodes where node_id = ${id})`;
}

interface Reclone {
  readonly reason: string;
  readonly self: MemberFacts;
  readonly primary: LiveMember;
  readonly cannot: "be rewound" | "follow";
}

/**
 * Nothing of the old data is removed: it may hold rows that nobody else has. What is in tablespaces is kept and copied beside their
 * directories, where root alone may be able to write.
 */
function planReclone(
  want: RepmgrNodeInputs,
  facts: RewindFacts | undefined,
  { reason, self, primary, cannot }: Reclone,
): Action[] {
  if (facts === undefined) throw new Error(`${want.host}: the size of ${want.dataDirectory} was not asked for`);
  const { member } = primary;
  const word = cannot === "follow" ? "behind" : "diverged";
  const suffix = `.${word}-${self.facts.control?.timeline ?? "unknown"}-${facts.stamp}`;
  const aside = `${want.dataDirectory}${suffix}`;
  const spaces = facts.spaces.map(
    ({ directory, sizeKib }) => `, of ${directory}, ${mib(sizeKib)}, in ${directory}${suffix}`,
  );
  refuseFull(want, facts, `cannot ${cannot} (${reason})`);
  const cloned = { ...self, facts: { ...self.facts, alive: false, isStandby: true } };
  const actions: Action[] = [
    planLetIn(want, fromPrimary(member)),
    {
      do: "run",
      host: want.host,
      effect: "rejoin",
      why: `${want.node} cannot ${cannot === "follow" ? "" : "be rewound to "}follow ${member.node} (${reason}): keep its data, ${mib(facts.sizeKib)}, in ${aside}${spaces.join("")}`,
      script: asideScript(want, suffix),
      deadlineMs: REJOIN_DEADLINE_MS,
    },
    ...planClone(want, fromPrimary(member)).slice(1),
    {
      do: "run",
      host: want.host,
      why: `${want.node} keeps its own postgresql.conf, pg_hba.conf and conf.d`,
      script: ownFilesScript(want, aside),
    },
    ...planStart(want, cloned, `it is a new copy of ${member.node}`),
  ];
  return facts.spaces.length === 0 ? actions : asRoot(actions);
}

function refuseFull(
  { host, cluster, node, dataDirectory }: RepmgrNodeInputs,
  facts: RewindFacts,
  cannot: string,
): void {
  const all = [{ directory: dataDirectory, ...facts }, ...facts.spaces];
  const full = all.find(({ device, freeKib }) => {
    const there = all.filter((other) => other.device === device);
    return freeKib <= there.reduce((sum, { sizeKib }) => sum + sizeKib, 0);
  });
  if (full === undefined) return;
  const there = all.filter((other) => other.device === full.device);
  const sizes = there.map(({ directory, sizeKib }) => `${directory} holds ${mib(sizeKib)}`).join(", ");
  const way =
    facts.spaces.length === 0
      ? `, or move the old data to another file system ("sudo mv ${dataDirectory} ...")`
      : " on that file system";
  throw new Refused(
    `${host}: ${cluster}/${node} ${cannot}, and there is no room for a clone beside its old data: ${sizes}, ` +
      `${mib(full.freeKib)} are free. Make room${way}, then run "pulumi up".`,
  );
}

/** The mark goes last, and with the finished clone at the latest: until then the next try finds it and does the rest. */
function asideScript(want: RepmgrNodeInputs, suffix: string): string {
  const { postgresqlUnit } = clusterPaths(want);
  return oneAtATime(
    want,
    `aside=${sh(`${want.dataDirectory}${suffix}`)}
mark=${sh(rejoinMark(want.dataDirectory))}
if [ -e "$data/standby.signal" ] && [ ! -e "$mark" ]; then exit 0; fi
systemctl stop ${postgresqlUnit} 2>/dev/null || true
pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(readlink -f "$data")" ]; then
  echo "PostgreSQL still runs in $data as process $pid" >&2; exit 1
fi
${asideSpaces(suffix)}
mv "$data" "$aside"
rm -f "$mark"
sync "$(dirname "$data")"`,
  );
}

function ownFilesScript(want: RepmgrNodeInputs, aside: string): string {
  return `data=${sh(want.dataDirectory)}
aside=${sh(aside)}
for file in postgresql.conf pg_hba.conf; do
  [ ! -s "$aside/$file" ] || cp -p "$aside/$file" "$data/$file"
done
[ ! -d "$aside/conf.d" ] || cp -pR "$aside/conf.d/." "$data/conf.d"`;
}
