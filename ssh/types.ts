/** How to reach one host. Never part of a resource's identity: it may change without the host changing. */
export interface HostConnection {
  /** The host's name in the inventory; every error message carries it. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Path of a private key on the control machine. */
  readonly keyFile?: string;
  /** Ask the ssh-agent at SSH_AUTH_SOCK. */
  readonly agent: boolean;
  /** Name of the stack secret holding a private key. */
  readonly keySecret?: string;
  /** Name of the stack secret holding the passphrase of the key. */
  readonly passphraseSecret?: string;
  /** Host keys given in the inventory, "ssh-ed25519 AAAA...". Empty: known_hosts decides. */
  readonly hostKeys: readonly string[];
  /** Path of the known_hosts file that decides when hostKeys is empty. */
  readonly knownHostsFile: string;
  /** "none": the login is root. "nopasswd" and "password": it becomes root through sudo. "postgres": it may become postgres only. */
  readonly sudo: "none" | "nopasswd" | "password" | "postgres";
  /** Name of the stack secret holding the sudo password. */
  readonly sudoPasswordSecret?: string;
  /** Its machine is gone for good, says the inventory: nobody dials it. */
  readonly lost?: true;
  /** A host to jump through. */
  readonly jump?: HostConnection;
}

/** Looks a stack secret up by its name; undefined when the stack does not have it. */
export type SecretLookup = (name: string) => string | undefined;

export interface RunRequest {
  /** What this run is for, in the words an error message shall use: "read the facts of n1". */
  readonly what: string;
  /**
   * POSIX shell, run by /bin/sh as root with LC_ALL=C, umask 022 and a plain PATH; as postgres where the login may become no
   * other (restricted.ts). Travels on stdin, never in argv.
   */
  readonly script: string;
  /** The script's own standard input; the only way a secret may travel. */
  readonly stdin?: string;
  /** Files with passwords are among what it prints: no error may quote it. */
  readonly printsSecrets?: true;
  readonly deadlineMs: number;
}

export interface RunResult {
  /** When the open session was given the script: milliseconds since 1970, by the clock of this machine. */
  readonly startedAt: number;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What every layer above ssh/ needs of it; the contract tests give a recording one. */
export interface Shell {
  /** Resolves when a run would begin at once. @throws Unreachable as run does */
  open(host: HostConnection): Promise<void>;
  /**
   * Runs a script on a host as root, or as postgres where the login may become no other.
   * @throws Unreachable when the host cannot be dialled, refuses the login or its key, or the connection is lost
   * @throws DeadlineExceeded when the script did not end within deadlineMs
   */
  run(host: HostConnection, request: RunRequest): Promise<RunResult>;
  close(): Promise<void>;
}
