import type { ClusterLayout } from "../../config/types";
import type { ContentFact } from "../../facts/content";
import type { FileFact } from "../../facts/file";
import type { InstanceFacts } from "../../facts/instance";
import { parseHba } from "../../facts/hbaConf";
import { parsePostgresConf } from "../../facts/postgresConf";
import type { PostmasterFact } from "../../facts/processes";
import type { RegisteredNode } from "../../facts/running";
import type { ServerFact } from "../../facts/server";

/** A host as a person names it on the command line. */
export interface Target {
  readonly name: string;
  readonly address: string;
}

/** One node of a cluster that others have built, as its host shows it. */
export interface FoundNode {
  readonly target: Target;
  readonly postmaster: PostmasterFact;
  /** Unit of its repmgrd; undefined when none runs. */
  readonly repmgrdUnit: string | undefined;
  readonly repmgrConfPath: string;
  readonly passFilePath: string;
  readonly server: ServerFact;
  readonly instance: InstanceFacts;
  readonly conf: FileFact | undefined;
  readonly hba: FileFact | undefined;
  readonly repmgrConf: FileFact | undefined;
  readonly passFile: FileFact | undefined;
}

export interface Found {
  readonly nodes: readonly FoundNode[];
  /** Every host that was named could be read. */
  readonly isWhole: boolean;
  /** Of the primary. */
  readonly content: ContentFact;
}

export function layoutOf(node: FoundNode): ClusterLayout {
  return {
    configFile: node.server.configFile,
    hbaFile: node.server.hbaFile,
    postgresqlUnit: node.postmaster.unit,
    repmgrConf: node.repmgrConfPath,
    repmgrdUnit: node.repmgrdUnit ?? "",
    passFile: node.passFilePath,
    socketDirectory: node.postmaster.socketDirectory,
    logDirectory: node.server.logDirectory,
  };
}

/** repmgr.conf of a node. */
export function optionsOf(node: FoundNode): Record<string, string> {
  return parsePostgresConf(node.repmgrConf?.content ?? "");
}

export function hbaOf(node: FoundNode): string[] {
  return parseHba(node.hba?.content ?? "");
}

/** The settings of its postgresql.conf that count; `elsewhere`: those that another file overrides, and which one. */
export function settingsOf(node: FoundNode): { own: Record<string, string>; elsewhere: Record<string, string> } {
  const own: Record<string, string> = {};
  const elsewhere: Record<string, string> = {};
  const winners = node.instance.running?.fileSettings ?? {};
  for (const [name, value] of Object.entries(parsePostgresConf(node.conf?.content ?? ""))) {
    const source = winners[name]?.sourceFile ?? node.server.configFile;
    if (source === node.server.configFile) own[name] = value;
    else elsewhere[name] = source;
  }
  return { own, elsewhere };
}

/** The node's own row in repmgr.nodes, as its own instance has it. */
export function rowOf(node: FoundNode): RegisteredNode | undefined {
  return node.instance.repmgr?.nodes.find(({ id }) => String(id) === optionsOf(node).node_id);
}

export function isPrimary(node: FoundNode): boolean {
  return node.instance.running?.inRecovery === false && rowOf(node)?.type !== "witness";
}

/** What all have alike, and per node what it has of its own. */
export function split(of: readonly Readonly<Record<string, string>>[]): {
  common: Record<string, string>;
  own: Record<string, string>[];
} {
  const [first = {}, ...others] = of;
  const isCommon = ([name, value]: [string, string]): boolean => others.every((other) => other[name] === value);
  const common = Object.fromEntries(Object.entries(first).filter(isCommon));
  const own = of.map((values) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => common[name] === undefined)),
  );
  return { common, own };
}
