import { foundRepository, repositoryFiles } from "./dnfFiles";
import { packagesProbe, repositoryProbe } from "./dnfPackages";
import type { Packaging } from "./packages";
import { compareRpmVersions } from "./rpmVersion";

export const dnf: Packaging = {
  packagesProbe,
  repositoryProbe,
  repositoryFiles,
  foundRepository,
  compareVersions: compareRpmVersions,
  lookAt: (packages) => `dnf --showduplicates list ${packages.join(" ")}`,
};
