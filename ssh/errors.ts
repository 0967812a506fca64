import type { HostConnection } from "./types";

/** Where a host is, as every message shows it: "n1 (admin@198.18.0.11:22)". */
export function where(host: HostConnection): string {
  const address = host.address.includes(":") ? `[${host.address}]` : host.address;
  return `${host.name} (${host.user}@${address}:${host.port})`;
}

/** The command a person types to see the same thing. */
export function sshCommand(host: HostConnection, command: string): string {
  const words = ["ssh"];
  if (host.jump) words.push("-J", `${host.jump.user}@${host.jump.address}:${host.jump.port}`);
  if (host.port !== 22) words.push("-p", String(host.port));
  if (host.keyFile) words.push("-i", host.keyFile);
  return [...words, `${host.user}@${host.address}`, command].join(" ");
}

/** What every error of this layer has in common: the inventory's name of the host. */
export abstract class SshError extends Error {
  readonly host: string;

  constructor(host: HostConnection, message: string) {
    super(message);
    this.name = new.target.name;
    this.host = host.name;
  }
}

/**
 * dial: no TCP connection; timeout: no answer in time; refused: the server answers but will not serve;
 * auth: the login is refused; hostkey: the server's key is; lost: the connection ended before the command did.
 */
export type UnreachableReason = "dial" | "timeout" | "refused" | "auth" | "hostkey" | "lost";

/** Nothing is known of the host. Never to be taken for "the thing asked for does not exist". */
export class Unreachable extends SshError {
  constructor(
    host: HostConnection,
    readonly reason: UnreachableReason,
    message: string,
  ) {
    super(host, message);
  }
}

/** The server shows a key that neither the inventory nor known_hosts knows. */
export class HostKeyUnknown extends Unreachable {
  constructor(
    host: HostConnection,
    /** "SHA256:..." of the key the server shows. */
    readonly seen: string,
    message: string,
  ) {
    super(host, "hostkey", message);
  }
}

/** The server shows another key than the one it is known by, or a revoked one. */
export class HostKeyChanged extends Unreachable {
  constructor(
    host: HostConnection,
    /** "SHA256:..." of the key the server shows. */
    readonly seen: string,
    /** "SHA256:..." of the keys that would have been accepted. */
    readonly expected: readonly string[],
    message: string,
  ) {
    super(host, "hostkey", message);
  }
}

/** The script was sent and did not end in time. */
export class DeadlineExceeded extends SshError {
  constructor(
    host: HostConnection,
    readonly what: string,
    readonly deadlineMs: number,
    message: string,
  ) {
    super(host, message);
  }
}

/** The login works, sudo does not. Nothing was run. */
export class SudoRefused extends SshError {}
