import { SudoRefused, Unreachable, sshCommand, where } from "./errors";
import { isRestricted } from "./restricted";
import type { HostConnection } from "./types";

/** What a run left when its script was never started. */
export interface FailedStart {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Reason {
  readonly pattern: RegExp;
  readonly why: string;
  readonly next: (host: HostConnection) => string;
}

const REASONS: readonly Reason[] = [
  {
    pattern: /sudo.*(not found|no such file)|unknown command:? '?sudo/i,
    why: "sudo is not installed",
    next: () => "Install it on the host (`apt-get install sudo` as root), or log in as root with sudo: none.",
  },
  {
    // Only ever said of who a login shall become.
    pattern: /unknown user:? '?postgres/i,
    why: "there is no user postgres, so this host was never prepared by a run with full sudo",
    next: ({ name }) => rootOnce(name),
  },
  {
    // Before the next: sudo's words for it end in "and try again".
    pattern: /password (has|is) expired|account or password is expired|password change required/i,
    why: "the login's password has expired",
    next: (host) =>
      `Set a new one at a terminal, \`${sshCommand(host, "passwd").replace(/^ssh /, "ssh -t ")}\`${newSecret(host)}.`,
  },
  {
    pattern: /try again|incorrect password|incorrect authentication|no password was provided/i,
    why: "sudo refuses the password",
    next: (host) => `Correct it: \`pulumi config set --secret ${host.sudoPasswordSecret ?? "SUDO_PASSWORD"}\`.`,
  },
  {
    pattern: /not in the sudoers file|not allowed to (run|execute)|may not run sudo|I'm afraid I can't do that/i,
    why: "the login may not use sudo for this",
    next: allowIt,
  },
  {
    pattern: /password is required|interactive authentication is required|a terminal is required|no askpass/i,
    why: "sudo asks for a password and the inventory says it would not",
    next: (host) =>
      isRestricted(host)
        ? allowIt(host)
        : `Set sudo: password and sudo_password_secret for the host in the inventory, or allow it without: NOPASSWD for ${host.user}.`,
  },
  {
    pattern: /must have a tty/i,
    why: "sudo demands a terminal",
    next: (host) =>
      `As root on the host: \`echo 'Defaults:${host.user} !requiretty' > /etc/sudoers.d/${host.user}-tty\`.`,
  },
];

/** The one line of sudoers that the login needs. */
function allowIt(host: HostConnection): string {
  const target = isRestricted(host) ? "postgres" : "ALL";
  return `As root on the host: \`echo '${host.user} ALL=(${target}) NOPASSWD: ALL' > /etc/sudoers.d/${host.user} && visudo -c\`.`;
}

function newSecret({ sudoPasswordSecret }: HostConnection): string {
  return sudoPasswordSecret === undefined ? "" : `, and type \`pulumi config set --secret ${sudoPasswordSecret}\``;
}

/** What to type where something needs root, and the login may become postgres only. @param host its name in the inventory */
export function rootOnce(host: string): string {
  return `Set "sudo: nopasswd" (or another login) for ${host} in the inventory, so that its login may become root, and type "pulumi up"; afterwards "sudo: postgres" will do again.`;
}

/** sudo asked a second time: what follows on its input must not be taken for guesses, each counts towards a lockout. */
export function isPasswordRefused(stderr: string): boolean {
  return /try again/i.test(stderr);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

/** The error of a run whose script was never started, although the login worked. */
export function startError(host: HostConnection, what: string, failed: FailedStart): SudoRefused | Unreachable {
  const said = lastLine(failed.stderr) || lastLine(failed.stdout) || `nothing, exit status ${failed.code}`;
  const usesSudo = host.sudo !== "none";
  const reason = usesSudo ? REASONS.find(({ pattern }) => pattern.test(failed.stderr)) : undefined;
  if (reason) {
    const message = `${where(host)}: cannot ${what} as ${isRestricted(host) ? "postgres" : "root"}: ${reason.why}. The host said: ${said}. ${reason.next(host)}`;
    return new SudoRefused(host, message);
  }
  const tryIt = `Try \`${sshCommand(host, isRestricted(host) ? "sudo -n -u postgres true" : usesSudo ? "sudo -n true" : "true")}\`.`;
  const message = `${where(host)}: cannot ${what}: the login worked, but no command could be started. The host said: ${said}. ${tryIt}`;
  if (usesSudo && /^sudo/m.test(failed.stderr)) return new SudoRefused(host, message);
  return new Unreachable(host, "refused", message);
}
