import type { Probe } from "./probe";

/** What TuneD, which sets a host's kernel by profiles, is at. */
export interface TunedFact {
  /** "throughput-performance"; several are merged, with blanks between; "" before the first. */
  readonly profile: string;
  readonly isActive: boolean;
  readonly isEnabled: boolean;
  /** Those that are installed. */
  readonly profiles: readonly string[];
}

/**
 * Undefined where TuneD is not installed. It keeps the name of its profile in a file, which "tuned-adm active" takes a quarter
 * of a second to read (tuned-adm(8)).
 */
export const tunedProbe: Probe<TunedFact | undefined> = {
  key: "tuned",
  script: `command -v tuned-adm >/dev/null || exit 0
echo "active $(systemctl is-active tuned.service)"
echo "enabled $(systemctl is-enabled tuned.service 2>/dev/null)"
[ ! -e /etc/tuned/active_profile ] || echo "profile $(cat /etc/tuned/active_profile)"
for conf in /usr/lib/tuned/*/tuned.conf /usr/lib/tuned/profiles/*/tuned.conf /etc/tuned/*/tuned.conf /etc/tuned/profiles/*/tuned.conf; do
  [ ! -e "$conf" ] || { conf=\${conf%/tuned.conf}; echo "known \${conf##*/}"; }
done`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    if (stdout === "") return undefined;
    const lines = stdout.split("\n");
    const after = (word: string): string[] =>
      lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1).trim());
    return {
      profile: after("profile")[0] ?? "",
      isActive: after("active")[0] === "active",
      isEnabled: after("enabled")[0] === "enabled",
      profiles: [...new Set(after("known"))].sort(),
    };
  },
};
