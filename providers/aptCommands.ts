import { sh, shJoin } from "../ssh/quote";
import type { PackageCommands } from "./packageCommands";

const LOCK_SECONDS = 120;
/** Less than the deadline of an installation, so that what dpkg says is the error. */
const RUNNING_INSTALL_SECONDS = 600;

/**
 * apt waits for dpkg's lock by itself, but not for the one on the package lists, which apt-daily holds at times. Services
 * are never restarted by needrestart: a database is restarted when its cluster allows it.
 */
const APT_SHELL = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
until_lists=$(($(date +%s) + ${LOCK_SECONDS}))
apt() {
  while :; do
    said=$(apt-get -qq -y -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Dpkg::Options::=--force-confdef \\
      -o Dpkg::Options::=--force-confold "$@" 2>&1) && return 0
    case $said in *"Could not get lock /var/lib/apt/lists"*) ;; *) printf '%s\\n' "$said" >&2; return 1 ;; esac
    [ "$(date +%s)" -lt "$until_lists" ] || { printf '%s\\n' "$said" >&2; return 1; }
    sleep 1
  done
}`;

/** The installation may still be under way: whoever began it lost the connection, or its program was killed. dpkg itself does not wait. */
const REPAIR = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
give_up=$(($(date +%s) + ${RUNNING_INSTALL_SECONDS}))
until said=$(dpkg --force-confdef --force-confold --configure -a 2>&1); do
  case $said in *" lock was locked by "*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac
  [ "$(date +%s)" -lt "$give_up" ] || { printf '%s\\n' "$said" >&2; exit 1; }
  sleep 0.5
done`;

export const aptCommands: PackageCommands = {
  exact: (name, version) => `${name}=${version}`,
  install(packages, { fresh, isKnown }) {
    const names = shJoin(packages);
    return `${APT_SHELL}
${fresh === undefined ? "" : updateOnly(fresh)}
${isKnown || fresh !== undefined ? "" : "apt update"}
apt --no-install-recommends install ${names} || { apt update; apt --no-install-recommends install ${names}; }`;
  },
  repair: REPAIR,
  add: (name) => `sudo apt-get install ${name}`,
  downgrade: (name, version) => `sudo apt-get install --allow-downgrades ${name}=${version}`,
};

/** Asks the new repository alone: the lists of the others may be large and are asked for when something is not found. */
function updateOnly(source: string): string {
  return `apt -o Dir::Etc::sourcelist=${sh(source)} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 update`;
}
