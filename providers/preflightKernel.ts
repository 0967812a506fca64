import type { KernelSpec } from "../config/types";
import type { TunedFact } from "../facts/tuned";
import { type KernelFact, sysctlFile, THP_FILE, TRANSPARENT_HUGE_PAGES } from "../facts/kernel";

/** What a host's kernel lacks, or shows without letting anybody change it. */
export function kernelProblems(
  want: KernelSpec | undefined,
  have: KernelFact | undefined,
  tuned: TunedFact | undefined,
): string[] {
  if (want === undefined || have === undefined) return [];
  return [...settingProblems(want, have), ...profileProblems(want, tuned)];
}

function settingProblems(want: KernelSpec, have: KernelFact): string[] {
  const { sysctl, transparentHugePages } = want;
  const wanted = { ...sysctl, ...(transparentHugePages && { [TRANSPARENT_HUGE_PAGES]: transparentHugePages }) };
  const found: Readonly<Record<string, string | undefined>> = {
    ...have.sysctl,
    [TRANSPARENT_HUGE_PAGES]: have.transparentHugePages,
  };
  return Object.entries(wanted).flatMap(([name, value]) => {
    const file = name === TRANSPARENT_HUGE_PAGES ? THP_FILE : sysctlFile(name);
    const now = found[name];
    if (now === undefined) {
      return [`its kernel has no setting ${name} (there is no ${file}); take it out of this host's 'kernel'`];
    }
    if (now === value || !have.fixed.includes(name)) return [];
    return [
      `${name} is ${now}, wanted ${value}, and cannot be changed there: ${file} is read-only, as in a container. ` +
        "Set it on the machine below, or take it out of this host's 'kernel'",
    ];
  });
}

function profileProblems({ tunedProfile: wanted }: KernelSpec, tuned: TunedFact | undefined): string[] {
  if (wanted === undefined) return [];
  if (tuned === undefined) {
    return [
      `TuneD is not installed, and the inventory wants its profile ${wanted}. Type: sudo dnf install tuned (Debian: sudo apt install tuned), ` +
        "or take tuned_profile out of this host's 'kernel'",
    ];
  }
  const unknown = wanted.split(" ").filter((name) => !tuned.profiles.includes(name));
  return unknown.map((name) => `TuneD has no profile ${name}; it has ${tuned.profiles.join(", ")}`);
}
