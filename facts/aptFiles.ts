import type { RepositorySpec } from "../config/types";
import type { FileFact } from "./file";

export interface AptFile {
  readonly path: string;
  readonly content: string;
}

/** postgresql-common reads it whenever a package of a new version is configured (pg_createcluster(1)). */
export const CREATE_CLUSTER_FILE: AptFile = {
  path: "/etc/postgresql-common/createcluster.d/repmgr-pulumi.conf",
  content:
    "# Written by repmgr-pulumi: its clusters have their own names, units and ports.\ncreate_main_cluster = false\n",
};

/** The key and the deb822 source of one repository (sources.list(5)). */
export function repositoryFiles(repository: RepositorySpec): { key: AptFile; source: AptFile } {
  const { name, uri, suite, components, key } = repository;
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

/** The repository as the host's files give it; undefined when the host does not have it. */
export function foundRepository(
  want: RepositorySpec,
  source: FileFact | undefined,
  key: FileFact | undefined,
): RepositorySpec | undefined {
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
}
