import { sh } from "../ssh/quote";
import type { Probe } from "./probe";

export interface KernelFact {
  /** Those of the settings asked for that this kernel has, blanks as single spaces. */
  readonly sysctl: Readonly<Record<string, string>>;
  /** Of these, what nobody can change there, as in a container. */
  readonly fixed: readonly string[];
  /** Absent: this kernel has none. */
  readonly transparentHugePages?: string;
}

/** What stands for transparent huge pages among the settings that cannot be changed. */
export const TRANSPARENT_HUGE_PAGES = "transparent_huge_pages";
export const THP_FILE = "/sys/kernel/mm/transparent_hugepage/enabled";

/** Where the kernel has a setting. Dots part directories; a name that holds some itself is none of those that can be named. */
export function sysctlFile(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

/** @param names settings such as "vm.overcommit_memory" */
export function kernelProbe(names: readonly string[]): Probe<KernelFact> {
  return {
    key: `kernel ${names.join(" ")}`,
    script: `restricted=\${repmgr_pulumi_run:-}
look() {
  [ -f "$2" ] || return 0
  value=$(cat "$2") || [ -z "$restricted" ] || exit
  echo "$1=$value"
  # What postgres may not write says nothing of the kernel.
  [ -n "$restricted" ] || [ -w "$2" ] || echo "fixed=$1"
}
${names.map((name) => `look ${sh(name)} ${sh(sysctlFile(name))}`).join("\n")}
[ -f ${THP_FILE} ] || exit 0
sed -n 's/.*\\[\\(.*\\)\\].*/${TRANSPARENT_HUGE_PAGES}=\\1/p' ${THP_FILE}
[ -n "$restricted" ] || [ -w ${THP_FILE} ] || echo fixed=${TRANSPARENT_HUGE_PAGES}`,
    parse({ code, stdout, stderr }) {
      if (code !== 0) throw new Error(`exit status ${code}: ${stderr.trim()}`);
      const pairs = stdout.split("\n").flatMap((line) => {
        const [, name, value] = /^([^=]+)=(.*)$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [[name, words(value)] as const];
      });
      const all = Object.fromEntries(pairs.filter(([name]) => name !== "fixed"));
      const { [TRANSPARENT_HUGE_PAGES]: transparentHugePages, ...sysctl } = all;
      return {
        sysctl,
        fixed: pairs.filter(([name]) => name === "fixed").map(([, value]) => value),
        ...(transparentHugePages === undefined ? {} : { transparentHugePages }),
      };
    },
  };
}

/** The kernel parts the words of a value by tabs. */
export function words(value: string): string {
  return value.trim().split(/\s+/).join(" ");
}
