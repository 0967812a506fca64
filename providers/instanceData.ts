import { type Action, waitFor } from "../actions/action";
import { AT_HOME, loginProbe, type LoginQuestion, slotUser, tlsVariables } from "../facts/login";
import { renderRepmgrConf } from "../facts/repmgrConf";
import { clusterPaths, familyLayout } from "../families";
import { sh } from "../ssh/quote";
import { RUN_DIRECTORY } from "../ssh/restricted";
import { rejoinMark } from "../facts/rewind";
import { type ClusterInputs, type Member, peerTls } from "./cluster";
import type { PgInstanceInputs } from "./pgInstance";
import { clustersDirectory } from "./spaceDirectories";
import { placeSpaces, REMOVE_DATA, stageSpaces } from "./spaceScripts";

/** What a clone needs to know of the node it is made for. */
export interface CloneTarget extends ClusterInputs {
  readonly host: string;
  readonly node: string;
  readonly repmgrConf: Readonly<Record<string, string>>;
}

/** Time for the primary's own resource to be updated in the same run. */
const LET_IN_DEADLINE_MS = 120_000;
/** Twice PostgreSQL's default of wal_sender_timeout, and some. */
const SLOT_DEADLINE_SECONDS = 150;
const INITDB_DEADLINE_MS = 300_000;
/** A clone copies the whole database; a terabyte over a gigabit takes three hours. */
const CLONE_DEADLINE_MS = 24 * 3_600_000;

/** A new database with SCRAM for everyone over TCP (PostgreSQL documentation, initdb). */
export function planInitdb(want: PgInstanceInputs, because: string, effect: "initdb" | "witness" = "initdb"): Action[] {
  const initdb = `${familyLayout(want.family).binDirectory(want.version)}/initdb`;
  return [
    {
      do: "run",
      host: want.host,
      effect,
      why: `initdb in ${want.dataDirectory}: ${because}`,
      script: building(
        want,
        `runuser -u postgres -- ${sh(initdb)} -D "$building" ${want.wantsChecksums ? "--data-checksums " : ""}--auth-local=peer --auth-host=scram-sha-256 \\
  --encoding=UTF8 --locale=C.UTF-8
printf 'cluster_name = %s\\n' ${sh(`'${want.cluster}'`)} >>"$building/postgresql.conf"`,
      ),
      deadlineMs: INITDB_DEADLINE_MS,
    },
  ];
}

/** The node that data are copied from. */
export interface Source {
  readonly member: Member;
  /** "is the primary now" */
  readonly because: string;
  /** It is a standby, which the copy shall follow. */
  readonly isUpstream?: boolean;
}

export function fromPrimary(member: Member): Source {
  return { member, because: "is the primary now" };
}

/**
 * A node added after a failover: the primary's pg_hba.conf and firewall learn of it in the same run, maybe later than
 * the new node's own turn comes.
 */
export function planLetIn(want: CloneTarget, { member, because }: Source): Action {
  return waitFor(
    {
      host: want.host,
      why: `${member.node}, which ${because}, lets ${want.node} in (its pg_hba.conf and firewall may still be on their way)`,
      deadlineMs: LET_IN_DEADLINE_MS,
    },
    loginProbe(loginTo(want, member)),
    (refusal) => refusal,
  );
}

/**
 * Shell. A host that lost power said no goodbye: the primary holds its connection, and with it the slot that a clone
 * needs, for wal_sender_timeout. Nobody is thrown out: whoever uses the slot may be alive.
 */
function untilSlotIsFree(want: CloneTarget, { member }: Source): string {
  const slot = `repmgr_slot_${want.repmgrConf.node_id ?? ""}`;
  const busy = `the slot ${slot} on ${member.host} has been in use for ${SLOT_DEADLINE_SECONDS} s`;
  const end = `sudo -u postgres psql -p ${want.port} -c "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '${slot}'"`;
  return `tries=0
while user=$(${slotUser(loginTo(want, member), slot)}) && [ -n "$user" ]; do
  tries=$((tries + 1))
  [ $tries -lt ${SLOT_DEADLINE_SECONDS} ] || { printf '%s: %s. If that is no living server, type there: %s\n' ${sh(busy)} "$user" ${sh(end)}; exit 1; }
  sleep 1
done`;
}

function loginTo(want: CloneTarget, { address }: Member): LoginQuestion {
  const binDirectory = familyLayout(want.family).binDirectory(want.version);
  const { passFile } = clusterPaths(want);
  return { binDirectory, passFile, ...peerTls(want), address, port: want.port };
}

/**
 * A copy of another node; repmgr makes the slot there and writes standby.signal (repmgr documentation, "repmgr standby clone").
 * @param kept what is said of old files that it finds
 */
export function planClone(want: CloneTarget, source: Source, kept = ""): Action[] {
  const { member, because, isUpstream = false } = source;
  const repmgr = `${familyLayout(want.family).binDirectory(want.version)}/repmgr`;
  const { passFile } = clusterPaths(want);
  return [
    planLetIn(want, source),
    {
      do: "run",
      host: want.host,
      effect: "clone",
      why: `clone ${want.node} from ${member.node}, which ${because}${kept}`,
      stdin: renderRepmgrConf(want.cluster, { ...want.repmgrConf, data_directory: `${want.dataDirectory}.building` }),
      script: building(
        want,
        `${untilSlotIsFree(want, source)}
conf=${RUN_DIRECTORY}/${sh(`repmgr-clone-${want.cluster}`)}
trap 'rm -f "$conf"' EXIT
cat >"$conf"
chown postgres: "$conf"
${stageSpaces(loginTo(want, member))}
runuser -u postgres -- ${AT_HOME} PGPASSFILE=${sh(passFile)}${tlsVariables(peerTls(want))} ${sh(repmgr)} -f "$conf" standby clone \\
  -h ${sh(member.address)} -p ${want.port} -U repmgr -d repmgr --fast-checkpoint${isUpstream ? ` --upstream-node-id=${member.id}` : ""}
${placeSpaces(want.version, clustersDirectory(want))}`,
      ),
      deadlineMs: CLONE_DEADLINE_MS,
    },
  ];
}

/**
 * Shell on "$data" and "$building": an empty directory to be filled, and those that lead to it. Where there is SELinux,
 * what fills it may be confined, so each one that is made has its label before.
 */
export const MAKE_BUILDING = `parent=$(dirname "$data")
near=$parent
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
[ -d "$parent" ] || install -d -o postgres -g postgres -m 0755 "$parent" || {
  echo "$parent has to be made by root, belonging to postgres; sudo install -d -o postgres -g postgres $parent" >&2
  exit 1
}
install -d -o postgres -g postgres -m 0700 "$building"
if command -v restorecon >/dev/null; then
  made=$building
  while [ "$made" != "$near" ]; do restorecon "$made"; made=$(dirname "$made"); done
fi`;

/** Fills PGDATA beside its place and renames it, so that a PGDATA that exists is a whole one. */
function building(want: ClusterInputs, fill: string): string {
  return oneAtATime(
    want,
    `building="$data.building"
[ ! -f "$data/PG_VERSION" ] || exit 0
${REMOVE_DATA}
remove_data "$building"
${MAKE_BUILDING}
( ${fill}
) >&2
[ ! -d "$data" ] || rmdir "$data"
mark=${sh(rejoinMark(want.dataDirectory))}
rm -f "$mark"
mv "$building" "$data"
if command -v restorecon >/dev/null; then restorecon -R "$data"; fi
sync "$parent"`,
  );
}

/**
 * Shell on "$data". The lock makes a second try wait for a first one that lost its connection but still runs on the host, also
 * where one ran as root and the other as postgres: whoever comes first after a boot makes it, and reading it is enough.
 */
export function oneAtATime({ cluster, dataDirectory }: ClusterInputs, script: string): string {
  return `data=${sh(dataDirectory)}
cd /
lock=${sh(`/run/lock/repmgr-pulumi-${cluster}`)}
[ -e "$lock" ] || ( umask 022; : >"$lock" ) || {
  echo "type on this host: sudo install -m 644 /dev/null $lock" >&2
  exit 1
}
exec 9<"$lock"
flock -w 86400 9
( ${script}
) 9>&-`;
}
