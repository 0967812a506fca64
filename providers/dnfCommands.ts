import { shJoin } from "../ssh/quote";
import type { PackageCommands } from "./packageCommands";

/** dnf waits for another dnf, and rpm for another rpm. What it says on success is of no use to anybody. */
const DNF_SHELL = `dnf_quiet() {
  said=$(dnf -y -q --setopt=install_weak_deps=False "$@" 2>&1) || { printf '%s\\n' "$said" >&2; return 1; }
}`;

/** Never with --nogpgcheck: a package that is not signed with the repository's key is not installed. */
export const dnfCommands: PackageCommands = {
  exact: (name, version) => `${name}-${version}`,
  install(packages) {
    const names = shJoin(packages);
    return `${DNF_SHELL}
dnf_quiet install ${names} || dnf_quiet --refresh install ${names}`;
  },
  add: (name) => `sudo dnf install ${name}`,
  downgrade: (name, version) => `sudo dnf downgrade ${name}-${version}`,
  disableModule: `${DNF_SHELL}
dnf_quiet module disable postgresql`,
};
