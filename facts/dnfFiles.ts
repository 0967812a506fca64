import type { KeyedRepository } from "../config/types";
import type { Packaging, RepositoryFiles } from "./packages";

/**
 * The key and the definition of one repository (dnf.conf(5), "Repo Options"). What is not signed with the key is never
 * installed: gpgcheck stands here, whatever dnf.conf says.
 */
export function repositoryFiles({ name, uri, key }: KeyedRepository): RepositoryFiles {
  const keyPath = `/etc/pki/rpm-gpg/RPM-GPG-KEY-repmgr-pulumi-${name}`;
  const lines = [
    "# Written by repmgr-pulumi.",
    `[repmgr-pulumi-${name}]`,
    `name=${name}, by repmgr-pulumi`,
    `baseurl=${uri}`,
    "enabled=1",
    "gpgcheck=1",
    `gpgkey=file://${keyPath}`,
  ];
  return {
    key: { path: keyPath, content: `${key.trim()}\n` },
    source: { path: `/etc/yum.repos.d/repmgr-pulumi-${name}.repo`, content: `${lines.join("\n")}\n` },
  };
}

export const foundRepository: Packaging["foundRepository"] = (want, source, key) => {
  if (source === undefined) return undefined;
  const files = repositoryFiles(want);
  const uri = /^baseurl=(.*)$/m.exec(source.content)?.[1]?.trim() ?? "";
  const found = { ...want, uri, key: key?.content === files.key.content ? want.key : (key?.content ?? "") };
  const looksTheSame = repositoryFiles(found).source.content === source.content;
  if (looksTheSame) return found;
  // "gpgcheck=0" and the like: the address may be right, and the file is not.
  return { ...found, uri: `${uri} (${files.source.path} has other lines, too)` };
};
