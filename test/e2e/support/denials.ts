import type { Lab } from "../../../lab";
import { seconds } from "./deadlines";

/** What the kernel, those that ask it (USER_AVC), and SELinux of itself say; all three mean that something was refused. */
const REFUSED = /\btype=(1400|1107|1401)\b/;
const LOST = /Missed \d+ kernel messages|callbacks suppressed/;

/**
 * Whoever types semanage, Debian's policy refuses it to change the labels of what it makes anew, and to ask how full the
 * file systems are. It does its work all the same.
 */
const OF_SEMANAGE = /^semanage, semanage_t: (\{ relabelfrom \} of \w+, (file|dir)|\{ getattr \} of \w+, filesystem)$/;

/** Something that SELinux has refused on a host. */
export interface Denial {
  /** "sshd-session, sshd_t: { search } of unconfined_t, key": the same for the same thing done by another process. */
  readonly what: string;
  /** As logged. */
  readonly line: string;
}

/** Shell: from now on the kernel leaves out none of its messages, however many there are. */
export const LOG_ALL = "sysctl -qw kernel.printk_ratelimit=0";

/** Every refusal since the host has booted, in order, but those that semanage always meets. @throws Error when some are lost */
export async function denials(lab: Lab, host: string): Promise<Denial[]> {
  const command = "journalctl -q -k -b -o cat --no-pager";
  const { code, stdout, stderr } = await lab.exec(host, command, { deadlineMs: seconds(60) });
  if (code !== 0) throw new Error(`${host}: ${command}: exit status ${code}: ${stderr.trim()}`);
  return denialsIn(stdout);
}

/** @param messages of the kernel, one a line. @throws Error when some are lost */
export function denialsIn(messages: string): Denial[] {
  const lines = messages.split("\n");
  const lost = lines.find((line) => LOST.test(line));
  if (lost !== undefined) throw new Error(`the journal is not whole: ${lost}`);
  return lines
    .filter((line) => REFUSED.test(line))
    .map((line) => ({ what: named(line), line }))
    .filter(({ what }) => !OF_SEMANAGE.test(what));
}

function named(line: string): string {
  const field = (pattern: RegExp): string => pattern.exec(line)?.[1] ?? "?";
  const type = (label: string): string => label.split(":")[2] ?? "?";
  const [source, target] = [type(field(/scontext=(\S+)/)), type(field(/tcontext=(\S+)/))];
  return `${field(/comm="([^"]+)"/)}, ${source}: ${field(/denied {2}(\{[^}]*\})/)} of ${target}, ${field(/tclass=(\w+)/)}`;
}
