import type { FamilyLayout } from "./types";

/** Debian 12 and 13, with the packages of Debian or of the PostgreSQL project. */
export const debian: FamilyLayout = {
  binDirectory: (version) => `/usr/lib/postgresql/${version}/bin`,
  packages: (version) => [`postgresql-${version}`, `postgresql-${version}-repmgr`],
  clusterDirectory: (cluster) => `/etc/repmgr/${cluster}`,
  systemctl: "/usr/bin/systemctl",
  sudo: "/usr/bin/sudo",
};
