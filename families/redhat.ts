import type { FamilyLayout } from "./types";

/**
 * RHEL and what is built from it, with the packages of the PostgreSQL project (yum.postgresql.org), which lie beside each
 * other by major version. Their own units, postgresql-17 and repmgr-17, are neither used nor touched.
 */
export const redhat: FamilyLayout = {
  supported: ["rhel", "rocky", "almalinux", "ol"].flatMap((id) => [8, 9, 10].map((release) => `${id} ${release}`)),
  packageManager: "dnf",
  serverPackages: (version) => [`postgresql${version}-server`, `postgresql${version}-contrib`],
  repmgrPackage: (version) => `repmgr_${version}`,
  // The server says "17.6", whichever release of the package it came with.
  serverVersion: (packageVersion) => packageVersion.replace(/^\d+:/, "").replace(/-.*$/, ""),
  binDirectory: (version) => `/usr/pgsql-${version}/bin`,
  // SELinux's policy labels what is below /var/lib/pgsql, and expects a directory "data" (postgresql_selinux(8)).
  dataDirectory: (version, cluster) => `/var/lib/pgsql/${version}/${cluster}/data`,
  clusterDirectory: (cluster) => `/etc/repmgr/${cluster}`,
  systemctl: "/usr/bin/systemctl",
  sudo: "/usr/bin/sudo",
};
