import type { HostConnection } from "./types";

/** The login may become the user postgres there, and nobody else. */
export function isRestricted({ sudo }: Pick<HostConnection, "sudo">): boolean {
  return sudo === "postgres";
}

/**
 * Shell, one word: where a script keeps what is gone after a boot. For root that is where nobody else may write; for postgres it
 * is its own directory, which the packages make.
 */
export const RUN_DIRECTORY = '"${repmgr_pulumi_run:-/run}"';

/**
 * Shell, before every script of a login that may become postgres only. The scripts are written for root; what they do as
 * postgres they do as they are, and what starts and stops a unit goes through the command lines that the sudoers file of the cluster
 * allows (config/deriveRepmgr.ts, serviceCommands). It does not allow to restart repmgrd, so that stops and starts. Whatever
 * else of systemctl changes something is root's, and fails with that word.
 * timeout(1) starts programs, not functions, so it is told what they would have made of its command.
 */
export const PRELUDE = `repmgr_pulumi_run=/run/postgresql
runuser() { shift 3; "$@"; }
setpriv() { while [ "$1" != -- ]; do shift; done; shift; "$@"; }
journalctl() { command journalctl "$@" || :; }
sudo_systemctl() { sudo -n /usr/bin/systemctl "$1" "\${2%.service}"; }
systemctl() {
  case "$1 $#" in
    "start 2" | "stop 2" | "reload 2") sudo_systemctl "$1" "$2" ;;
    "restart 2") case $2 in repmgrd-*) sudo_systemctl stop "$2" && sudo_systemctl start "$2" ;; *) sudo_systemctl restart "$2" ;; esac ;;
    "try-restart 2") if command systemctl is-active --quiet "$2"; then systemctl restart "$2"; fi ;;
    "reset-failed "*) ;;
    "kill 4") kill_unit "$4" ;;
    "show "* | "cat "* | "is-active "* | "is-enabled "*) command systemctl "$@" ;;
    *) echo "systemctl $* is for root, and this login may become postgres only" >&2; return 1 ;;
  esac
}
kill_unit() {
  for process in /proc/[0-9]*; do
    while IFS= read -r line; do
      case $line in */"$1" | */"$1"/*) kill -KILL "\${process#/proc/}"; break ;; esac
    done <"$process/cgroup"
  done 2>/dev/null
}
timeout() {
  case "$2 $4" in
    "runuser "*) limit=$1; shift 5; command timeout "$limit" "$@" ;;
    *" systemctl")
      ( sleep "$3"; kill_unit "$6" ) >/dev/null 2>&1 &
      systemctl "$5" "$6"; ended=$?; kill -KILL $! 2>/dev/null || :
      return $ended ;;
    *) command timeout "$@" ;;
  esac
}
`;
