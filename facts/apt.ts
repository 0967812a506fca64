import { CREATE_CLUSTER_FILE, foundRepository, repositoryFiles } from "./aptFiles";
import { packagesProbe } from "./aptPackages";
import { repositoryProbe } from "./aptRepository";
import { compareDebianVersions } from "./debianVersion";
import type { Packaging } from "./packages";

export const apt: Packaging = {
  packagesProbe,
  repositoryProbe,
  repositoryFiles,
  foundRepository,
  compareVersions: compareDebianVersions,
  createCluster: CREATE_CLUSTER_FILE,
  lookAt: (packages) => `apt-cache policy ${packages.join(" ")}`,
};
