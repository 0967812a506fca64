import type { KeyedRepository } from "../config/types";
import type { FileFact } from "./file";
import type { Probe } from "./probe";

export interface PackageFact {
  readonly name: string;
  /** "broken": unpacked but never configured, because the package manager was cut. */
  readonly state: "installed" | "broken" | "absent";
  /** "" when absent. */
  readonly version: string;
}

export interface PackagesFact {
  /** In the order asked for. */
  readonly packages: readonly PackageFact[];
  /** The package manager was cut in the middle of something and refuses to work until it is repaired. */
  readonly isInterrupted: boolean;
  /** What would be installed, by name; asked only about packages that are not installed. */
  readonly candidates: Readonly<Record<string, string>>;
  /** How a module of the distribution hides packages of these names, "postgresql 16 is the default"; absent when none does. */
  readonly hiding?: string;
}

export interface RepositoryFact {
  /** What was said against the repository; "" when it can be used. */
  readonly problem: string;
  /** What the repository offers, by package name. */
  readonly candidates: Readonly<Record<string, string>>;
}

/** A file of the package manager's configuration that is ours alone. */
export interface PackagingFile {
  readonly path: string;
  readonly content: string;
}

export interface RepositoryFiles {
  readonly key: PackagingFile;
  readonly source: PackagingFile;
}

/** How one package manager is asked, and what its files look like. What changes a host is in providers/packageCommands.ts. */
export interface Packaging {
  readonly packagesProbe: (names: readonly string[]) => Probe<PackagesFact>;
  /** Tries a repository that is not set up yet. Asked only while one of the packages is not installed. */
  readonly repositoryProbe: (repository: KeyedRepository, packages: readonly string[]) => Probe<RepositoryFact>;
  readonly repositoryFiles: (repository: KeyedRepository) => RepositoryFiles;
  /** The repository as the host's files give it; undefined when the host does not have it. */
  readonly foundRepository: (
    want: KeyedRepository,
    source: FileFact | undefined,
    key: FileFact | undefined,
  ) => KeyedRepository | undefined;
  /** Negative when version a is older than b. */
  readonly compareVersions: (a: string, b: string) => number;
  /** Keeps the distribution from making a cluster of its own; absent where it makes none. */
  readonly createCluster?: PackagingFile;
  /** For a person, what a repository offers of these packages. */
  readonly lookAt: (packages: readonly string[]) => string;
}
