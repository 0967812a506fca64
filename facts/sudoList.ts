import type { Probe } from "./probe";

/**
 * What postgres may do as root without a password, as sudo itself tells postgres: who may not read sudoers files is told
 * this all the same. Of all files together, so what is missing is missing; whose the rest is, nobody knows.
 */
export const sudoListProbe: Probe<readonly string[]> = {
  key: "sudo list",
  // With a pipe for its output it breaks no lines; without a single such command it asks for a password (sudoers(5), listpw).
  script: `said=$(sudo -n -l 2>&1) && printf '%s\\n' "$said" && exit
case $said in *'password is required'*) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`sudo -l: ${stderr.trim()}`);
    return parseSudoList(stdout);
  },
};

/** @param text such as "    (root) NOPASSWD: /usr/bin/systemctl start postgresql-main" */
export function parseSudoList(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, commands] = /^\s+\((?:root|ALL)(?: : \w+)?\) NOPASSWD: (.+)$/.exec(line) ?? [];
    return commands?.split(/, (?:NOPASSWD: )?/) ?? [];
  });
}
