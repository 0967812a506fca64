import type { Probe } from "./probe";

/** A running PostgreSQL, whoever has started it. */
export interface PostmasterFact {
  readonly pid: number;
  /** "postgresql@17-main.service"; whatever systemd counts it to when it is no service. */
  readonly unit: string;
  /** "/usr/lib/postgresql/17/bin/postgres" */
  readonly program: string;
  readonly dataDirectory: string;
  readonly user: string;
  readonly port: number;
  /** "" when it has none. */
  readonly socketDirectory: string;
}

export interface RepmgrdFact {
  readonly pid: number;
  readonly unit: string;
  /** As given on its command line; "" when repmgrd was left to search for it. */
  readonly configFile: string;
}

export interface ProcessesFact {
  readonly postmasters: readonly PostmasterFact[];
  readonly repmgrds: readonly RepmgrdFact[];
  /** Home of the user postgres. */
  readonly home: string;
}

/** What runs on a host about which nothing is known yet. */
export const processesProbe: Probe<ProcessesFact> = {
  key: "processes",
  script: `printf 'home\\t%s\\n' "$(getent passwd postgres | cut -d : -f 6)"
ps -e -o pid=,ppid=,comm=,unit= | while read -r pid parent name unit; do
  case $name in
    postgres)
      [ "$(cat "/proc/$parent/comm" 2>/dev/null)" != postgres ] || continue
      data=$(readlink "/proc/$pid/cwd") && [ -f "$data/postmaster.pid" ] || continue
      printf 'postgres\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$pid" "$unit" "$(readlink "/proc/$pid/exe")" "$data" \\
        "$(stat -c %U "/proc/$pid")" "$(sed -n 4p "$data/postmaster.pid")" "$(sed -n 5p "$data/postmaster.pid")"
      ;;
    repmgrd)
      conf=$(tr '\\0' '\\n' <"/proc/$pid/cmdline" | sed -n -e 's/^--config-file=//p' -e '/^\\(-f\\|--config-file\\)$/{n;p;}' -e 's/^-f\\(..*\\)/\\1/p' | head -n 1)
      printf 'repmgrd\\t%s\\t%s\\t%s\\n' "$pid" "$unit" "$conf"
      ;;
  esac
done`,
  parse({ code, stdout, stderr }) {
    if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
    return parseProcesses(stdout);
  },
};

export function parseProcesses(text: string): ProcessesFact {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const of = (kind: string): string[][] => lines.filter(([first]) => first === kind).map(([, ...fields]) => fields);
  return {
    postmasters: of("postgres").map(
      ([pid, unit = "", program = "", dataDirectory = "", user = "", port, sockets = ""]) => ({
        pid: Number(pid),
        unit,
        program,
        dataDirectory,
        user,
        port: Number(port),
        socketDirectory: sockets.trim().split(",")[0] ?? "",
      }),
    ),
    repmgrds: of("repmgrd").map(([pid, unit = "", configFile = ""]) => ({ pid: Number(pid), unit, configFile })),
    home: of("home")[0]?.[0] ?? "",
  };
}
