/**
 * Shell, in words of the shell itself, since a review asks it of every instance: postmaster DIRECTORY leaves in $pid what
 * postmaster.pid says, "" where there is none, and succeeds when that process works in this very directory: an id may
 * have been given to another process since.
 */
export const POSTMASTER = `postmaster() {
  pid=
  [ ! -f "$1/postmaster.pid" ] || read -r pid <"$1/postmaster.pid" || :
  [ -n "$pid" ] && [ "/proc/$pid/cwd" -ef "$1" ]
}`;

/**
 * Shell, in words of the shell itself: unit_of PID prints the unit that systemd counts a process to, as "ps -o unit=" does, which
 * reads all of /proc for it; nothing where it belongs to none. systemd sorts processes in the hierarchy of its name
 * (cgroups 1) or in the one without a number (2), below the place of process 1, and the other one of the two leads
 * nowhere; the first name that is no slice is the unit (systemd, cgroup-util.c, cg_path_get_unit).
 */
export const UNIT_OF = `unit_of() {
  while IFS=: read -r number controllers path; do
    case $number:$controllers in 0: | *:name=systemd) ;; *) continue ;; esac
    while IFS=: read -r other _ top; do [ "$other" != "$number" ] || break; done </proc/1/cgroup
    top=\${top%/init.scope}
    path=\${path#"\${top%/}"/}
    # Out of a container, a path leads up.
    case $path in ..*) continue ;; esac
    while :; do case $path in *.slice/*) path=\${path#*/} ;; *) break ;; esac; done
    [ -z "$path" ] || { printf '%s\\n' "\${path%%/*}"; return; }
  done <"/proc/$1/cgroup"
}`;
