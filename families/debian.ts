import type { FamilyLayout } from "./types";

/** Debian 12 and 13 and Ubuntu, with the packages of the distribution or of the PostgreSQL project. */
export const debian: FamilyLayout = {
  supported: ["debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"],
  packageManager: "apt",
  serverPackages: (version) => [`postgresql-${version}`],
  repmgrPackage: (version) => `postgresql-${version}-repmgr`,
  // An epoch is no part of what the server calls itself: "17.6 (Debian 17.6-1.pgdg13+1)".
  serverVersion: (packageVersion) => packageVersion.replace(/^\d+:/, ""),
  binDirectory: (version) => `/usr/lib/postgresql/${version}/bin`,
  dataDirectory: (version, cluster) => `/var/lib/postgresql/${version}/${cluster}`,
  clusterDirectory: (cluster) => `/etc/repmgr/${cluster}`,
  systemctl: "/usr/bin/systemctl",
  sudo: "/usr/bin/sudo",
};
