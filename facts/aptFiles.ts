import type { KeyedRepository } from "../config/types";
import type { Packaging, PackagingFile, RepositoryFiles } from "./packages";

/** postgresql-common reads it whenever a package of a new version is configured (pg_createcluster(1)). */
export const CREATE_CLUSTER_FILE: PackagingFile = {
  path: "/etc/postgresql-common/createcluster.d/repmgr-pulumi.conf",
  content:
    "# Written by repmgr-pulumi: its clusters have their own names, units and ports.\ncreate_main_cluster = false\n",
};

/** The key and the deb822 source of one repository (sources.list(5)). */
export function repositoryFiles(repository: KeyedRepository): RepositoryFiles {
  const { name, uri, suite = "", components = [], key } = repository;
  const keyPath = `/etc/apt/keyrings/repmgr-pulumi-${name}.asc`;
  const lines = [
    "# Written by repmgr-pulumi.",
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suite}`,
    ...(components.length === 0 ? [] : [`Components: ${components.join(" ")}`]),
    `Signed-By: ${keyPath}`,
  ];
  return {
    key: { path: keyPath, content: `${key.trim()}\n` },
    source: { path: `/etc/apt/sources.list.d/repmgr-pulumi-${name}.sources`, content: `${lines.join("\n")}\n` },
  };
}

export const foundRepository: Packaging["foundRepository"] = (want, source, key) => {
  if (source === undefined) return undefined;
  const files = repositoryFiles(want);
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, "im").exec(source.content)?.[1]?.trim() ?? "";
  const found = {
    name: want.name,
    uri: field("URIs"),
    suite: field("Suites"),
    components: field("Components")
      .split(/\s+/)
      .filter((word) => word !== ""),
    key: key?.content === files.key.content ? want.key : (key?.content ?? ""),
  };
  const looksTheSame = repositoryFiles(found).source.content === files.source.content;
  if (!looksTheSame || source.content === files.source.content) return found;
  // "Enabled: no" and the like: the fields the program knows are right, and the file is not.
  return { ...found, uri: `${found.uri} (${files.source.path} has other lines, too)` };
};
