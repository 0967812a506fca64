import type { Action } from "../actions/action";
import { renderRepmgrConf } from "../facts/repmgrConf";
import { clusterPaths, familyLayout } from "../families";
import { sh } from "../ssh/quote";
import type { Member } from "./cluster";
import type { PgInstanceInputs } from "./pgInstance";

const INITDB_DEADLINE_MS = 300_000;
/** A clone copies the whole database; a terabyte over a gigabit takes three hours. */
const CLONE_DEADLINE_MS = 24 * 3_600_000;

/** A new database with checksums; SCRAM for everyone over TCP (PostgreSQL documentation, initdb). */
export function planInitdb(want: PgInstanceInputs, because: string): Action[] {
  const initdb = `${familyLayout(want.family).binDirectory(want.version)}/initdb`;
  return [
    {
      do: "run",
      host: want.host,
      why: `initdb in ${want.dataDirectory}: ${because}`,
      script: building(
        want,
        `runuser -u postgres -- ${sh(initdb)} -D "$building" --data-checksums --auth-local=peer --auth-host=scram-sha-256 \\
  --encoding=UTF8 --locale=C.UTF-8
printf 'cluster_name = %s\\n' ${sh(`'${want.cluster}'`)} >>"$building/postgresql.conf"`,
      ),
      deadlineMs: INITDB_DEADLINE_MS,
    },
  ];
}

/** A copy of the node that is primary now; repmgr makes the slot and writes standby.signal (repmgr documentation, "repmgr standby clone"). */
export function planClone(want: PgInstanceInputs, primary: Member): Action[] {
  const repmgr = `${familyLayout(want.family).binDirectory(want.version)}/repmgr`;
  const { passFile } = clusterPaths(want.family, want.cluster);
  return [
    {
      do: "run",
      host: want.host,
      why: `clone ${want.node} from ${primary.node}, which is the primary now`,
      stdin: renderRepmgrConf(want.cluster, { ...want.repmgrConf, data_directory: `${want.dataDirectory}.building` }),
      script: building(
        want,
        `conf=$(mktemp /run/repmgr-clone.XXXXXX)
trap 'rm -f "$conf"' EXIT
cat >"$conf"
chown postgres: "$conf"
runuser -u postgres -- env PGPASSFILE=${sh(passFile)} ${sh(repmgr)} -f "$conf" standby clone \\
  -h ${sh(primary.address)} -p ${want.port} -U repmgr -d repmgr --fast-checkpoint`,
      ),
      deadlineMs: CLONE_DEADLINE_MS,
    },
  ];
}

/**
 * Fills PGDATA beside its place and renames it, so that a PGDATA that exists is a whole one. The lock makes a second
 * try wait for a first one that lost its connection but still runs on the host.
 */
function building(want: PgInstanceInputs, fill: string): string {
  return `data=${sh(want.dataDirectory)}
building="$data.building"
cd /
exec 9>${sh(`/run/lock/repmgr-pulumi-${want.cluster}`)}
flock -w 86400 9
[ ! -f "$data/PG_VERSION" ] || exit 0
rm -rf --one-file-system "$building"
parent=$(dirname "$data")
[ -d "$parent" ] || install -d -o postgres -g postgres -m 0755 "$parent"
( ${fill}
) 9>&- >&2
[ ! -d "$data" ] || rmdir "$data"
mv "$building" "$data"
if command -v restorecon >/dev/null; then restorecon -R "$data"; fi
sync "$parent"`;
}
