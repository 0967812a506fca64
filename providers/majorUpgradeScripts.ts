import { upgradeMark, type UpgradeMark } from "../facts/formerData";
import { clusterPaths, familyLayout } from "../families";
import { sh, systemdWord } from "../ssh/quote";
import type { ClusterInputs } from "./cluster";
import { runService } from "./commands";
import { MAKE_BUILDING, oneAtATime } from "./instanceData";
import { asideSpaces, REMOVE_DATA } from "./spaceScripts";

/** One cluster on both sides of an upgrade: the versions and the directories differ, nothing else. */
export interface Passage {
  readonly before: ClusterInputs;
  readonly now: ClusterInputs;
}

/** Files of a PGDATA that belong to the instance, not to its configuration. */
const NOT_CONFIGURATION = [
  ...["PG_VERSION", "postmaster.pid", "postmaster.opts", "standby.signal", "recovery.signal", "current_logfiles"],
  ...["backup_label", "backup_label.old", "tablespace_map", "tablespace_map.old", "backup_manifest"],
];

/**
 * Shell: makes an empty PGDATA of the new version like the old one, and asks pg_upgrade whether it can take the old
 * data over; the old server may run meanwhile. See PostgreSQL documentation, pg_upgrade, steps 5 to 8.
 */
export function checkScript(passage: Passage): string {
  const { before, now } = passage;
  const initdb = sh(`${binDirectory(now)}/initdb`);
  const postgres = sh(`${binDirectory(now)}/postgres`);
  return oneAtATime(
    now,
    `${opening(passage)}
[ ! -f "$data/PG_VERSION" ] || exit 0
pid=$(head -n 1 "$old/postmaster.pid" 2>/dev/null || true)
running=
[ -z "$pid" ] || [ "$(readlink "/proc/$pid/cwd")" != "$(readlink -f "$old")" ] || running=1
[ -n "$running" ] || putControlBack
remove_data "$building"
${MAKE_BUILDING}
trap 'remove_data "$building"; rm -rf "$work"' EXIT
wrong=$(runuser -u postgres -- ${postgres} -D "$old" --config-file="$old/postgresql.conf" -C port 2>&1 >/dev/null) || {
  printf 'the configuration is not one for PostgreSQL ${now.version}; take out of the inventory or of conf.d what it does not know, run "pulumi up" with version ${before.version}, then upgrade: %s\\n' "$wrong" >&2
  exit 1
}
control=$(${sh(`${binDirectory(before)}/pg_controldata`)} -D "$old")
segment=$(printf '%s\\n' "$control" | sed -n 's/^Bytes per WAL segment: *//p')
checksums=
printf '%s\\n' "$control" | grep -q '^Data page checksum version: *0$' || checksums=--data-checksums
said=$(runuser -u postgres -- ${initdb} -D "$building" -U postgres $checksums --wal-segsize=$((segment / 1048576)) \\
  --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 2>&1) || { printf '%s\\n' "$said" >&2; exit 1; }
if [ -n "$running" ]; then upgrade --check --old-port=${before.port}; else upgrade --check; fi
trap - EXIT
rm -rf "$work"`,
  );
}

/**
 * Shell: stops the old primary, takes its data over and starts the new one. It goes on when the connection that began
 * it is lost, and a failure before the new version has started ends with the old one running again.
 */
export function switchScript(passage: Passage): string {
  const { before, now } = passage;
  const { postgresqlUnit, repmgrdUnit } = clusterPaths(now);
  const keep = NOT_CONFIGURATION.map((name) => `! -name ${sh(name)}`).join(" ");
  return oneAtATime(
    now,
    `${opening(passage)}
${wayBack(now)}
[ ! -f "$data/PG_VERSION" ] || exit 0
[ -f "$building/PG_VERSION" ] || { echo "$building, made for this upgrade, is gone" >&2; exit 1; }
${writeMark(passage, "begun")}
trap takeBack EXIT
systemctl stop ${repmgrdUnit}
systemctl stop ${postgresqlUnit}
state=$(${sh(`${binDirectory(before)}/pg_controldata`)} -D "$old" | sed -n 's/^Database cluster state: *//p')
[ "$state" = "shut down" ] || { echo "$old is \\"$state\\", wanted \\"shut down\\": it was not stopped cleanly" >&2; exit 1; }
upgrade --link
find "$old" -mindepth 1 -maxdepth 1 -type f ${keep} -exec cp -p -t "$building" {} +
[ ! -d "$old/conf.d" ] || cp -rp "$old/conf.d" "$building/"
mv "$building" "$data"
if command -v restorecon >/dev/null; then restorecon -R "$data"; fi
sync "$(dirname "$data")"
trap - EXIT
rm -rf "$work"
${startIt(passage)}`,
  );
}

/** Shell: starts what was upgraded and not started yet. */
export function startScript(passage: Passage): string {
  return oneAtATime(passage.now, startIt(passage));
}

/** Shell: as it was before, as long as the new version was not started: its files are links, so the old ones stay. */
export function takeBackScript(passage: Passage): string {
  return oneAtATime(passage.now, `${opening(passage)}\n${wayBack(passage.now)}\nremove_data "$data"\ntakeBack`);
}

/**
 * Shell: the files of the old version leave the directories of the tablespaces, which those of the new one share with them. Hard
 * links join the two, so a rewind that took the old ones for its source's would write to the new ones.
 */
export function asideScript(former: ClusterInputs): string {
  return oneAtATime(
    former,
    `pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
if [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(readlink -f "$data")" ]; then
  echo "PostgreSQL still runs in $data as process $pid" >&2; exit 1
fi
${asideSpaces(`.former-${former.version}`)}`,
  );
}

function binDirectory({ family, version }: ClusterInputs): string {
  return familyLayout(family).binDirectory(version);
}

/** Shell on "$data": its names, and pg_upgrade with what it always gets. */
function opening({ before, now }: Passage): string {
  const pgUpgrade = sh(`${binDirectory(now)}/pg_upgrade`);
  return `old=${sh(before.dataDirectory)}
building="$data.building"
${REMOVE_DATA}
work=${sh(`/run/repmgr-upgrade-${now.cluster}`)}
upgrade() {
  rm -rf "$work"
  install -d -o postgres -g postgres -m 0700 "$work"
  runuser -u postgres -- env -C "$work" LC_ALL=C ${pgUpgrade} -U postgres -b ${sh(binDirectory(before))} -B ${sh(binDirectory(now))} \\
    -d "$old" -D "$building" --socketdir="$work" "$@" >"$work/said" 2>&1 && return 0
  tail -n 12 "$work/said" >&2
  find "$building/pg_upgrade_output.d" -name '*.txt' -exec tail -n 5 {} + >&2 2>/dev/null || true
  return 1
}
putControlBack() {
  [ ! -f "$old/global/pg_control.old" ] || [ -f "$old/global/pg_control" ] || mv "$old/global/pg_control.old" "$old/global/pg_control"
}`;
}

/** Shell, after the opening: the old primary runs again, as long as the new version was not started. */
function wayBack(now: ClusterInputs): string {
  const { postgresqlUnit, repmgrdUnit, startAnyway, upgradeMark: mark } = clusterPaths(now);
  return `takeBack() {
  putControlBack
  remove_data "$building"
  rm -rf --one-file-system "$work" ${sh(dropIn(postgresqlUnit))}
  rmdir ${sh(dropInDirectory(postgresqlUnit))} 2>/dev/null || true
  systemctl daemon-reload
  install -D -o postgres -g postgres -m 0600 /dev/null ${sh(startAnyway)}
  systemctl start ${postgresqlUnit}
  rm -f ${sh(startAnyway)}
  systemctl start ${repmgrdUnit}
  rm -f ${sh(mark)}
}`;
}

function writeMark({ before, now }: Passage, phase: UpgradeMark["phase"]): string {
  const text = upgradeMark({ from: before.version, to: now.version, phase, dataDirectory: now.dataDirectory });
  const path = clusterPaths(now).upgradeMark;
  // Made anew and renamed: postgres may put files beside it, and must not choose what root writes to.
  return `rm -f ${sh(`${path}.new`)}
( set -C; printf '%s\\n' ${sh(text)} >${sh(`${path}.new`)} )
sync ${sh(`${path}.new`)}
mv -fT ${sh(`${path}.new`)} ${sh(path)}
sync ${sh(path)}`;
}

/**
 * Its unit still names the old version: its own resource rewrites it later in the same up, and removes the drop-in,
 * which the start of the cluster's only primary does not wait for. The start guard asks nobody: repmgrd is paused.
 */
function startIt(passage: Passage): string {
  const { now } = passage;
  const { postgresqlUnit: unit } = clusterPaths(now);
  return `mkdir -p ${sh(dropInDirectory(unit))}
cat >${sh(dropIn(unit))} <<'UNIT'
[Service]
ExecStartPre=
ExecStart=
ExecStart=${systemdWord(`${binDirectory(now)}/postgres`)} -D ${systemdWord(now.dataDirectory)}
UNIT
systemctl daemon-reload
systemctl reset-failed ${unit} 2>/dev/null || true
${writeMark(passage, "started")}
${runService(now, "start")}`;
}

function dropInDirectory(unit: string): string {
  return `/etc/systemd/system/${unit}.d`;
}

function dropIn(unit: string): string {
  return `${dropInDirectory(unit)}/major-upgrade.conf`;
}
