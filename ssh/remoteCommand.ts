import { sh } from "./quote";
import { isRestricted, PRELUDE } from "./restricted";
import type { HostConnection } from "./types";

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
/** What a login may have set and sudo may have kept, that changes what programs of the scripts do. Proxies are kept. */
const UNWANTED = [
  ...["POSIXLY_CORRECT", "TMPDIR", "TZ", "CDPATH", "ENV", "BASH_ENV", "GREP_OPTIONS", "SYSTEMD_LOG_LEVEL"],
  ...[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
  ],
  ...["PGOPTIONS", "PGSSLMODE", "PGCLIENTENCODING", "PGTZ", "PGDATESTYLE", "PGDATA", "PGTARGETSESSIONATTRS"],
  ...["PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"],
];

/**
 * What /bin/sh runs on the host, with the token as $1 and the size of the script in bytes as $2. It announces itself
 * on both outputs, skips input up to the token (a password that sudo did not ask for), reads the script and runs it
 * with the rest of the input. A script that was cut on its way lacks the token at its end and is not run.
 * One line without quotes, backslashes and exclamation marks: the login shell, which may be any, must pass it on as it is.
 * dd, because it reads no byte more than it is told to, where other heads read ahead and swallow the script's input.
 */
export const BOOTSTRAP = [
  `cd /;umask 022;PATH=${PATH};LC_ALL=C;export PATH LC_ALL;unset ${UNWANTED.join(" ")}`,
  `echo;echo "$1";echo >&2;echo "$1" >&2`,
  `l=;until [ "$l" = "$1" ];do IFS= read -r l||exit 125;done`,
  `s=$(dd bs="$2" count=1 iflag=fullblock 2>/dev/null)`,
  `case "$s" in *"#$1") set --;eval "unset s l;$s";;*) exit 125;;esac`,
].join(";");

/** How long the host lets a script clean up after the deadline before it is killed. */
export const KILL_AFTER_MS = 2000;

/** One run, as it goes to the host. */
export interface RemoteRun {
  /** The command line; the same for every script but for the token, the size and the deadline. */
  readonly command: string;
  /** The line that both outputs start with, whatever a login shell printed before. */
  readonly marker: Buffer;
  /** Input up to and with the script's own. */
  readonly input: Buffer;
}

function elevate(sudo: HostConnection["sudo"]): string {
  if (sudo === "none") return "";
  if (sudo === "postgres") return "sudo -n -u postgres -- ";
  return sudo === "nopasswd" ? "sudo -n -- " : "sudo -k -S -p '' -- ";
}

/**
 * Spells a run for the host. timeout(1) ends the script there at the deadline, so that no script outlives its run,
 * also when the connection is lost. LC_ALL=C keeps the messages of sudo readable for us.
 */
export function remoteRun(
  sudo: HostConnection["sudo"],
  token: string,
  script: string,
  stdin: string,
  deadlineMs: number,
): RemoteRun {
  const prelude = isRestricted({ sudo }) ? PRELUDE : "";
  const body = Buffer.from(`${prelude}${script}\n#${token}`);
  const seconds = (deadlineMs / 1000).toFixed(3);
  const timeout = `timeout -k ${KILL_AFTER_MS / 1000} ${seconds}`;
  return {
    command: `env LC_ALL=C ${elevate(sudo)}${timeout} /bin/sh -c ${sh(BOOTSTRAP)} sh ${token} ${body.length}`,
    marker: Buffer.from(`\n${token}\n`),
    input: Buffer.concat([Buffer.from(`${token}\n`), body, Buffer.from(stdin)]),
  };
}
